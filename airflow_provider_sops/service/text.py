"""Make a server's texts harmless in logs, errors, links and terminals, whatever characters they hold and how long.

Escaped are control characters (terminals obey them), characters that change the direction of a text (it then reads
differently from what it is), and those that nobody sees. A further line of a text is indented, so that it cannot pass
for a log line of its own.
"""

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

_LONGEST_TEXT = 2000
_LONGEST_QUOTED = 500
_LONGEST_WORDS = 500
_LONGEST_WORD = 100
_LONGEST_ADDRESS = 2000
_LONGEST_ENTRY = 100_000
_INDENT = "    "

#: Unicode's categories Cc but tab and newline, Cf, Cs, Zl and Zp, and letters that show nothing.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180e"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff9-\ufffb\U000110bd\U000110cd"
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f]"
)
_LINE_END = re.compile("[\t\n]")


def quoted(text: str) -> str:
    """Return a text, for example a name, in quotes and on one line; at most 500 characters of it."""
    return visible(json.dumps(_cut(text, _LONGEST_QUOTED), ensure_ascii=False))


def word(text: str, limit: int = _LONGEST_WORD) -> str:
    """Return what should be a word, such as a state, a code or an id: on one line, at most ``limit`` characters.

    Blanks at its ends stay: a word with a line end is another word, not this one.
    """
    return _LINE_END.sub(_escape, visible(_cut(text, limit)))


def shortened(text: str, limit: int = _LONGEST_TEXT) -> str:
    """Return a long text's beginning; further lines are indented so that they cannot pass for log lines."""
    cut = text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"
    return visible(f"\n{_INDENT}".join(cut.splitlines()))


def log_entry(text: str) -> str:
    """Return a text that was put together for a log or an error. Changes nothing in one whose parts are harmless."""
    lines = text[: _LONGEST_ENTRY + 1].splitlines()
    indented = (line if line.startswith("  ") else f"{_INDENT}{line}" for line in lines[1:])
    entry = "\n".join([*lines[:1], *indented])
    return visible(entry if len(entry) <= _LONGEST_ENTRY else f"{entry[:_LONGEST_ENTRY].rstrip()}…")


def shown_words(message: str) -> str:
    """Return a server's message for use in an error text: one line, at most 500 characters.

    For a Python traceback, which SOPS sends when its engine refuses, return the last non-empty line: the reason.
    """
    words = message.strip()
    if "Traceback (most recent call last)" in words:
        words = words.splitlines()[-1]
    words = " ".join(words[: 2 * _LONGEST_WORDS].split())
    return visible(words if len(words) <= _LONGEST_WORDS else words[:_LONGEST_WORDS] + "...")


def web_address(text: str) -> str:
    """Return an address of a web page that may be shown as a link; an empty text for anything else.

    It is ``http`` or ``https``, names a host, and has no user, blank, quotation mark or invisible character.
    """
    if len(text) > _LONGEST_ADDRESS or _INVISIBLE.search(text) or re.search(r"[\s\"'<>\\^`{|}]", text):
        return ""
    try:
        parts = urlsplit(text)
        is_page = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return ""
    return text if is_page else ""


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…"


def visible(text: str) -> str:
    """Return a text with what cannot be seen in it escaped, except for tabs and line ends."""
    return _INVISIBLE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    number = ord(match[0])
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"
