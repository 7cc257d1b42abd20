"""Routes: the steps of a product, where each may be done, what it takes and makes.

A step becomes one row with its destination, its times, its kit and its verdict. What
always holds for it, such as one station or one constant time, is noted in the row, so
that the kernel does not find it out again for every part.
"""

from __future__ import annotations

from linewright import tables as t
from linewright.lower._build import Build
from linewright.lower._curves import lower_learning
from linewright.lower._stocks import lower_takes, what_is_taken
from linewright.model.distribution import Distribution
from linewright.model.line import Batch, EveryNth, Line, Product, Step
from linewright.model.meaning import (
    batch_of,
    is_sampled,
    next_operation,
    process_time,
    rework_share,
    uses_of,
)

_MISSED = {
    "count": t.MISSED_COUNT,
    "scrap": t.MISSED_SCRAP,
    "rework": t.MISSED_REWORK,
}
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
    whole = times[0]
    if step.cascade is not None:
        times = [step.cascade] * len(times)
    first_work = len(build.work)
    per_unit = product.lot_size if step.process_per == "unit" else 1
    n_units = 1 if step.cascade else per_unit
    for station, time in zip(step.stations, times, strict=True):
        shift_end = step.shift_end or line.stations[station].shift_end
        build.work.append(
            {
                "dist": build.dist(time),
                "mean_us": round(time.mean_us * n_units),
                "shift_end": _END[shift_end],
            }
        )
    quality = _quality(build, name, product, number, step)
    uses = uses_of(product)[number]
    first_use, n_uses = build.quantities(kit(line, product, uses))
    makes = {made: _lots(line, made, count) for made, count in step.makes.items()}
    first_make, n_makes = build.quantities(makes)
    batch = batch_of(line, step)
    in_batch = batch is not None and step.process_per == "unit"
    word = "cascade" if step.cascade else "process"
    curve = lower_learning(build, step)
    stations = [line.stations[station] for station in step.stations]
    scaled = curve >= 0 or any(s.ramp_up and s.ramp_up.speed for s in stations)
    ramps_good = any(s.ramp_up and s.ramp_up.good for s in stations)
    stream = build.stream(word, name, step.operation, of=() if step.cascade else times)
    ready_made = build.stream_kinds[stream] == t.TIMES and n_units == 1
    ready_made = ready_made and not in_batch and not scaled
    build.operations.append(step.operation)
    build.steps.append(
        {
            "product": build.product_rows[name],
            "next": _next_step(build, name, product, number),
            "dest": dest,
            "first_work": first_work,
            "first_target": build.dests[dest]["first_target"],
            "only_dist": build.work[first_work]["dist"],
            "only_us": -1 if in_batch or scaled else _only_us(times, n_units),
            "scaled": scaled,
            "curve": curve,
            "scaled_good": ramps_good and quality["good"] < 1,
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
            "per_unit": -per_unit if in_batch else per_unit,
            "left_us": _work_left(line, name, product, number),
            **quality,
            "inspected": max(quality["inspected"], int(ramps_good)),
            **_batch(build, name, step, batch),
            **_after(build, name, step, whole),
            **_sample(build, name, step),
            **_limits(build, name, product, step),
            **_by_vehicle(build, name, step),
            **lower_takes(build, name, product, number),
        }
    )


def _batch(
    build: Build, name: str, step: Step, batch: Batch | None
) -> dict[str, float]:
    """Return who shares a batch with a part at a step, how many, and how long it waits.

    Steps of a route that products share are one step here.
    """
    if batch is None:
        return {"batch_group": -1}
    product = build.line.products[name]
    kinds = {
        "step": (product.route_of or name, step.operation),
        "operation": step.operation,
        "family": step.family or product.family or name,
        "any": "any",
    }
    key = (batch.mix, kinds[batch.mix])
    group = build.batch_groups.setdefault(key, len(build.batch_groups))
    wait = batch.longest_wait
    return {
        "batch_group": group,
        "batch_min": batch.min,
        "batch_max": batch.max,
        "batch_wait": t.NEVER if wait is None else wait,
    }


