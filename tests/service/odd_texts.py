"""Texts by which a server could fool whoever reads a log or a terminal."""

from __future__ import annotations

import unicodedata

#: Each would do something by itself: erase a screen, add a log line, read backwards, be seen by nobody, be endless.
ODD_TEXTS = (
    "\x1b[2J\x1b[1;1H\x1b]0;title\x07",
    "\x9b31mred",
    "ok\n2026-01-01 00:00:00 ERROR forged line",
    "ok\rall good",
    "a\x0bb\x0cc\x85d\u2028e\u2029f",
    "\u202egnp.exe\u202c",
    "\u2066isolated\u2069 \u200fright \u200eleft \u061c",
    "zero\u200bwidth\u200c\u200d\u2060\ufeff",
    "tag\U000e0041\U000e0042 \u3164",
    "\x00\x08\x7f",
    "\ud800lone",
)
LONG_TEXTS = ("x" * 30_000, "line\n" * 6_000)


def is_harmless(text: str, longest: int = 25_000) -> bool:
    """Whether no character of a text controls a terminal, changes its direction or is invisible, and it has an end.

    :param longest: how many characters it may have.
    """
    odd = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    seen = set(text) - {"\t", "\n"}
    return len(text) <= longest and not any(unicodedata.category(each) in odd or each == "\u3164" for each in seen)
