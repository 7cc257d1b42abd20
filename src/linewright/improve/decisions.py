"""Decisions on record: what was ratified, by whom and why, and what came of it.

A decision is an overlay file beside the model, written by the tool and never by hand,
and a line in ``decisions.jsonl`` that says who signed it, when, why, and what was
promised. What was realised later is another line. Nothing is ever changed or taken
away: the file only grows.
"""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linewright.errors import LinewrightError
from linewright.improve.changes import as_overlay
from linewright.model.load import load, model_hash, write_whole
from linewright.version import __version__

__all__ = [
    "LEDGER",
    "Decision",
    "DecisionError",
    "Realised",
    "ratify",
    "read_ledger",
    "realise",
]

LEDGER = "decisions.jsonl"


class DecisionError(LinewrightError):
    """A decision cannot be made, or the ledger cannot be read."""


@dataclass(frozen=True, slots=True)
class Realised:
    """What came of a decision.

    Attributes:
        on: Date.
        by: Who says so.
        value: The objective as it was measured afterwards, in its unit.
        note: Where that comes from.
    """

    on: str
    by: str
    value: float
    note: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What was ratified.

    Attributes:
        number: Counts from 1.
        on: Date.
        by: Who ratified it.
        reason: Why.
        overlay: File with the changes, beside the ledger.
        options: What was chosen.
        cost: What it costs.
        objective: What was to be improved, and its unit.
        base: The objective before, as it was simulated.
        promised: Gain: mean, low and high.
        confidence: Of that interval.
        guarantee: What was promised of the choice, in words.
        model_hash: Of the model before.
        changed_hash: Of the model with the changes.
        seed: Of the search.
        version: Of Linewright.
        realised: What came of it, in the order in which it was written down.
    """

    number: int
    on: str
    by: str
    reason: str
    overlay: str
    options: tuple[str, ...]
    cost: float
    objective: str
    base: float
    promised: tuple[float, float, float]
    confidence: float
    guarantee: str
    model_hash: str
    changed_hash: str
    seed: int
    version: str
    realised: tuple[Realised, ...] = ()

    @property
    def verdict(self) -> str:
        """Say whether the last realised gain lies where it was promised."""
        if not self.realised:
            return "not measured yet"
        gain = self.realised[-1].value - self.base
        _, low, high = self.promised
        if gain < low:
            return "less than promised"
        return "more than promised" if gain > high else "as promised"


def ratify(
    model: str | os.PathLike[str],
    proposal: Mapping[str, Any],
    *,
    by: str,
    reason: str,
    on: str,
) -> Decision:
    """Sign a proposal: write its overlay and a line in the ledger, both or neither.

    Args:
        model: Model file that the proposal is about.
        proposal: As `linewright improve --json` or its result folder says it.
        by: Who ratifies.
        reason: Why.
        on: Date, ``2027-03-01``.

    Raises:
        DecisionError: The model is no longer the one that the proposal is about,
            nothing is proposed, a name or reason is missing, or the date is none.
        ModelError: The model cannot be read.
    """
    path = Path(model)
    wrong = []
    if not by.strip():
        wrong.append("who ratifies it is missing (--by)")
    if not reason.strip():
        wrong.append("the reason is missing (--reason)")
    try:
        datetime.date.fromisoformat(on)
    except ValueError:
        wrong.append(f'"{on}" is no date; write it like 2027-03-01')
    try:
        improvement = proposal["improvement"]
        changes, now = improvement["changes"], improvement["model_hash"]
        gain = improvement["gain"]
    except (KeyError, TypeError):
        msg = "this is not a proposal of linewright improve"
        raise DecisionError(msg) from None
    if not changes:
        wrong.append("the proposal changes nothing")
    found = model_hash(load(path))
    if found != now:
        wrong.append(
            f"{path} has changed since (it is {found[:12]}, the proposal is about "
            f"{now[:12]}); run improve again"
        )
    if wrong:
        raise DecisionError("; ".join(wrong))
    decisions = read_ledger(path.parent)
    number = len(decisions) + 1
    overlay = f"decision-{number:03d}-{on}.yaml"
    row = {
        "kind": "ratified",
        "number": number,
        "on": on,
        "by": by.strip(),
        "reason": reason.strip(),
        "overlay": overlay,
        "options": improvement["chosen"],
        "cost": improvement["cost"],
        "objective": improvement["objective"],
        "base": improvement["base"]["mean"],
        "promised": [gain["mean"], gain["low"], gain["high"]],
        "confidence": gain["confidence"],
        "guarantee": improvement["guarantee"],
        "model_hash": now,
        "changed_hash": improvement["changed_hash"],
        "seed": improvement["seed"],
        "version": __version__,
    }
    target = path.parent / overlay
    if target.exists():
        msg = f"{target} is there already and belongs to no decision in {LEDGER}"
        raise DecisionError(msg)
    write_whole(target, _overlay_text(path.name, row, changes))
    try:
        _append(path.parent, row)
    except BaseException:
        target.unlink()
        raise
    return _decision(row)


def realise(
    folder: str | os.PathLike[str], number: int, realised: Realised
) -> Decision:
    """Write down what came of a decision.

    Raises:
        DecisionError: There is no such decision.
    """
    decisions = read_ledger(Path(folder))
    if not 1 <= number <= len(decisions):
        msg = f"there is no decision {number}; there are {len(decisions)}"
        raise DecisionError(msg)
    _append(
        Path(folder),
        {
            "kind": "realised",
            "number": number,
            "on": realised.on,
            "by": realised.by,
            "value": realised.value,
            "note": realised.note,
        },
    )
    return read_ledger(Path(folder))[number - 1]


def read_ledger(folder: str | os.PathLike[str]) -> list[Decision]:
    """Return all decisions beside a model, with what came of them.

    Raises:
        DecisionError: A line of the ledger cannot be read; the message says which.
    """
    path = Path(folder) / LEDGER
    if not path.exists():
        return []
    decisions: list[dict[str, Any]] = []
    realised: dict[int, list[Realised]] = {}
    for i, text in enumerate(path.read_text("utf-8").splitlines(), 1):
        try:
            row = json.loads(text)
            if row["kind"] == "ratified":
                decisions.append(row)
                _decision(row)
            else:
                said = Realised(row["on"], row["by"], row["value"], row["note"])
                realised.setdefault(row["number"], []).append(said)
        except (ValueError, KeyError, TypeError) as error:
            msg = f"{path}:{i}: this line of the ledger cannot be read: {error}"
            raise DecisionError(msg) from error
    return [_decision(row, tuple(realised.get(row["number"], ()))) for row in decisions]


def _decision(row: dict[str, Any], realised: tuple[Realised, ...] = ()) -> Decision:
    mean, low, high = row["promised"]
    return Decision(
        row["number"],
        row["on"],
        row["by"],
        row["reason"],
        row["overlay"],
        tuple(row["options"]),
        row["cost"],
        row["objective"],
        row["base"],
        (mean, low, high),
        row["confidence"],
        row["guarantee"],
        row["model_hash"],
        row["changed_hash"],
        row["seed"],
        row["version"],
        realised,
    )


def _append(folder: Path, row: dict[str, Any]) -> None:
    """Add a line to the ledger, whole or not at all."""
    path = folder / LEDGER
    before = path.read_text("utf-8") if path.exists() else ""
    if before and not before.endswith("\n"):
        before += "\n"
    write_whole(path, before + json.dumps(row, ensure_ascii=False) + "\n")


def _overlay_text(base: str, row: dict[str, Any], changes: Mapping[str, Any]) -> str:
    mean, low, high = row["promised"]
    said = [
        f"Decision {row['number']}, ratified on {row['on']} by {row['by']}.",
        f"Why: {row['reason']}",
        f"What: {', '.join(row['options'])}; cost {row['cost']:,.10g}.",
        f"Promised: {mean:+.4g} {row['objective']} ({low:+.4g} to {high:+.4g}, "
        f"{row['confidence']:.0%}) on {row['base']:.4g}.",
        f"Model {row['model_hash'][:12]} becomes {row['changed_hash'][:12]}; "
        f"seed {row['seed']}, Linewright {row['version']}.",
        f"Written by `linewright ratify`; {LEDGER} has the record.",
    ]
    return as_overlay(changes, base, said)
