"""How much to make in each period: lot sizes, so far. `lots` is the module to read."""

from linewright.plan.lots import LotPlan, Lots, plan_lots, read_lots

__all__ = ["LotPlan", "Lots", "plan_lots", "read_lots"]
