"""The line in motion: one traced replication as one page that plays it.

`reading` reads the trace of the kernel, `watching` adds what a trace does not hold, and
`recording` makes changes of both. `scene` says where things stand and what they look
like, and `page` writes the HTML. The page's own code is in `scripts`: `film.js` first.
"""

from linewright.report.animation.page import Animation, animate, write_animation

__all__ = ["Animation", "animate", "write_animation"]
