"""Shapes of small pictures in SVG. Colours and widths are the style sheet's, by class; texts are escaped."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, floor

from markupsafe import Markup, escape

from protocols.text import printable_line
from reports.stats.thresholds import EPSILON

Point = tuple[float, float]

_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2)
_MOST_STEPS = 6


@dataclass(frozen=True, slots=True)
class AxisScale:
    """Places of values from `low` to `high` on a line from `start` to `end`; values beyond stand at the ends."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def round_axis(values: Iterable[float], limit: float) -> tuple[float, float, list[float]]:
    """The ends of an axis within 0 and `limit`, both ticks, and all ticks: few, at round numbers."""
    ends = list(values)
    low, high = max(0.0, min(ends)), min(limit, max(ends))
    step = next(step * limit for step in _STEPS if high - low <= _MOST_STEPS * step * limit)
    first = floor(low / step + EPSILON)
    last = max(first + 1, ceil(high / step - EPSILON))
    return first * step, last * step, [number * step for number in range(first, last + 1)]


def svg_picture(width: int, height: int, parts: Iterable[Markup], label: str = "", kind: str = "plot") -> Markup:
    """A picture that scales with its place; `label` says what it shows, without one it is decoration."""
    role = Markup('role="img" aria-label="{}"').format(printable_line(label)) if label else Markup('aria-hidden="true"')
    head = Markup('<svg class="{}" viewBox="0 0 {} {}" {}>').format(kind, width, height, role)
    return head + Markup("").join(parts) + Markup("</svg>")


def svg_line(points: Iterable[Point], kind: str) -> Markup:
    """An open line through points."""
    return Markup('<path class="{}" d="{}"/>').format(kind, _route(points))


def svg_area(points: Iterable[Point], kind: str) -> Markup:
    """A filled outline."""
    return Markup('<path class="{}" d="{}Z"/>').format(kind, _route(points))


def svg_segments(segments: Iterable[tuple[Point, Point]], kind: str) -> Markup:
    """Straight lines, each between two points."""
    return Markup('<path class="{}" d="{}"/>').format(kind, "".join(map(_route, segments)))


def svg_dots(points: Iterable[Point], kind: str) -> Markup:
    """Dots as round ends of lines without length: the width of the line is that of the dot."""
    return Markup('<path class="{}" d="{}"/>').format(kind, "".join(f"M{_short(x)} {_short(y)}h0" for x, y in points))


def svg_circle(x: float, y: float, radius: float, kind: str) -> Markup:
    return Markup('<circle class="{}" cx="{}" cy="{}" r="{}"/>').format(kind, _short(x), _short(y), _short(radius))


def svg_bar(x: float, y: float, width: float, height: float, kind: str) -> Markup:
    sides = map(_short, (x, y, max(width, 0.0), max(height, 0.0)))
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>').format(kind, *sides)


def svg_shared(name: str, shape: Markup) -> Markup:
    """A shape that is not drawn where it stands, but wherever `svg_use` has its name."""
    return Markup('<defs><g id="{}">{}</g></defs>').format(name, shape)


def svg_use(name: str) -> Markup:
    return Markup('<use href="#{}"/>').format(name)


def svg_text(x: float, y: float, text: str, kind: str = "") -> Markup:
    """A text; `kind` may be `end` or `middle`, else it starts at the point."""
    attribute = Markup(' class="{}"').format(kind) if kind else Markup("")
    return Markup('<text{} x="{}" y="{}">{}</text>').format(
        attribute, _short(x), _short(y), escape(printable_line(text))
    )


def _route(points: Iterable[Point]) -> str:
    """A path in whole pixels, each step from the one before: a page may hold hundreds of them."""
    pixels = [(round(x), round(y)) for x, y in points]
    pairs = itertools.pairwise(pixels)
    steps = [
        f"{x - x_before} {y - y_before}" for (x_before, y_before), (x, y) in pairs if (x, y) != (x_before, y_before)
    ]
    start = f"M{pixels[0][0]} {pixels[0][1]}"
    return f"{start}l{' '.join(steps)}".replace(" -", "-") if steps else start


def _short(number: float) -> str:
    """A coordinate to a tenth of a pixel, as short as it can be."""
    return f"{number:.1f}".removesuffix(".0")
