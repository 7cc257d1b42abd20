"""Routes: the steps of a product, where each may be done, what it takes and makes.

A step becomes one row with its destination, its times, its kit and its verdict. What
always holds for it, such as one station or one constant time, is noted in the row, so
that the kernel does not find it out again for every part.
"""

from __future__ import annotations

from linewright import tables as t
from linewright.lower._build import Build
from linewright.model.distribution import Distribution
from linewright.model.line import Line, Product, Step
from linewright.model.meaning import (
    next_operation,
    process_time,
    rework_share,
    uses_of,
)

_END = {"interrupt": t.END_INTERRUPT, "finish": t.END_FINISH, "fit": t.END_FIT}
_CHOOSE = {
    "preference": t.CHOOSE_PREFERENCE,
    "shortest_queue": t.CHOOSE_SHORTEST,
    "first_free": t.CHOOSE_FIRST_FREE,
}


def lower_step(
    build: Build, name: str, product: Product, number: int, step: Step
) -> None:
    """Add one step of a product's route."""
    line = build.line
    buffers = [_step_buffer(build, step, station) for station in step.stations]
    if step.choose == "first_free":
        buffers = [buffers[0]] * len(buffers)
    rows = [build.station_rows[station] for station in step.stations]
    dest = build.dest(tuple(zip(rows, buffers, strict=True)), _CHOOSE[step.choose])
    times = [_time_of(line, name, step, s) for s in step.stations]
    first_work = len(build.work)
    per_unit = product.lot_size if step.process_per == "unit" else 1
    for station, time in zip(step.stations, times, strict=True):
        shift_end = step.shift_end or line.stations[station].shift_end
        build.work.append(
            {
                "dist": build.dist(time),
                "mean_us": round(time.mean_us * per_unit),
                "shift_end": _END[shift_end],
            }
        )
    quality = _quality(build, name, product, number, step)
    uses = uses_of(product)[number]
    first_use, n_uses = build.quantities(kit(line, product, uses))
    makes = {made: _lots(line, made, count) for made, count in step.makes.items()}
    first_make, n_makes = build.quantities(makes)
    stream = build.stream("process", name, step.operation, of=times)
    ready_made = build.stream_kinds[stream] == t.TIMES and per_unit == 1
    build.operations.append(step.operation)
    build.steps.append(
        {
            "product": build.product_rows[name],
            "next": _next_step(build, name, product, number),
            "dest": dest,
            "first_work": first_work,
            "first_target": build.dests[dest]["first_target"],
            "only_dist": build.work[first_work]["dist"],
            "only_us": _only_us(times, per_unit),
            "only_station": rows[0] if len(rows) == 1 else -1,
            "only_buffer": buffers[0] if len(rows) == 1 else -1,
            "first_use": first_use,
            "n_uses": n_uses,
            "first_make": first_make,
            "n_makes": n_makes,
            "together": step.makes_together,
            "process_stream": stream,
            "times_stream": stream if ready_made else -1,
            "quality_stream": build.stream("quality", name, step.operation),
            "transport_stream": build.stream("transport", name, step.operation),
            "transport": -1 if step.transport is None else build.dist(step.transport),
            "per_unit": per_unit,
            "left_us": _work_left(line, name, product, number),
            **quality,
        }
    )


def _step_buffer(build: Build, step: Step, name: str) -> int:
    if step.buffer is not None:
        return build.buffer_rows[step.buffer]
    return build.buffer_of(name, build.line.stations[name].buffer)


def _time_of(line: Line, product: str, step: Step, station: str) -> Distribution:
    """Return a processing time that `check` has found to exist."""
    time = process_time(line, product, step, station)
    assert time is not None, f"{step.operation} has no processing time at {station}"
    return time


def _only_us(times: list[Distribution], n_units: int) -> int:
    """Return the time of an operation that takes always the same, or -1."""
    if len(set(times)) == 1 and times[0].kind == "constant":
        return int(times[0].parameters[0]) * n_units
    return -1


def kit(line: Line, product: Product, uses: dict[str, int]) -> dict[str, int]:
    """Return the parts that one part of a product takes of what is made on the line."""
    return {
        name: _lots(line, name, count * product.lot_size)
        for name, count in uses.items()
        if not product.bom[name].bought
    }


def _lots(line: Line, name: str, n_units: int) -> int:
    """Return the parts of a product that hold a number of its units."""
    return -(-n_units // line.products[name].lot_size)


def _next_step(build: Build, name: str, product: Product, number: int) -> int:
    following = next_operation(product, number)
    return -1 if following is None else build.first_steps[name] + following


def _work_left(line: Line, name: str, product: Product, number: int) -> int:
    steps = [step for step in product.route[number:] if not step.rework_only]
    return round(sum(_time_of(line, name, s, s.stations[0]).mean_us for s in steps))


def _quality(
    build: Build, name: str, product: Product, number: int, step: Step
) -> dict[str, float]:
    inspection = step.inspection
    if inspection is None:
        return {
            "inspected": 1 if step.defect else 0,
            "defect": step.defect,
            "good": 1.0,
        }
    good = inspection.pass_
    target = number
    if inspection.rework_to:
        target = [s.operation for s in product.route].index(inspection.rework_to)
    limit, priority = inspection.rework_limit, inspection.rework_priority
    return {
        "inspected": 2,
        "defect": step.defect,
        "good": 1.0 if good is None else good,
        "rework_share": rework_share(inspection),
        "rework_to": build.first_steps[name] + target,
        "rework_limit": -1 if limit is None else limit,
        "rework_priority": t.NEVER if priority is None else priority,
        "false_accept": inspection.false_accept,
        "false_reject": inspection.false_reject,
    }
