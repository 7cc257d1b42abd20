"""The brief: a result as one page that can be shown."""

from linewright.report.brief import brief_html, write_brief

__all__ = ["brief_html", "write_brief"]
