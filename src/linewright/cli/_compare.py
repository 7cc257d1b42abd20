"""The verb compare: scenarios side by side, replication by replication.

Every scenario runs the study of the first, with its seed, so that replications can be
paired; results that were saved with another seed or horizon are refused.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from linewright.cli._say import Args, is_result, load_line, print_json, show, slug
from linewright.cli._study import options_of, simulated, verdict
from linewright.errors import DeadlockError

if TYPE_CHECKING:
    from linewright.results import Result

_OF_ENERGY_AND_COST = {
    "energy_kwh_per_unit": "energy",
    "emissions_kg_per_unit": "emissions",
    "cost_per_unit": "cost",
    "margin_per_h": "margin",
}


def run_compare(args: Args) -> int:
    """Compare the first scenario with each of the others."""
    from linewright.console import comparison_view  # noqa: PLC0415 - slow
    from linewright.stats.compare import compare  # noqa: PLC0415

    results = _scenarios(args)
    confidence = args.confidence
    n = min(result.manifest["replications"] for result in results.values())
    values: dict[str, dict[str, Any]] = {}
    units: dict[str, str] = {}
    for scenario, result in results.items():
        found = _values(result)
        units |= {measure: unit for measure, (unit, _) in found.items()}
        values[scenario] = {measure: v[:n] for measure, (_, v) in found.items()}
    compared = compare(values, confidence)
    seed = next(iter(results.values())).manifest["seed"]
    if args.json:
        rows = [
            dataclasses.asdict(c)
            | {
                "unit": units[c.measure],
                "significant": c.significant,
                "relative_difference": c.relative_difference,
                "method": c.method,
            }
            for c in compared
        ]
        manifests = {name: result.manifest for name, result in results.items()}
        print_json({"comparisons": rows, "scenarios": manifests})
    else:
        show(comparison_view(compared, units, seed, n))
    return verdict(args, *results.values())


def _scenarios(args: Args) -> dict[str, Result]:
    """Return the results to compare by name, the baseline first."""
    sources: list[tuple[str, tuple[str, ...]]] = [(path, ()) for path in args.models]
    if args.overlay:
        if len(sources) > 1:
            msg = "overlays go with one base model; name either models or overlays"
            raise ValueError(msg)
        sources += [(args.models[0], (overlay,)) for overlay in args.overlay]
    if len(sources) < 2:
        msg = "a comparison needs two models or results, or a model and an --overlay"
        raise ValueError(msg)
    names = _distinct([slug(*(overlays or (path,))) for path, overlays in sources])
    results: dict[str, Result] = {}
    options = options_of(args)
    for name, (path, overlays) in zip(names, sources, strict=True):
        results[name] = _one_scenario(args, path, overlays, options)
        if len(results) == 1:
            options = _same_study(args, results[name])
        if results[name].manifest["stopped_early"]:
            break
    if len(results) < 2:
        raise KeyboardInterrupt
    _refuse_unpaired(results)
    return results


def _distinct(names: list[str]) -> list[str]:
    """Return names with a number behind those that come twice."""
    return [
        name if names.count(name) == 1 else f"{name} {names[: i + 1].count(name)}"
        for i, name in enumerate(names)
    ]


def _one_scenario(
    args: Args, path: str, overlays: Sequence[str], options: dict[str, Any]
) -> Result:
    from linewright.results import Result  # noqa: PLC0415 - slow

    if is_result(path):
        return Result.load(path)
    try:
        return simulated(args, load_line(args, path, overlays), options)
    except DeadlockError as error:
        msg = f"{' + '.join((path, *overlays))}: {error}"
        raise DeadlockError(msg) from error


def _same_study(args: Args, base: Result) -> dict[str, Any]:
    """Return the options that give another scenario the study of the first."""
    m = base.manifest
    steady = m["study"] == "steady_state"
    return options_of(args) | {
        "horizon": m["horizon_us"],
        "replications": m["replications"],
        "seed": m["seed"],
        "study": m["study"],
        "units": m["units"],
        "warmup": args.warmup or ("auto" if steady else None),
        "precision": None,
    }


def _refuse_unpaired(results: dict[str, Result]) -> None:
    """Raise where replications of two results do not belong together."""
    (first, base), *others = results.items()
    for name, result in others:
        for key, what in (("seed", "seed"), ("horizon_us", "horizon in microseconds")):
            one, two = base.manifest[key], result.manifest[key]
            if one != two:
                msg = (
                    f"{first} and {name} cannot be paired: their {what} differs "
                    f"({one} and {two})"
                )
                raise ValueError(msg)


def _values(result: Result) -> dict[str, tuple[str, Any]]:
    """Return unit and values, one for each replication, of the measures compared."""
    import numpy as np  # noqa: PLC0415 - slow

    from linewright.ledger import line_measures  # noqa: PLC0415
    from linewright.model.meaning import leaves_line  # noqa: PLC0415

    n, names = result.manifest["replications"], list(result.line.products)

    def column(table: str, field: str) -> Any:
        values = result.table(table)[field].to_numpy(zero_copy_only=False)
        return values.astype(float).reshape(n, -1)

    hours = _hours(result)[:, None]
    rates = column("products", "finished") / hours
    final = [i for i, name in enumerate(names) if leaves_line(result.line, name)]
    found = {"throughput": ("units/h", rates[:, final].sum(axis=1))}
    if len(final) > 1:
        found |= {f"throughput of {names[i]}": ("units/h", rates[:, i]) for i in final}
    flows = column("products", "flow_mean_s") / 3600
    found |= {f"flow time of {names[i]}": ("h", flows[:, i]) for i in final}
    wip = column("products", "wip_mean").sum(axis=1)
    found["parts in the line"] = ("parts", wip)
    due = column("orders", "due_us")
    if due.size and (due >= 0).any():
        late = column("orders", "tardiness_s")
        done = (column("orders", "finished_us") >= 0) & (late == 0)
        on_time = np.where(due >= 0, done, np.nan)
        found["orders on time"] = ("%", 100 * np.nanmean(on_time, axis=1))
        tardy = np.nanmean(np.where(due >= 0, late, np.nan), axis=1) / 3600
        found["mean tardiness"] = ("h", tardy)
    for measure, _, unit, values in line_measures(
        result.line, result.tables, hours[:, 0]
    ):
        if measure in _OF_ENERGY_AND_COST:
            found[_OF_ENERGY_AND_COST[measure]] = (unit, values)
    return found


def _hours(result: Result) -> Any:
    """Return the hours that each replication counted."""
    from linewright.tables import MODE_NAMES  # noqa: PLC0415 - slow

    n = result.manifest["replications"]
    columns = [result.table("stations")[mode].to_numpy() for mode in MODE_NAMES]
    whole = sum(columns).reshape(n, -1)[:, 0]
    servers = next(iter(result.line.stations.values())).servers
    return whole / servers / 3.6e9
