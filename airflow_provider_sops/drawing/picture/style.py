"""Colours of the picture, for light and dark pages; each state has its own colour, sign and words."""

from __future__ import annotations

from dataclasses import dataclass

CSS = """
svg { --page: #ffffff; --ink: #1f2328; --soft: #59636e; --line: #6e7781; --node: #f6f8fa; --edge: #8c959f;
  --done: #1a7f37; --done-fill: #dafbe1; --failed: #cf222e; --failed-fill: #ffebe9; --going: #0969da;
  --going-fill: #ddf4ff; --held: #9a6700; --held-fill: #fff8c5; }
@media (prefers-color-scheme: dark) {
  svg { --page: #0d1117; --ink: #e6edf3; --soft: #9198a1; --line: #8d96a0; --node: #21262d; --edge: #768390;
    --done: #4ac26b; --done-fill: #12361f; --failed: #ff8182; --failed-fill: #491c20; --going: #6cb6ff;
    --going-fill: #102a4c; --held: #e3b341; --held-fill: #3a2c07; }
}
text { font: 13px system-ui, -apple-system, "Segoe UI", "Noto Sans", "Noto Sans CJK SC", "PingFang SC",
  "Microsoft YaHei", sans-serif; fill: var(--ink); }
.page { fill: var(--page); }
.shape { fill: var(--node); stroke: var(--edge); stroke-width: 1.5; }
.sign, .mark { fill: none; stroke: var(--ink); stroke-width: 2; stroke-linecap: round; stroke-linejoin: round; }
.flow { fill: none; stroke: var(--line); stroke-width: 1.5; }
.head { fill: var(--line); stroke: none; }
.label { font-size: 11px; fill: var(--soft); paint-order: stroke; stroke: var(--page); stroke-width: 4; }
.heading { font-size: 16px; font-weight: 600; }
.kind { font-size: 11px; fill: var(--soft); }
.optional > .shape { stroke-dasharray: 5 3; }
.done > .shape { fill: var(--done-fill); stroke: var(--done); }
.done > .mark { stroke: var(--done); }
.failed > .shape { fill: var(--failed-fill); stroke: var(--failed); stroke-width: 2.5; }
.failed > .mark { stroke: var(--failed); }
.going > .shape { fill: var(--going-fill); stroke: var(--going); stroke-width: 2.5; }
.going > .mark { stroke: var(--going); }
.held > .shape { fill: var(--held-fill); stroke: var(--held); }
.held > .mark { stroke: var(--held); }
.passed > .shape { stroke-dasharray: 2 3; }
.passed > text { fill: var(--soft); }
.passed > .mark { stroke: var(--soft); }
.chosen > .shape { stroke-width: 4; }
"""


@dataclass(frozen=True, slots=True)
class Look:
    """How a state looks.

    :param style: its class in the style sheet.
    :param mark: its sign, as an SVG path inside a square of 12 pixels around 0,0.
    """

    style: str
    mark: str


_CHECK = "M-5 0 L-1.5 4 L5 -4"
_CROSS = "M-4 -4 L4 4 M-4 4 L4 -4"
_ARROW = "M-3 -5 L5 0 L-3 5 Z"
_BARS = "M-2.5 -4.5 V4.5 M2.5 -4.5 V4.5"
_DASH = "M-5 0 H5"
_FORWARD = "M-5 -4 L-1 0 L-5 4 M1 -4 L5 0 L1 4"

_LOOKS = {
    "FINISHED": Look("done", _CHECK),
    "SKIPPED": Look("done", _FORWARD),
    "FAILED": Look("failed", _CROSS),
    "RUNNING": Look("going", _ARROW),
    "READY": Look("going", _ARROW),
    "SUSPENDED": Look("held", _BARS),
    "NODE_SUSPENDED": Look("held", _BARS),
    "REVOKED": Look("failed", _DASH),
    "EXPIRED": Look("held", _DASH),
    "NOT_TAKEN": Look("passed", _DASH),
}
_PLAIN = Look("plain", "")


def look_of(state: str) -> Look:
    """Return how a state looks; an unknown one looks like no state."""
    return _LOOKS.get(state, _PLAIN)
