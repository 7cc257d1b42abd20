"""Serial lines: exponential, unreliable, phase-type, and slotted ones."""

from __future__ import annotations

import math
import re
from typing import Any

from tests.exact.row import (
    Row,
    breakdown,
    erlang,
    exponential,
    fractions,
    hyperexponential,
    levels_of,
    make_line,
    not_zero,
    numbers,
    optional,
    read_table,
    relaxation_time,
    serial_line,
    station_names,
    whole_numbers,
)


def _serial_exponential() -> list[Row]:
    found = []
    for case in read_table("serial_exponential"):
        rates, buffers = numbers(case["mu"]), whole_numbers(case["B"])
        name = f"serial_exponential {case['case_id']}"
        stations = station_names(len(rates))
        expected = {
            "throughput": float(case["throughput"]),
            "wip": float(case["wip"]),
            **fractions(case, stations, ("busy", "blocked", "empty")),
        }
        if case["buffer_mean"]:
            expected |= levels_of(case, stations[1:])
        found.append(
            Row(
                name,
                serial_line(name, [exponential(mu) for mu in rates], buffers),
                ("part",),
                not_zero(expected),
                utilization=float(case["throughput"]) / min(rates),
                output_variance_rate=optional(case["output_variance_rate"]),
                relaxation=relaxation_time(sum(buffers) + len(rates), 1 / min(rates)),
                n_steps=len(rates),
            )
        )
    return found


def _serial_unreliable() -> list[Row]:
    found = []
    for case in read_table("serial_unreliable_exponential"):
        rates, buffers = numbers(case["mu"]), whole_numbers(case["B"])
        fails, repairs = numbers(case["fail_rate"]), numbers(case["repair_rate"])
        # ODF, operation-dependent: the clock runs while processing; TDF, time-dependent
        # in the table's sense: it runs whenever the station is up. A blocked part
        # leaves when room appears even while its TDF station is down (the table's
        # values follow from that reading and from no other).
        odf = case["failure"] == "ODF"
        stops = [
            breakdown(p, r, "processing" if odf else "operating")
            for p, r in zip(fails, repairs, strict=True)
        ]
        name = f"serial_unreliable_exponential {case['case_id']}"
        stations = station_names(len(rates))
        columns = ("busy", "blocked", "empty", "down") if odf else ("busy", "down")
        expected = {
            "throughput": float(case["throughput"]),
            "wip": float(case["wip"]),
            **fractions(case, stations, columns),
            **levels_of(case, stations[1:]),
        }
        slow = max(1 / mu + 2 / r for mu, r in zip(rates, repairs, strict=True))
        found.append(
            Row(
                name,
                serial_line(name, [exponential(mu) for mu in rates], buffers, stops),
                ("part",),
                not_zero(expected),
                utilization=max(numbers(case["busy"])),
                output_variance_rate=optional(case["output_variance_rate"]),
                relaxation=relaxation_time(sum(buffers) + len(rates), slow),
                n_steps=len(rates),
            )
        )
    return found


_PHASE = re.compile(
    r"(?:Erlang-(\d+)|H2(?: balanced means,)?|exponential)[ ,]*"
    r"mean ([\d.]+)(?:,? scv (\d+))?"
)


def _phase_type(text: str) -> tuple[str, float]:
    """Return the distribution that a table describes in words, and its squared cv."""
    match = _PHASE.match(text.strip())
    assert match, text
    mean = float(match[2])
    if match[1]:
        return erlang(mean, int(match[1])), 1 / int(match[1])
    if match[3]:
        return hyperexponential(mean, float(match[3])), float(match[3])
    return exponential(1 / mean), 1.0


