"""The verb estimate: what a line makes, by averages and formulas, in milliseconds."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from linewright.cli._say import OK, Args, load_line, print_json, show, write

if TYPE_CHECKING:
    from linewright.improve.estimating import LineEstimate

_SHOWN = 12


def run_estimate(args: Args) -> int:
    """Say what a line makes at most, and about what it makes."""
    from linewright.improve.estimating import estimate_line  # noqa: PLC0415 - slow
    from linewright.model.load import model_hash  # noqa: PLC0415
    from linewright.version import __version__  # noqa: PLC0415

    line = load_line(args, args.model, args.overlay)
    found = estimate_line(line)
    about = {"model_hash": model_hash(line), "linewright_version": __version__}
    if args.json:
        print_json(about | asdict(found))
        return OK
    _show(found)
    write(f"Model {about['model_hash'][:12]}, Linewright {__version__}; by formula\n")
    return OK


def _show(found: LineEstimate) -> None:
    from linewright.console import table_view  # noqa: PLC0415 - slow

    rows: list[tuple[Any, ...]] = [
        (
            " or ".join(load.stations),
            f"{load.hours * 60:.4g} min",
            f"{load.servers:.3g}",
            f"{load.most_per_h:.4g}",
            f"{load.load:.0%}",
        )
        for load in found.loads[:_SHOWN]
    ]
    heads = ["station", "work a unit", "servers", "most an hour", "of the bound"]
    show(table_view(heads, rows))
    if len(found.loads) > _SHOWN:
        write(f"… and {len(found.loads) - _SHOWN} more that are less loaded\n")
    if len(found.mix) > 1:
        mix = ", ".join(f"{share:.0%} {name}" for name, share in found.mix.items())
        write(f"A unit is a good one that leaves: {mix}.\n")
    write(f"No more than {found.bound_per_h:.4g} an hour in the long run")
    if found.asked_per_h:
        share = found.asked_per_h / found.bound_per_h
        write(f"; {found.asked_per_h:.4g} are asked for, {share:.0%} of that")
    write(".\n")
    _show_formula(found)


def _show_formula(found: LineEstimate) -> None:
    if found.exact_per_h is not None:
        write(f"Exactly {found.exact_per_h:.4g} an hour, by its Markov chain.\n")
    formula = found.formula
    if formula is not None:
        per_h = formula.throughput_per_s * 3600
        error = formula.error
        write(
            f"About {per_h:.4g} an hour by decomposition, with {formula.wip_mean:.3g} "
            f"parts in the line; 95 % of such estimates ({formula.kind}) were within "
            f"{error.most_of_95:.1%}.\n"
        )
        if not formula.settled:
            write("The formula did not settle: do not rely on it.\n")
    for note in found.notes:
        write(f"  {note}\n")
    if found.unknown:
        reasons = "; ".join(found.unknown[:4])
        more = "; and more" if len(found.unknown) > 4 else ""
        write(f"There is no formula for its waiting: {reasons}{more}.\n")
