"""Stocks: tools, cards of loops, spare components and bought materials.

Each becomes one row with how many there are and how they come back. What a part takes
from them, and hands back, stands with its step; a slot of its memory says what it has.
"""

from __future__ import annotations

from linewright import tables as t
from linewright.lower._build import Build
from linewright.model.distribution import Distribution
from linewright.model.line import Failure, Product
from linewright.model.meaning import Taken, materials_of, spares_name, taken_by

__all__ = [
    "add_spares",
    "lower_held",
    "lower_lent",
    "lower_stocks",
    "lower_takes",
    "what_is_taken",
]


def lower_stocks(build: Build) -> None:
    """Add the tools, the loops and the materials."""
    line = build.line
    for name, tool in line.tools.items():
        _add(build, name, t.TOOL, tool.count, tool.back)
    for name, loop in line.loops.items():
        _add(build, name, t.TOOL, loop.cards, loop.back)
    for name, material in line.materials.items():
        row = _add(build, name, t.MATERIAL, material.stock, material.lead_time)
        build.stocks[row] |= {
            "lot": material.lot,
            "reorder_point": material.reorder_point,
        }
        if material.late:
            build.stocks[row] |= {
                "late_share": material.late.share,
                "late": build.dist(material.late.by),
                "late_stream": build.stream("late", name),
            }


def add_spares(build: Build, station: str, name: str, failure: Failure) -> int:
    """Add the spare components of a failure; return their row, -1 for none."""
    if failure.spares is None:
        return -1
    return _add(
        build, spares_name(station, name), t.SPARE, failure.spares, failure.repair
    )


def _add(
    build: Build, name: str, kind: int, initial: int, back: Distribution | None
) -> int:
    row = build.stock_rows[name] = len(build.stocks)
    words = {t.TOOL: "back", t.SPARE: "component", t.MATERIAL: "lead time"}
    build.stocks.append(
        {
            "kind": kind,
            "dist": -1 if back is None else build.dist(back),
            "stream": build.stream(words[kind], name, of=[back]),
            "initial": initial,
        }
    )
    return row


def what_is_taken(build: Build, name: str) -> list[Taken]:
    """Return what a part of a product takes from stocks and hands back."""
    if name not in build.taken:
        build.taken[name] = taken_by(build.line, name)
        product = build.line.products[name]
        build.materials[name] = materials_of(build.line, product)
    return build.taken[name]


def _row(build: Build, name: str, taken: Taken) -> dict[str, float]:
    first = build.first_steps[name]
    return {
        "stock": build.stock_rows[taken.stock],
        "quantity": taken.quantity,
        "slot": build.slots[name]["stock", taken.stock],
        "step": first + taken.first,
        "until": first + taken.until,
    }


def lower_lent(build: Build, tools: dict[str, int]) -> dict[str, float]:
    """Return what a setup or a repair takes of tools, and hands back at its end."""
    rows: list[dict[str, float]] = [
        {"stock": build.stock_rows[tool], "quantity": n, "slot": -1}
        for tool, n in tools.items()
    ]
    first, n_tools = _rows(build, rows)
    return {"first_tool": first, "n_tools": n_tools}


def _rows(build: Build, rows: list[dict[str, float]]) -> tuple[int, int]:
    first = len(build.takes)
    build.takes.extend(rows)
    return first, len(rows)


def lower_takes(
    build: Build, name: str, product: Product, number: int
) -> dict[str, float]:
    """Return what a step takes from stocks, and hands back at its end or its start."""
    all_taken = what_is_taken(build, name)
    takes = [_row(build, name, x) for x in all_taken if x.first == number]
    step = build.first_steps[name] + number
    takes += [
        {
            "stock": build.stock_rows[material],
            "quantity": count * product.lot_size,
            "slot": -1,
            "step": step,
            "until": step,
        }
        for material, count in build.materials[name][number].items()
    ]
    gives = [x for x in all_taken if x.until == number and not x.at_start]
    hands = [x for x in all_taken if x.until == number and x.at_start]
    first_take, n_takes = _rows(build, takes)
    first_give, n_gives = _rows(build, [_row(build, name, x) for x in gives])
    first_hand, n_hands = _rows(build, [_row(build, name, x) for x in hands])
    return {
        "first_take": first_take,
        "n_takes": n_takes,
        "first_give": first_give,
        "n_gives": n_gives,
        "first_hand": first_hand,
        "n_hands": n_hands,
    }


def lower_held(build: Build, name: str) -> dict[str, float]:
    """Return all that a part of a product may hold on its route."""
    rows = [_row(build, name, taken) for taken in what_is_taken(build, name)]
    first, n = _rows(build, rows)
    return {"first_held": first, "n_held": n}