def _serial_phase_type() -> list[Row]:
    found = []
    for case in read_table("serial_phase_type"):
        buffers = whole_numbers(case["B"])
        n = len(buffers) + 1
        text = case["service"]
        words = [text] * n if "every station" in text else text.split("|")
        service = [_phase_type(word) for word in words]
        name = f"serial_phase_type {case['case_id']}"
        stations = station_names(n)
        expected = {
            "throughput": float(case["throughput"]),
            "wip": float(case["wip"]),
            **fractions(case, stations, ("busy", "blocked", "empty")),
            **levels_of(case, stations[1:]),
        }
        scv = max(1.0, *(s[1] for s in service))
        found.append(
            Row(
                name,
                serial_line(name, [s[0] for s in service], buffers),
                ("part",),
                not_zero(expected),
                utilization=max(numbers(case["busy"])),
                output_variance_rate=optional(case["output_variance_rate"]),
                relaxation=relaxation_time(sum(buffers) + n, scv),
                n_steps=n,
            )
        )
    return found


def _geometric(success: float, offset_us: int) -> dict[str, Any]:
    """Return a geometric number of minutes, 1, 2, …, moved by some microseconds."""
    n = math.ceil(math.log(1e-10) / math.log(1 - success))
    weights = [success * (1 - success) ** k for k in range(n)]
    weights[-1] += 1 - math.fsum(weights)
    values = [f"{k * 60_000_000 + offset_us} us" for k in range(1, n + 1)]
    return {"discrete": {"values": values, "weights": weights}}


def _slotted_scv(fail: float, repair: float) -> float:
    """Return the squared cv of the slots that one part takes on its own station."""
    variance = fail * (2 - repair) / repair**2 - (fail / repair) ** 2
    return variance / (1 + fail / repair) ** 2


def _slotted() -> list[Row]:
    """Return two stations with a deterministic cycle in Gershwin's slot order.

    In each slot of one minute a station that has a part and room ahead fails with
    probability p, else makes the part; a failed one is repaired with probability r. It
    does not start without room: blocking before service. Here a station fails one
    microsecond into the slot, starts that part anew after the repair, and is repaired
    one microsecond before a full number of slots, so all stations stay in step and no
    two events that matter are simultaneous. The table's buffer N holds the part being
    processed too, so it is N - 1 places in front of a station.

    Source:
        Gershwin (1994), Manufacturing Systems Engineering, chapter 3.
    """
    found = []
    for case in read_table("deterministic_slotted_lines"):
        name = f"deterministic_slotted_lines {case['case_id']}"
        places = whole_numbers(case["N"])
        repairs, fails = numbers(case["r"]), numbers(case["p"])
        names = station_names(len(repairs))
        if len(names) > 2:
            continue  # see NOT_EXPRESSIBLE
        stations: dict[str, dict[str, Any]] = {}
        for k, station in enumerate(names):
            stop = {
                "every": _geometric(fails[k], 1),
                "repair": _geometric(repairs[k], -1),
                "part": "restart",
            }
            stations[station] = {
                "process": "1 min",
                "blocking": "before_service",
                "failures": {"breakdown": stop},
            }
            if k:
                stations[station]["buffer"] = places[k - 1] - 1
        throughput = float(case["throughput"])
        down = [p / r for p, r in zip(fails, repairs, strict=True)]
        # Each part costs a slot and p / r slots of repair, at every station; the first
        # one's part is not in the table's buffers.
        expected = {
            "throughput": throughput,
            "wip": math.fsum(numbers(case["buffer_mean"])) + throughput * (1 + down[0]),
            **{f"busy:{s}": throughput for s in names},
            **{f"down:{s}": throughput * x for s, x in zip(names, down, strict=True)},
        }
        # Parts come out a little less regularly than from one station.
        scv = 1.6 * max(_slotted_scv(p, r) for p, r in zip(fails, repairs, strict=True))
        found.append(
            Row(
                name,
                make_line(name, stations, {"part": {"route": names}}),
                ("part",),
                expected,
                utilization=throughput,
                variability=scv,
                relaxation=relaxation_time(sum(places), 2 / min(repairs)),
                n_steps=len(names),
            )
        )
    return found


def rows() -> list[Row]:
    """Return the rows of the four tables of serial lines."""
    return [
        *_serial_exponential(),
        *_serial_unreliable(),
        *_serial_phase_type(),
        *_slotted(),
    ]
