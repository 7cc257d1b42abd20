"""The facility location form of lot sizing, as arrays in HiGHS.

Columns: a setup for each item and period (a binary), the share of an item's demand of
one period that is made in another one before or in it, and overtime for each period.
Rows: every demand is made; the work of a period is within its capacity and overtime; a
share is no more than its setup; overtime in all has a limit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from linewright.plan._highs import new_highs, require_highs

if TYPE_CHECKING:
    from linewright.plan.lots import Lots

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_GAP = 1e-7


@dataclass(frozen=True, slots=True)
class Solved:
    """What HiGHS found.

    Attributes:
        values: Value of every column, or none where no solution was found.
        objective: Its cost, or infinite.
        bound: No solution costs less; infinite where there is proven to be none.
    """

    values: Floats | None
    objective: float
    bound: float


class LotModel:
    """The model with its columns; one HiGHS instance that is solved again and again."""

    def __init__(self, lots: Lots) -> None:
        self.lots = lots
        self.n_items, self.n_periods = lots.demand.shape
        item, due = np.nonzero(lots.demand > 0)
        repeats = due + 1
        self.item = np.repeat(item, repeats)
        self.due = np.repeat(due, repeats)
        self.made = np.concatenate(
            [np.arange(r) for r in repeats] or [np.zeros(0, int)]
        )
        self.n_setups = self.n_items * self.n_periods
        self.n_shares = len(self.item)
        self.n_columns = self.n_setups + self.n_shares + self.n_periods
        self.amount = lots.demand[self.item, self.due]
        self.costs = self._costs()
        highspy = require_highs()
        self._highs = new_highs(highspy)
        self._integer = highspy.HighsVarType.kInteger
        self._continuous = highspy.HighsVarType.kContinuous
        self._Solution = highspy.HighsSolution
        self._status = highspy.HighsModelStatus
        self._highs.passModel(self._model(highspy))
        self._limit_row = self._highs.getNumRow() - 1

    @property
    def setups(self) -> slice:
        """Return the columns of setups, by item and then by period."""
        return slice(0, self.n_setups)

    @property
    def shares(self) -> slice:
        """Return the columns of shares."""
        return slice(self.n_setups, self.n_setups + self.n_shares)

    @property
    def overtime(self) -> slice:
        """Return the columns of overtime."""
        return slice(self.n_setups + self.n_shares, self.n_columns)

    def _costs(self) -> Floats:
        lots = self.lots
        holding = lots.holding_cost[self.item] * (self.due - self.made) * self.amount
        setups = np.repeat(lots.setup_cost, self.n_periods)
        return np.concatenate([setups, holding, np.zeros(self.n_periods)])

    def _model(self, highspy: Any) -> Any:
        rows, lower, upper = self._rows()
        model = highspy.HighsLp()
        model.num_col_ = self.n_columns
        model.num_row_ = rows.shape[0]
        model.col_cost_ = self.costs
        model.col_lower_ = np.zeros(self.n_columns)
        ones = np.ones(self.n_columns - self.n_periods)
        model.col_upper_ = np.append(ones, np.full(self.n_periods, highspy.kHighsInf))
        model.row_lower_ = np.where(np.isinf(lower), -highspy.kHighsInf, lower)
        model.row_upper_ = np.where(np.isinf(upper), highspy.kHighsInf, upper)
        model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        model.a_matrix_.start_ = rows.indptr
        model.a_matrix_.index_ = rows.indices
        model.a_matrix_.value_ = rows.data
        kinds = [self._continuous] * self.n_columns
        kinds[self.setups] = [self._integer] * self.n_setups
        model.integrality_ = kinds
        return model

    def _rows(self) -> tuple[Any, Floats, Floats]:
        from scipy import sparse  # noqa: PLC0415 - slow, and not for all plans

        lots, n = self.lots, self.n_shares
        share = np.arange(n)
        # every demand is made
        demands, of = np.unique(
            self.item * self.n_periods + self.due, return_inverse=True
        )
        shape = (len(demands), n)
        met = sparse.csr_array((np.ones(n), (of, share)), shape=shape)
        none = sparse.csr_array((len(demands), self.n_setups))
        no_over = sparse.csr_array((len(demands), self.n_periods))
        blocks = [sparse.hstack([none, met, no_over])]
        # the work of a period
        work = lots.unit_time[self.item] * self.amount
        shape = (self.n_periods, n)
        making = sparse.csr_array((work, (self.made, share)), shape=shape)
        setting = sparse.hstack(
            [t * sparse.identity(self.n_periods) for t in lots.setup_time]
        )
        over = -sparse.identity(self.n_periods)
        blocks.append(sparse.hstack([setting, making, over]))
        # a share is no more than its setup
        setup = self.item * self.n_periods + self.made
        shape = (n, self.n_setups)
        most = sparse.csr_array((-np.ones(n), (share, setup)), shape=shape)
        no_over = sparse.csr_array((n, self.n_periods))
        blocks.append(sparse.hstack([most, sparse.identity(n), no_over]))
        # overtime in all
        start = sparse.csr_array((1, self.n_setups + n))
        blocks.append(sparse.hstack([start, np.ones((1, self.n_periods))]))
        one = np.ones(len(demands))
        inf = math.inf
        lower = np.concatenate([one, np.full(self.n_periods + n + 1, -inf)])
        upper = np.concatenate([one, lots.capacity, np.zeros(n), [inf]])
        return sparse.csr_array(sparse.vstack(blocks)), lower, upper

    # ------------------------------------------------------------ what is asked

    def price_overtime(self, price: float) -> None:
        """Make a unit of overtime cost so much."""
        self.costs[self.overtime] = price
        self._change_costs(self.costs)

    def only_overtime(self) -> None:
        """Leave nothing in the cost but overtime, at one each."""
        costs = np.zeros(self.n_columns)
        costs[self.overtime] = 1
        self._change_costs(costs)

    def _change_costs(self, costs: Floats) -> None:
        every = np.arange(self.n_columns, dtype=np.int32)
        self._highs.changeColsCost(self.n_columns, every, costs)

    def limit_overtime(self, most: float) -> None:
        """Allow so much overtime in all."""
        self._highs.changeRowBounds(self._limit_row, -math.inf, most)

    def solve(
        self, seconds: float, start: Floats | None = None, gap: float = _GAP
    ) -> Solved:
        """Solve the model as it is.

        Args:
            seconds: Time limit.
            start: A solution to begin from.
            gap: Part of the cost by which the solution may be above the bound.
        """
        highs = self._highs
        highs.clearSolver()
        highs.setOptionValue("time_limit", float(max(seconds, 0.01)))
        highs.setOptionValue("mip_rel_gap", gap)
        if start is not None:
            solution = self._Solution()
            solution.col_value = start.tolist()
            highs.setSolution(solution)
        highs.run()
        return self._solved()

    def _solved(self) -> Solved:
        highs = self._highs
        status = highs.getModelStatus()
        if status == self._status.kInfeasible:
            return Solved(None, math.inf, math.inf)
        info = highs.getInfo()
        has_plan = info.primal_solution_status == 2
        values = np.array(highs.getSolution().col_value) if has_plan else None
        objective = info.objective_function_value if has_plan else math.inf
        bound = info.mip_dual_bound
        return Solved(values, objective, bound if math.isfinite(bound) else -math.inf)

    def relaxed(self, seconds: float) -> Solved:
        """Solve with setups as shares of one; the bound is the value, if solved."""
        self.let(integer=np.zeros(self.n_setups, dtype=bool))
        highs = self._highs
        highs.setOptionValue("time_limit", float(max(seconds, 0.01)))
        highs.run()
        status = highs.getModelStatus()
        values = np.array(highs.getSolution().col_value)
        objective = highs.getInfo().objective_function_value
        self.let(integer=np.ones(self.n_setups, dtype=bool))
        if status == self._status.kInfeasible:
            return Solved(None, math.inf, math.inf)
        if status != self._status.kOptimal:
            return Solved(None, math.inf, -math.inf)
        return Solved(values, objective, objective)

    def let(
        self, integer: NDArray[np.bool_] | None = None, fixed: Floats | None = None
    ) -> None:
        """Say which setups are whole, and which are fixed at a value (else nan)."""
        every = np.arange(self.n_setups, dtype=np.int32)
        if integer is not None:
            kinds = np.where(integer, int(self._integer), int(self._continuous))
            self._highs.changeColsIntegrality(
                self.n_setups, every, kinds.astype(np.uint8)
            )
        if fixed is not None:
            low = np.where(np.isnan(fixed), 0.0, fixed)
            high = np.where(np.isnan(fixed), 1.0, fixed)
            self._highs.changeColsBounds(self.n_setups, every, low, high)
