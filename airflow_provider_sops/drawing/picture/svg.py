"""The picture as the text of an SVG file that stands alone."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from .figures import ACTIVITIES, EVENTS, Shape
from .layout import lay_out, route
from .style import CSS, look_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .figures import Box, Figure, Line
    from .layout import Point

_MARGIN = 40.0
_HEADING_HEIGHT = 34.0
_LONGEST_TEXT = 500
#: Widths in letters; a Chinese character counts as two.
_NAME_WIDTH, _LABEL_WIDTH = 19, 22
#: Characters that no XML file may hold, not even escaped, and those that turn the direction of text.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_ARROW_HEAD = (
    '<marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    '<path class="head" d="M0 0 L8 4 L0 8 Z"/></marker>'
)
_SUBPROCESS_SIGN = "M-6 -6 H6 V6 H-6 Z M0 -3 V3 M-3 0 H3"
_SIGNS = {
    Shape.START: "M-5 -7 L7 0 L-5 7 Z",
    Shape.END: "M-6 -6 H6 V6 H-6 Z",
    Shape.EXCLUSIVE: "M-5 -5 L5 5 M-5 5 L5 -5",
    Shape.PARALLEL: "M0 -7 V7 M-7 0 H7",
    Shape.CONDITIONAL_PARALLEL: "M0 -7 V7 M-7 0 H7 M-5 -5 L5 5 M-5 5 L5 -5",
    Shape.CONVERGE: "M-6 -5 L0 0 L-6 5 M0 0 H7",
}


def draw(figures: Sequence[Figure], lines: Sequence[Line], *, title: str = "") -> str:
    """Draw a flow as an SVG file.

    The figures are where SOPS's editor has them, else in layers from left to right. The file stands alone, runs no
    script, and follows the reader's light or dark scheme. Texts may hold anything; links are the
    caller's own.

    :param figures: in the order of the flow: a line to an earlier one, or to itself, leads back.
    :param lines: only between these figures.
    :param title: heading of the picture.
    """
    layout = lay_out(figures, lines)
    routes = {
        line.id: route(layout.boxes[line.source], layout.boxes[line.target], line.sides, layout.ways.get(line.id, ()))
        for line in lines
    }
    role = "group" if any(figure.link for figure in figures) else "img"
    parts = [*_begin(_frame(layout.boxes.values(), routes.values(), title), title, role), *_draw_lines(lines, routes)]
    for figure in figures:
        parts += _draw_figure(figure, layout.boxes[figure.id])
    return "\n".join([*parts, "</svg>", ""])


def _begin(frame: tuple[float, float, float, float], title: str, role: str) -> Iterator[str]:
    left, top, width, height = map(_number, frame)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="{role}" aria-label={quoteattr(_clean(title) or "SOPS flow")}'
        f' width="{width}" height="{height}" viewBox="{left} {top} {width} {height}">'
    )
    yield f"<title>{_text(title) or 'SOPS flow'}</title>"
    yield f"<style>{CSS}</style>"
    yield f"<defs>{_ARROW_HEAD}</defs>"
    yield f'<rect class="page" x="{left}" y="{top}" width="{width}" height="{height}"/>'
    if title:
        place = f'x="{_number(frame[0] + _MARGIN / 2)}" y="{_number(frame[1] + 30)}"'
        yield f'<text class="heading" {place}>{_shortened(title, int(frame[2] / 9))}</text>'


def _frame(boxes: Iterable[Box], routes: Iterable[list[Point]], title: str) -> tuple[float, float, float, float]:
    corners = [point for points in routes for point in points]
    for box in boxes:
        corners += [(box.x - box.width / 2, box.y - box.height / 2), (box.x + box.width / 2, box.y + box.height / 2)]
    xs, ys = [x for x, _ in corners] or [0.0], [y for _, y in corners] or [0.0]
    left, top = min(xs) - _MARGIN, min(ys) - _MARGIN - (_HEADING_HEIGHT if title else 0)
    return left, top, max(xs) + _MARGIN - left, max(ys) + _MARGIN - top


def _draw_lines(lines: Sequence[Line], routes: Mapping[str, list[Point]]) -> Iterator[str]:
    for line in lines:
        points = " ".join(f"{_number(x)},{_number(y)}" for x, y in routes[line.id])
        yield f'<polyline class="flow" marker-end="url(#head)" points="{points}"/>'
    # After all lines, so that none crosses a text.
    for line in lines:
        if line.label:
            yield _draw_label(line, routes[line.id])


def _draw_label(line: Line, points: list[Point]) -> str:
    """Write a condition at the end of its line, where lines lie apart."""
    x, y = points[-1]
    before = points[-2]
    anchor, x, y = ("end", x - 10, y - 6) if before[1] == y else ("start", x + 6, (y + before[1]) / 2)
    return (
        f'<text class="label" text-anchor="{anchor}" x="{_number(x)}" y="{_number(y)}">'
        f"<title>{_text(line.words or line.label)}</title>{_shortened(line.label, _LABEL_WIDTH)}</text>"
    )


def _draw_figure(figure: Figure, box: Box) -> Iterator[str]:
    look = look_of(figure.state)
    marks = [("optional", figure.is_optional), ("chosen", figure.is_chosen)]
    classes = " ".join(["node", look.style, *(name for name, is_so in marks if is_so)])
    if figure.link:
        yield f"<a href={quoteattr(_clean(figure.link))}>"
    yield f'<g class="{classes}" transform="translate({_number(box.x)} {_number(box.y)})">'
    yield f"<title>{_text(figure.words or figure.name)}</title>"
    if figure.shape in ACTIVITIES:
        yield from _draw_activity(figure, box)
    elif figure.shape in EVENTS:
        yield f'<circle class="shape" r="{_number(box.width / 2)}"/>'
        yield f'<path class="sign" d="{_SIGNS[figure.shape]}"/>'
    else:
        yield from _draw_gateway(figure, box)
    if look.mark:
        yield f'<path class="mark" transform="translate({_mark_place(figure, box)})" d="{look.mark}"/>'
    yield "</g>"
    if figure.link:
        yield "</a>"


def _draw_activity(figure: Figure, box: Box) -> Iterator[str]:
    x, y, width, height = -box.width / 2, -box.height / 2, box.width, box.height
    is_subprocess = figure.shape is Shape.SUBPROCESS
    if is_subprocess:
        yield f'<rect class="shape" x="{x - 4}" y="{y - 4}" width="{width + 8}" height="{height + 8}" rx="9"/>'
    yield f'<rect class="shape" x="{x}" y="{y}" width="{width}" height="{height}" rx="6"/>'
    yield f'<text x="{x + 10}" y="-2">{_shortened(figure.name, _NAME_WIDTH)}</text>'
    yield f'<text class="kind" x="{x + 10}" y="15">{_shortened(figure.detail, _NAME_WIDTH)}</text>'
    if is_subprocess:
        place = f"translate({x + width - 14} {y + height - 13})"
        yield f'<path class="sign" transform="{place}" d="{_SUBPROCESS_SIGN}"/>'


def _draw_gateway(figure: Figure, box: Box) -> Iterator[str]:
    half = box.width / 2
    yield f'<path class="shape" d="M0 {-half} L{half} 0 L0 {half} L{-half} 0 Z"/>'
    yield f'<path class="sign" d="{_SIGNS.get(figure.shape, "")}"/>'
    if figure.name:
        name = _shortened(figure.name, _LABEL_WIDTH)
        yield f'<text class="label" text-anchor="middle" y="{_number(box.height / 2 + 14)}">{name}</text>'


def _mark_place(figure: Figure, box: Box) -> str:
    if figure.shape in ACTIVITIES:
        return f"{_number(box.width / 2 - 13)} {_number(12 - box.height / 2)}"
    return f"{_number(box.width / 2 + 2)} {_number(-box.height / 2 - 2)}"


def _shortened(text: str, width: int) -> str:
    """Return a text on one line, cut to a width, and escaped."""
    clean = " ".join(_clean(text[:_LONGEST_TEXT]).split())
    used = 0
    for position, character in enumerate(clean):
        used += 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if used > width:
            return escape(clean[: max(position - 1, 0)]) + "…"
    return escape(clean)


def _text(text: str) -> str:
    clean = _clean(text)
    return escape(clean if len(clean) <= _LONGEST_TEXT else f"{clean[:_LONGEST_TEXT]}…")


def _clean(text: str) -> str:
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
