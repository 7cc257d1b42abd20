"""How much in each period: what targets ask for, what holds, and how sure that is.

`lots` is about lot sizes.
"""

from linewright.plan.lots import LotPlan, Lots, plan_lots, read_lots

__all__ = ["LotPlan", "Lots", "plan_lots", "read_lots"]
