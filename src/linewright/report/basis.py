"""What the intervals of a result stand on, in words: replications, or one long run.

The command and the brief say it alike. Results written before there were batch means
have neither their manifest key nor their columns, and are read as they were meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from linewright.report.words import clean, counted, name, time_scale

__all__ = ["interval_words", "is_one_run", "of_one_run"]

_MEASURES = {
    "throughput_per_h": "the throughput of",
    "throughput_total_per_h": "the throughput of",
    "wip_mean": "the WIP of",
    "level_mean": "the level of",
}


def is_one_run(manifest: Mapping[str, Any]) -> bool:
    """Return whether the intervals are batch means of the only replication."""
    return manifest.get("interval_method") == "batch_means"


def interval_words(manifest: Mapping[str, Any]) -> str:
    """Return what ± is, such as ``the 95% interval``; empty where there is none."""
    confidence = f"{float(manifest.get('confidence') or 0.95):.0%}"
    if is_one_run(manifest):
        return f"the {confidence} confidence interval by batch means of this one run"
    if int(manifest.get("replications") or 1) > 1:
        return f"the {confidence} confidence interval"
    return ""


def of_one_run(
    manifest: Mapping[str, Any], summary: Iterable[Mapping[str, Any]]
) -> list[str]:
    """Return sentences on the intervals of a single run and on those that it lacks.

    Args:
        manifest: Manifest of the result.
        summary: Rows of its table `summary`.
    """
    if int(manifest.get("replications") or 1) > 1:
        return []
    if manifest.get("study") == "terminating":
        return ["One replication of a terminating study has no interval."]
    rows = [row for row in summary if row["measure"] in _MEASURES]
    found = []
    if is_one_run(manifest):
        n_batches = max(row["batches"] for row in rows)
        seconds = manifest["batch_us"] / 1e6
        length = time_scale([seconds]).with_unit(seconds)
        found.append(
            f"Intervals are batch means of one run: {n_batches} batches of {length} "
            "after the warm-up, tested for correlation. They are of throughput, parts "
            "in the line and buffer levels; other figures have none."
        )
    lacking = [row for row in rows if row.get("no_interval")]
    if lacking:
        first = lacking[0]
        entity = name(first["entity"] or "", 36) or "the line"
        more = len(lacking) - 1
        rest = (
            f" {counted(more, 'more estimate')} of this kind without." if more else ""
        )
        found.append(
            f"No interval for {_MEASURES[first['measure']]} {entity}: "
            f"{clean(first['no_interval'])}.{rest} Make the run longer, or run more "
            "replications."
        )
    return found