def _after(
    build: Build, name: str, step: Step, whole: Distribution
) -> dict[str, float]:
    """Return how long a part goes on in the machine, and rests, after a step."""
    out = {"cascade": -1.0, "rest": -1.0, "family": -1.0}
    if step.family:
        out["family"] = build.families[step.family]
    if step.cascade is not None:
        out["cascade"] = build.dist(whole)
        out["cascade_stream"] = build.stream("process", name, step.operation)
    if step.rest is not None:
        out["rest"] = build.dist(step.rest)
        out["rest_stream"] = build.stream("rest", name, step.operation)
    stations = [build.line.stations[station] for station in step.stations]
    if any(station.load for station in stations):
        out["load_stream"] = build.stream("load", name, step.operation)
    if any(station.unload for station in stations):
        out["unload_stream"] = build.stream("unload", name, step.operation)
    return out


def _by_vehicle(build: Build, name: str, step: Step) -> dict[str, float]:
    """Return the streams of picking a part up for a step, and of putting it down."""
    if not build.line.vehicles:
        return {}
    return {
        "fetch_stream": build.stream("pick up", name, step.operation),
        "drop_stream": build.stream("put down", name, step.operation),
    }


def _sample(build: Build, name: str, step: Step) -> dict[str, float]:
    """Return which parts visit a step."""
    out: dict[str, float] = {"sampled": is_sampled(step), "sample": 1.0}
    if isinstance(step.sample, EveryNth):
        out["every_nth"] = step.sample.every
    elif is_sampled(step):
        out["sample"] = step.sample
        out["sample_stream"] = build.stream("sample", name, step.operation)
    return out


def _limits(build: Build, name: str, product: Product, step: Step) -> dict[str, float]:
    """Return what a step remembers of a part, and what it is held to."""
    out = {"same_slot": -1, "limit_slot": -1, "server_slot": -1, "time_slot": -1}
    slots = memory_slots(build, name)
    build.n_slots = max(build.n_slots, len(slots))
    out["aside_slot"] = slots.get(("aside", step.operation), -1)
    out["server_slot"] = slots.get(("server", step.operation), -1)
    out["time_slot"] = slots.get(("time", step.operation), -1)
    if step.same_server_as:
        out["same_slot"] = slots["server", step.same_server_as]
    if limit := step.time_limit:
        out["limit_slot"] = slots["time", limit.after]
        out["limit_us"] = limit.within
        out["missed"] = _MISSED[limit.missed]
        back = [s.operation for s in product.route].index(
            limit.rework_to or limit.after
        )
        out["late_to"] = build.first_steps[name] + back
    return dict(out)


def memory_slots(build: Build, name: str) -> dict[tuple[str, str], int]:
    """Return where a part remembers the server, or the end, of an operation.

    And what it holds of the stocks.
    """
    if name not in build.slots:
        wanted = [("stock", taken.stock) for taken in what_is_taken(build, name)]
        for step in build.line.products[name].route:
            if step.same_server_as:
                wanted.append(("server", step.same_server_as))
            if step.time_limit:
                wanted.append(("time", step.time_limit.after))
            if build.line.stations[step.stations[0]].preempt != "never":
                wanted.append(("aside", step.operation))
                wanted.append(("aside total", step.operation))
        build.slots[name] = {what: i for i, what in enumerate(dict.fromkeys(wanted))}
    return build.slots[name]


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
    following = next_operation(product, number)
    asks = following is not None and is_sampled(product.route[following])
    asks |= ("time", step.operation) in memory_slots(build, name)
    if inspection is None:
        return {
            "inspected": 1 if step.made_bad or step.characteristics or asks else 0,
            "defect": step.made_bad,
            "good": 1.0,
        }
    good = inspection.pass_
    target = number
    if inspection.rework_to:
        target = [s.operation for s in product.route].index(inspection.rework_to)
    limit, priority = inspection.rework_limit, inspection.rework_priority
    return {
        "inspected": 2,
        "defect": step.made_bad,
        "good": 1.0 if good is None else good,
        "rework_share": rework_share(inspection),
        "rework_to": build.first_steps[name] + target,
        "rework_limit": -1 if limit is None else limit,
        "rework_priority": t.NEVER if priority is None else priority,
        "false_accept": inspection.false_accept,
        "false_reject": inspection.false_reject,
    }
