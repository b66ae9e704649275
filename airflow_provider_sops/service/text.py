"""Make a server's texts fit for logs and errors: few lines, limited length, no control characters."""

from __future__ import annotations

import json
import re

_LONGEST_TEXT = 2000
_LONGEST_WORDS = 500
#: Control characters, line ends and characters that UTF-8 cannot encode, except tab and newline.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def quoted(text: str) -> str:
    """Return a text in quotes and on one line, whatever characters it contains."""
    return _without_control(json.dumps(text, ensure_ascii=False))


def shortened(text: str, limit: int = _LONGEST_TEXT) -> str:
    """Return a long text's beginning; further lines are indented so that they cannot pass for log lines."""
    cut = text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"
    return _without_control("\n    ".join(cut.splitlines()))


def shown_words(message: str) -> str:
    """Return a server's message for use in an error text: one line, at most 500 characters.

    For a Python traceback, which SOPS sends when its engine refuses, return the last non-empty line: the reason.
    """
    words = message.strip()
    if "Traceback (most recent call last)" in words:
        words = words.splitlines()[-1]
    words = " ".join(words.split())
    return words if len(words) <= _LONGEST_WORDS else words[:_LONGEST_WORDS] + "..."


def _without_control(text: str) -> str:
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
