"""Tell which regular expressions from SOPS may check the values of Airflow's params.

SOPS checks values in the browser, with JavaScript's expressions; Airflow on its API server, with Python's. So an
expression must mean the same in both, and must not take long for any value: ``^(a+)+$`` takes for ever.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: Most ways in which an expression may match the same text; each may be tried.
_MOST_WAYS = 10_000
#: The same if it may begin anywhere in the text, so that all ways may be tried at each place.
_MOST_WAYS_ANYWHERE = 100
#: Most repeats of a part that matches in several ways.
_MOST_REPEATS = 20
_LONGEST = 500
#: One character, escaped or not, or one class of characters; nothing that only one of the languages has.
_ATOM = re.compile(
    r"\[\^?(?:[^\]\\\[\n]|\\[dwsDWS]|\\[^\w\s]|\\u[0-9a-fA-F]{4})+\]|\\[dwsDWS]|\\[^\w\s]|\\u[0-9a-fA-F]{4}"
    r"|[^\\()\[\]{}*+?|^$\n]"
)
_QUANTIFIER = re.compile(r"(?:([*+?])|\{(\d{1,3})(?:(,)(\d{0,3}))?\})(\??)")


class _UnknownError(Exception):
    """The expression has something that is not known to be safe."""


def is_safe_pattern(pattern: str) -> bool:
    """Whether an expression means the same in JavaScript and Python and is quick for any text.

    Accepted are characters, classes, groups and counts with few ways to match, and one ``+`` or ``*`` behind ``^``.
    """
    if not pattern or len(pattern) > _LONGEST:
        return False
    try:
        re.compile(pattern)
        ways = _Reader(pattern.removeprefix("^")).read()
    except (re.error, _UnknownError, OverflowError, RecursionError):
        return False
    if not pattern.startswith("^"):
        return ways.endless == 0 and ways.count <= _MOST_WAYS_ANYWHERE
    return ways.endless <= 1 and ways.count <= _MOST_WAYS


@dataclass(frozen=True)
class _Ways:
    """In how many ways a part may match the same text.

    :param endless: how many parts of it have no greatest length.
    :param can_be_empty: whether it matches the empty text.
    """

    count: int = 1
    endless: int = 0
    can_be_empty: bool = True

    def then(self, other: _Ways) -> _Ways:
        return _Ways(self.count * other.count, self.endless + other.endless, self.can_be_empty and other.can_be_empty)

    def either(self, other: _Ways) -> _Ways:
        return _Ways(self.count + other.count, self.endless + other.endless, self.can_be_empty or other.can_be_empty)


class _Reader:
    """Reads an expression without its ``^``."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0

    def read(self) -> _Ways:
        ways = self._sequence()
        if self._take("$") and self._at == len(self._pattern):
            return ways
        if self._at < len(self._pattern):
            raise _UnknownError
        return ways

    def _alternatives(self) -> _Ways:
        ways = self._sequence()
        while self._take("|"):
            ways = ways.either(self._sequence())
        return ways

    def _sequence(self) -> _Ways:
        ways = _Ways()
        while (part := self._part()) is not None:
            ways = ways.then(part)
            if ways.count > _MOST_WAYS:
                raise _UnknownError
        return ways

    def _part(self) -> _Ways | None:
        if self._take("("):
            if not self._take("?:") and self._pattern.startswith("?", self._at):
                raise _UnknownError
            ways = self._alternatives()
            if not self._take(")"):
                raise _UnknownError
            return self._repeated(ways)
        found = _ATOM.match(self._pattern, self._at)
        if found is None:
            return None
        self._at = found.end()
        return self._repeated(_Ways(can_be_empty=False))

    def _repeated(self, ways: _Ways) -> _Ways:
        found = _QUANTIFIER.match(self._pattern, self._at)
        if found is None:
            return ways
        self._at = found.end()
        sign, least_text, comma, most_text, _ = found.groups()
        least, most = int(least_text or sign == "+"), int(most_text or 0)
        if sign == "?":
            most = 1
        elif sign or (comma and not most_text):
            if ways.endless or ways.count > 1 or ways.can_be_empty:
                raise _UnknownError
            return _Ways(endless=1, can_be_empty=least == 0)
        elif not comma:
            most = least
        if most > 1 and (ways.endless or ways.can_be_empty or (ways.count > 1 and most > _MOST_REPEATS)):
            raise _UnknownError
        return _Ways(ways.count**most * (most - least + 1), ways.endless, ways.can_be_empty or least == 0)

    def _take(self, text: str) -> bool:
        if not self._pattern.startswith(text, self._at):
            return False
        self._at += len(text)
        return True
