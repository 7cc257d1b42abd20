"""Matplotlib as a pen: pixels from the top left, colors by role, one style for all.

A drawing is made twice, `WIDE` for screens and paper and `NARROW` for a phone, so that
its text keeps its size. Nothing global is changed: a `Canvas` holds its own figure, and
`drawing` restores the settings it needs. Matplotlib is optional; it is imported when
the first canvas is made.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from linewright.report.palette import COLORS
from linewright.report.svg import inline_svg
from linewright.report.words import text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "NARROW",
    "SIZE",
    "SMALL",
    "WIDE",
    "Anchor",
    "Box",
    "Canvas",
    "color",
    "draw_both",
    "drawing",
    "label_room",
]

WIDE = 920
NARROW = 358
SIZE = 12.0
SMALL = 11.0

Anchor = Literal["left", "center", "right"]
Box = tuple[float, float, float, float]


def color(role: str) -> str:
    """Return the color to draw a role with."""
    return COLORS[role][0]


@contextmanager
def drawing() -> Iterator[None]:
    """Draw text as text, names as they are, and the same bytes every time."""
    import matplotlib as mpl  # noqa: PLC0415 - optional

    settings: dict[Any, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": "linewright",
        "text.parse_math": False,
        "text.usetex": False,
        "font.family": "DejaVu Sans",
        "axes.unicode_minus": True,
        "axes.formatter.use_locale": False,
        "path.simplify": True,
    }
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()
        mpl.rcParams.update(settings)
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not")
        yield


class Canvas:
    """A drawing of a given size in pixels; y grows downwards."""

    def __init__(self, width: float, height: float) -> None:
        from matplotlib.figure import Figure  # noqa: PLC0415 - optional

        self.width = width
        self.height = height
        self.figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        self._pen = self.figure.add_axes((0, 0, 1, 1))
        self._pen.set_xlim(0, width)
        self._pen.set_ylim(height, 0)
        self._pen.axis("off")
        self._pen.set_zorder(2)

    @property
    def narrow(self) -> bool:
        """Whether this is the drawing for a phone."""
        return self.width < 600

    def text(  # noqa: PLR0913 - a pen
        self,
        x: float,
        y: float,
        text: str,
        *,
        role: str = "ink",
        size: float = SIZE,
        anchor: Anchor = "left",
        bold: bool = False,
    ) -> None:
        """Write a line of text, centered on y."""
        self._pen.text(
            x,
            y + 0.36 * size,
            text,
            color=color(role),
            fontsize=size,
            ha=anchor,
            va="baseline",
            fontweight="bold" if bold else "normal",
        )

    def rect(self, x: float, y: float, width: float, height: float, role: str) -> None:
        """Fill a rectangle."""
        self.rects([(x, y, width, height)], role)

    def rects(self, boxes: Sequence[Box], role: str) -> None:
        """Fill many rectangles (x, y, width, height) of one color as one path."""
        vertices = [
            point
            for x, y, w, h in boxes
            for point in ((x, y), (x + w, y), (x + w, y + h), (x, y + h), (x, y))
        ]
        if vertices:
            self.shape(vertices, [1, 2, 2, 2, 79] * len(boxes), role)

    def path(
        self,
        xs: Sequence[float],
        ys: Sequence[float],
        role: str = "line",
        width: float = 1.0,
        dash: tuple[float, ...] = (),
    ) -> None:
        """Draw a line through points."""
        order = 0.5 if role == "grid" else 2
        (line,) = self._pen.plot(
            xs, ys, color=color(role), linewidth=width, zorder=order
        )
        line.set_solid_capstyle("butt")
        if dash:
            line.set_linestyle((0, dash))

    def dot(
        self, x: float, y: float, role: str, size: float = 9, marker: str = "o"
    ) -> None:
        """Draw a dot with a thin edge in the color of the ground."""
        self._pen.plot(
            [x],
            [y],
            marker=marker,
            markersize=size,
            color=color(role),
            markeredgecolor=color("surface"),
            markeredgewidth=1.2,
        )

    def shape(self, vertices: Any, codes: Any, role: str, alpha: float = 1.0) -> None:
        """Fill a path of lines and curves."""
        from matplotlib.patches import PathPatch  # noqa: PLC0415 - optional
        from matplotlib.path import Path  # noqa: PLC0415 - optional

        patch = PathPatch(
            Path(vertices, codes), facecolor=color(role), alpha=alpha, linewidth=0
        )
        self._pen.add_artist(patch)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Return axes in the house style at a place in pixels."""
        ax = self.figure.add_axes(
            (
                left / self.width,
                1 - (top + height) / self.height,
                width / self.width,
                height / self.height,
            )
        )
        ax.set_facecolor("none")
        for side in ("left", "right", "top"):
            ax.spines[side].set_visible(False)
        ax.spines["bottom"].set_color(color("line"))
        ax.tick_params(
            colors=color("line"), labelcolor=color("muted"), labelsize=SMALL, length=4
        )
        ax.tick_params(axis="y", length=0, pad=6)
        ax.grid(visible=True, axis="y", color=color("grid"), linewidth=1)
        ax.set_axisbelow(True)
        return ax

    def svg(self, key: str, title: str, alt: str) -> str:
        """Return the drawing as SVG to put into a page."""
        return inline_svg(self.figure, key, title, alt)


def label_room(labels: Iterable[str], most: float, size: float = SIZE) -> float:
    """Return the room that labels at the left of a wide drawing need."""
    return min(most, max((text_width(label, size) for label in labels), default=0) + 16)


def draw_both(
    draw: Callable[[float], Canvas], key: str, title: str, alt: str
) -> tuple[str, str]:
    """Draw a figure for wide and narrow pages; return both as SVG."""
    with drawing():
        return (
            draw(WIDE).svg(f"{key}-w", title, alt),
            draw(NARROW).svg(f"{key}-n", title, alt),
        )
