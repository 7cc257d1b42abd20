"""What a log tells of assembly, as the model has it: `bom` and `uses`."""

from __future__ import annotations

from typing import Any

from linewright.fit.log import Join

__all__ = ["join_into"]


def join_into(join: Join, products: dict[str, Any]) -> str:
    """Have units built into another; return what is to be said of it.

    Args:
        join: What the log tells.
        products: Products of the model as the keys of a file, changed here.
    """
    told = f"{join.quantity} {join.component} into each {join.whole}"
    seen = f"{join.share:.0%} of {join.n:,} times at {join.operation}"
    steps = [
        step
        for step in products.get(join.whole, {"route": []})["route"]
        if step["operation"] == join.operation
    ]
    if not steps or join.component not in products:
        return f"{told}, {seen}, is left out: the model has not both of them there"
    bom = products[join.whole].setdefault("bom", {})
    bom[join.component] = bom.get(join.component, 0) + join.quantity
    steps[0].setdefault("uses", {})[join.component] = join.quantity
    return (
        f"{told}, {seen}; each product comes at the distances of the log, so that in a "
        "long run one may pile up, or run short of the other"
    )
