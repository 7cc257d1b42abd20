"""The verb spc: control charts and capability of what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from linewright.cli._say import OK, Args, print_json, say, show, write
from linewright.cli._trace import open_book

if TYPE_CHECKING:
    from linewright.control.genealogy import Genealogy
    from linewright.stats.spc import Limits, Study


def run_spc(args: Args) -> int:
    """Say whether what was measured is in control, and what the process can hold."""
    if args.subgroup < 1 or args.sample < 1:
        msg = "--subgroup and --sample are one or more"
        raise ValueError(msg)
    book = open_book(args)
    try:
        studies, few = _studies(args, book)
        model = book.opening.model_hash
    finally:
        book.close()
    for text in few:
        say(args, text)
    if not studies:
        msg = "there is nothing to chart: no characteristic or inspection with values"
        raise ValueError(msg)
    page = args.out or _page_name(args)
    if page:
        from linewright.report.spc import write_spc  # noqa: PLC0415 - slow

        stamp = f"{Path(args.model).name}, model {model[:12]}"
        write_spc(studies, page, stamp, args.rules)
    if args.json:
        print_json({
            "model_hash": model, "rules": args.rules, "page": page,
            "studies": [_as_json(one) for one in studies],
        })  # fmt: skip
    else:
        _show(studies)
        write(f"{page}\n" if page else "")
    return OK


def _page_name(args: Args) -> str:
    """Return where the page goes; nowhere with --json, unless asked."""
    return "" if args.json else f"{Path(args.model).stem}-spc.html"


def _studies(args: Args, book: Genealogy) -> tuple[list[Study], list[str]]:
    """Return the studies, and what cannot be studied."""
    from linewright.stats.spc import (  # noqa: PLC0415 - slow
        Limits,
        study_counts,
        study_shares,
        study_values,
    )

    limits = _limits(book)
    measured = [(product, name) for product, name, _ in book.measured()]
    wanted = args.characteristic
    if wanted is not None:
        measured = [pair for pair in measured if _is_meant(wanted, pair)]
        if not measured:
            known = ", ".join(f"{p}:{n}" for p, n, _ in book.measured()) or "none"
            msg = f'nothing was measured of "{wanted}"; measured were {known}'
            raise ValueError(msg)
    found: list[Study] = []
    few: list[str] = []
    for pair in measured:
        values = [value for _, value in book.values_of(*pair)]
        of = limits.get(pair, Limits())
        try:
            if of.is_counted:
                found.append(study_counts(pair, values, of, args.rules))
            else:
                found.append(study_values(pair, values, of, args.subgroup, args.rules))
        except ValueError as error:
            few.append(f"{pair[0]}:{pair[1]}: {error}")
    for pair, rejected in book.verdicts().items() if wanted is None else ():
        try:
            found.append(study_shares(pair, rejected, args.sample, args.rules))
        except ValueError as error:
            few.append(f"rejected at {pair[1]} of {pair[0]}: {error}")
    return found, few


def _is_meant(text: str, pair: tuple[str, str]) -> bool:
    return text in {pair[1], ":".join(pair)}


def _limits(book: Genealogy) -> dict[tuple[str, str], Limits]:
    """Return what the model says of each characteristic."""
    from linewright.stats.spc import Limits  # noqa: PLC0415 - slow

    products = book.opening.model.get("products", {})
    found = {}
    for name, product in products.items():
        for step in product.get("route", ()):
            for key, of in step.get("characteristics", {}).items():
                found[name, key] = Limits(
                    of.get("unit", ""),
                    of.get("lower"),
                    of.get("nominal"),
                    of.get("upper"),
                    bool(of.get("counted")),
                )
    return found


def _show(studies: list[Study]) -> None:
    from linewright.console import table_view  # noqa: PLC0415 - slow

    rows = []
    for one in studies:
        chart = one.charts[0]
        capable = one.capability
        rows.append((
            one.product, one.name, f"{one.n:,}", chart.name, f"{chart.center:.6g}",
            "" if capable is None else f"{capable.sigma_within:.3g}",
            "" if capable is None else _index(capable.cp),
            "" if capable is None else _index(capable.cpk),
            "" if capable is None else f"{capable.outside:.2%}", str(one.n_signals),
        ))  # fmt: skip
    heads = ["product", "characteristic", "n", "chart", "center", "sigma"]
    show(table_view([*heads, "Cp", "Cpk", "outside", "signals"], rows))


def _index(index: Any) -> str:
    if index is None:
        return ""
    return f"{index.value:.2f} ({index.low:.2f} to {index.high:.2f})"


def _as_json(one: Study) -> dict[str, Any]:
    charts = [
        {
            "name": chart.name,
            "center": chart.center,
            "lower": float(chart.lower[-1]),
            "upper": float(chart.upper[-1]),
            "sigma": chart.sigma,
            "points": chart.points.tolist(),
            "signals": [found._asdict() for found in told],
        }
        for chart, told in zip(one.charts, one.signals, strict=True)
    ]
    from linewright.stats.capability import Index  # noqa: PLC0415 - slow

    capable = None
    if one.capability is not None:
        capable = {
            key: value._asdict() if isinstance(value, Index) else value
            for key, value in one.capability._asdict().items()
        }
    about = {"product": one.product, "name": one.name, "n": one.n}
    return about | one.limits._asdict() | {"charts": charts, "capability": capable}
