"""From dated orders to jobs: the lots that are made, and what each is built into.

An order of a product is as many lots as its units fill. A lot of a product with
components on the line needs lots of those, level by level, less what lies in stock,
which the earliest due order takes first. Every lot is a job of its own, and knows the
job that it goes into: in the line any unit of a component serves, and a schedule that
holds for these pairs holds for all.
"""

from __future__ import annotations

from dataclasses import dataclass

from linewright.lower._routes import kit
from linewright.model.line import Line
from linewright.model.meaning import uses_of
from linewright.schedule.orders import DatedOrder
from linewright.schedule.problem import NEVER

__all__ = ["MOST_JOBS", "Job", "jobs_of"]

MOST_JOBS = 200_000
"""Jobs of one schedule at most; more is taken for a slip of the pen."""


@dataclass(frozen=True, slots=True)
class Job:
    """One lot of a product on its way through the line.

    Attributes:
        order: Row of the order.
        product: What it is.
        number: Its number among the parts of its product, from 0.
        parent: Job that it is built into, or -1: it leaves the line.
        at_step: Place in the parent's route of the operation that takes it.
    """

    order: int
    product: str
    number: int
    parent: int = -1
    at_step: int = -1


def jobs_of(line: Line, orders: tuple[DatedOrder, ...]) -> tuple[Job, ...]:
    """Return the jobs of orders, each order's together, parents before components.

    Args:
        line: The line.
        orders: Its orders.

    Raises:
        ValueError: They are more than `MOST_JOBS`.
    """
    maker = _Maker(line)
    by_due = sorted(range(len(orders)), key=lambda i: (_due(orders[i]), i))
    found: dict[int, list[Job]] = {}
    for row in by_due:
        found[row] = maker.of_order(row, orders[row])
    jobs: list[Job] = []
    numbers: dict[str, int] = {}
    for row in range(len(orders)):
        first = len(jobs)
        for job in found[row]:
            number = numbers.get(job.product, 0)
            numbers[job.product] = number + 1
            parent = job.parent + first if job.parent >= 0 else -1
            jobs.append(Job(row, job.product, number, parent, job.at_step))
    return tuple(jobs)


def _due(order: DatedOrder) -> int:
    return NEVER if order.due_us is None else order.due_us


class _Maker:
    """Makes jobs, and remembers what is left in stock."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._n_jobs = 0
        self._stock = {
            name: product.stock // product.lot_size
            for name, product in line.products.items()
        }

    def of_order(self, row: int, order: DatedOrder) -> list[Job]:
        """Return the jobs of one order; parents are counted from its first job."""
        jobs: list[Job] = []
        lot = self._line.products[order.product].lot_size
        n_lots = -(-order.quantity // lot)
        self._count(n_lots)
        for _ in range(n_lots):
            self._add(jobs, Job(row, order.product, 0))
        return jobs

    def _add(self, jobs: list[Job], job: Job) -> None:
        own = len(jobs)
        jobs.append(job)
        product = self._line.products[job.product]
        for step, uses in enumerate(uses_of(product)):
            for name, n_lots in kit(self._line, product, uses).items():
                taken = min(n_lots, self._stock[name])
                self._stock[name] -= taken
                self._count(n_lots - taken)
                for _ in range(n_lots - taken):
                    self._add(jobs, Job(job.order, name, 0, own, step))

    def _count(self, n: int) -> None:
        self._n_jobs += n
        if self._n_jobs > MOST_JOBS:
            msg = (
                f"the orders ask for more than {MOST_JOBS:,} parts with their "
                "components; look for an absurd quantity, or schedule fewer orders"
            )
            raise ValueError(msg)
