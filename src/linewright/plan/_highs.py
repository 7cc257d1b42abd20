"""HiGHS, as arrays: one linear or mixed-integer program that is solved again and again.

`Rows` gathers a program; `Solver` passes it on once, and then bounds and costs change.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linewright.errors import LinewrightError

__all__ = ["Rows", "Solution", "Solver", "new_highs", "require_highs"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def require_highs() -> Any:
    """Return the module of HiGHS, or say which extra has it."""
    try:
        import highspy  # noqa: PLC0415 - an extra
    except ImportError as error:
        msg = "plans need highspy; install with: pip install 'linewright[plan]'"
        raise LinewrightError(msg) from error
    return highspy


def new_highs(highspy: Any) -> Any:
    """Return a solver that prints nothing.

    Turning its callbacks on, which no one here needs, prints who made it before it
    can be told to be quiet.
    """
    quiet = type("Quiet", (highspy.Highs,), {"enableCallbacks": lambda self: None})
    highs = quiet()
    highs.setOptionValue("output_flag", False)
    highs.setOptionValue("threads", 1)
    return highs


_NO_LIMIT = 2**31 - 1
_STEPS = 300  # of the simplex method from a basis that is close, nearly always enough


class Rows:
    """A program in the making: columns with costs and bounds, rows with two sides."""

    def __init__(self) -> None:
        self.cost: list[float] = []
        self.low: list[float] = []
        self.high: list[float] = []
        self.is_whole: list[bool] = []
        self.row_low: list[float] = []
        self.row_high: list[float] = []
        self._starts = [0]
        self._index: list[int] = []
        self._value: list[float] = []

    def columns(
        self,
        n: int,
        cost: float | Sequence[float] | Floats = 0.0,
        low: float | Sequence[float] | Floats = 0.0,
        high: float | Sequence[float] | Floats = math.inf,
        *,
        is_whole: bool = False,
    ) -> Ints:
        """Add columns and return their numbers; costs and bounds of all, or of each."""
        first = len(self.cost)
        for there, values in ((self.cost, cost), (self.low, low), (self.high, high)):
            there.extend(np.broadcast_to(np.asarray(values, float), n).tolist())
        self.is_whole.extend([is_whole] * n)
        return np.arange(first, first + n)

    def row(
        self,
        terms: Mapping[int, float],
        low: float = -math.inf,
        high: float = math.inf,
    ) -> int:
        """Add a row, `low <= sum of terms <= high`, and return its number."""
        for column, value in terms.items():
            if value:
                self._index.append(int(column))
                self._value.append(float(value))
        self._starts.append(len(self._index))
        self.row_low.append(low)
        self.row_high.append(high)
        return len(self.row_low) - 1

    def passed_to(self, highspy: Any, highs: Any) -> None:
        """Give the program to HiGHS."""
        model = highspy.HighsLp()
        inf = highspy.kHighsInf
        model.num_col_, model.num_row_ = len(self.cost), len(self.row_low)
        model.col_cost_ = np.array(self.cost)
        model.col_lower_ = np.clip(self.low, -inf, inf)
        model.col_upper_ = np.clip(self.high, -inf, inf)
        model.row_lower_ = np.clip(self.row_low, -inf, inf)
        model.row_upper_ = np.clip(self.row_high, -inf, inf)
        model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        model.a_matrix_.start_ = np.array(self._starts, np.int32)
        model.a_matrix_.index_ = np.array(self._index, np.int32)
        model.a_matrix_.value_ = np.array(self._value)
        highs.passModel(model)


@dataclass(frozen=True, slots=True)
class Solution:
    """What HiGHS found.

    Attributes:
        status: ``optimal``; ``feasible``, a plan with a gap; ``infeasible``; or
            ``unknown``, where the time was over before anything was known.
        values: Value of every column, or none where no solution was found.
        objective: Its cost, or infinite.
        bound: No solution costs less; infinite where there is proven to be none.
    """

    status: str
    values: Floats | None
    objective: float
    bound: float


class Solver:
    """A program in HiGHS."""

    def __init__(self, rows: Rows) -> None:
        highspy = require_highs()
        self._highspy, self._highs = highspy, new_highs(highspy)
        rows.passed_to(highspy, self._highs)
        self.n_columns = len(rows.cost)
        self.cost = np.array(rows.cost)
        self.is_whole = np.array(rows.is_whole, bool)
        self._price = self.cost
        self._basis: Any = None
        statuses = highspy.HighsModelStatus
        self._known = (
            statuses.kOptimal,
            statuses.kInfeasible,
            statuses.kUnboundedOrInfeasible,
            statuses.kTimeLimit,
        )
        self._row_low, self._row_high = list(rows.row_low), list(rows.row_high)

    def price(self, cost: Floats) -> None:
        """Give every column another cost."""
        every = np.arange(self.n_columns, dtype=np.int32)
        self._price = np.asarray(cost, float)
        self._highs.changeColsCost(self.n_columns, every, self._price)

    def bound(self, columns: Ints, low: Floats | float, high: Floats | float) -> None:
        """Give columns other bounds."""
        n = len(columns)
        lows = np.broadcast_to(np.asarray(low, float), n)
        highs = np.broadcast_to(np.asarray(high, float), n)
        inf = self._highspy.kHighsInf
        self._highs.changeColsBounds(
            n,
            np.asarray(columns, np.int32),
            np.ascontiguousarray(lows.clip(-inf, inf)),
            np.ascontiguousarray(highs.clip(-inf, inf)),
        )

    def cap(self, most: float | None) -> None:
        """Limit the cost of the program as it was made; none: no longer."""
        last = len(self._row_low)
        if self._highs.getNumRow() > last:
            self._highs.deleteRows(1, np.array([last], np.int32))
        self._basis = None
        if most is not None:
            there = np.flatnonzero(self.cost)
            self._highs.addRow(
                -self._highspy.kHighsInf,
                most,
                len(there),
                there.astype(np.int32),
                self.cost[there],
            )

    def drop(self, row: int) -> None:
        """Let a row not bind."""
        inf = self._highspy.kHighsInf
        self._highs.changeRowBounds(row, -inf, inf)

    def keep(self, row: int) -> None:
        """Let a row bind again."""
        inf = self._highspy.kHighsInf
        low, high = self._row_low[row], self._row_high[row]
        self._highs.changeRowBounds(row, max(low, -inf), min(high, inf))

    def solve(self, seconds: float, *, whole: bool = True) -> Solution:
        """Solve the program as it is.

        No solution is given to begin from: HiGHS 1.16 then took some for the best whose
        cost it told wrong. A limit on the cost does as well. Where the simplex method
        gives up, or goes on for long, as it does on some programs without a solution,
        the interior point method is asked.

        Args:
            seconds: Time limit.
            whole: Whether whole columns have to be; else they may be fractions.
        """
        highs, whole = self._highs, whole and bool(self.is_whole.any())
        kinds = self.is_whole & whole
        every = np.arange(self.n_columns, dtype=np.int32)
        highs.changeColsIntegrality(self.n_columns, every, kinds.astype(np.uint8))
        seconds = max(float(seconds), 0.01)
        if not whole:
            return self._solved_with_fractions(seconds)
        highs.clearSolver()  # what is left of an earlier run does not help here
        self._run(seconds, _NO_LIMIT)
        found = self._found(whole)
        highs.clearSolver()
        return found

    def _solved_with_fractions(self, seconds: float) -> Solution:
        """Solve from the last basis, or by an interior point method if that is long."""
        highs = self._highs
        clock = highs.getRunTime()  # that of linear programs goes on
        steps = len(self._row_low) + 1000 if self._basis is None else _STEPS
        if self._basis is not None:
            highs.setBasis(self._basis)
        self._run(clock + seconds, steps)
        if highs.getModelStatus() in self._known:
            found = self._found(whole=False)
            if found.status == "optimal":
                self._basis = highs.getBasis()
            return found
        highs.clearSolver()
        highs.setOptionValue("solver", "ipm")
        self._run(clock + seconds, _NO_LIMIT)
        highs.setOptionValue("solver", "choose")
        return self._found(whole=False)

    def _run(self, time_limit: float, steps: int) -> None:
        self._highs.setOptionValue("time_limit", time_limit)
        self._highs.setOptionValue("mip_rel_gap", 1e-4)
        self._highs.setOptionValue("simplex_iteration_limit", steps)
        self._highs.run()

    def _found(self, whole: bool) -> Solution:
        highs, statuses = self._highs, self._highspy.HighsModelStatus
        status = highs.getModelStatus()
        if status in (statuses.kInfeasible, statuses.kUnboundedOrInfeasible):
            return Solution("infeasible", None, math.inf, math.inf)
        info = highs.getInfo()
        has_values = info.primal_solution_status == 2
        is_best = status == statuses.kOptimal
        if not has_values:
            bound = info.mip_dual_bound if whole else -math.inf
            return Solution("unknown", None, math.inf, _finite(bound))
        objective = info.objective_function_value
        bound = objective if is_best else -math.inf
        if whole:
            bound = _finite(info.mip_dual_bound)
        values = np.array(highs.getSolution().col_value)
        told, counted = objective, float(self._price @ values)
        if abs(told - counted) > 1e-5 * max(1.0, abs(counted)):
            return Solution("feasible", values, counted, -math.inf)  # and no more
        return Solution("optimal" if is_best else "feasible", values, objective, bound)


def _finite(bound: float) -> float:
    return bound if math.isfinite(bound) else -math.inf
