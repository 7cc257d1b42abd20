"""A schedule as one page that one zooms, moves and asks; it opens offline."""

from linewright.report.gantt.page import gantt_page, write_gantt
from linewright.report.gantt.scene import Asked, Bar, Lane, Pool, Schedule

__all__ = ["Asked", "Bar", "Lane", "Pool", "Schedule", "gantt_page", "write_gantt"]
