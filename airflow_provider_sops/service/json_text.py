"""Parse JSON from outside into values that can be stored, within bounds of memory."""

from __future__ import annotations

import itertools
import json
import math
import re
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_sops.service.storable import (
    GREATEST_INT,
    MOST_LEVELS,
    SMALLEST_INT,
    LongNumber,
    storable,
    storable_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_sops.service.storable import Path

#: How many values and keys one JSON text may hold; each costs some 100 bytes of memory, however short it is.
MOST_VALUES: Final = 2_000_000
_STRUCTURE = (b",", b"[", b"{")
#: How much memory a JSON text may take as a Python string. One character beyond Latin-1 doubles that of the whole
#: string, one beyond 16 bits doubles it again.
MOST_TEXT_BYTES: Final = 64 * 1024**2
_WIDE = re.compile(rb"[\x80-\xff]|\\u(?!00)")
_WIDEST = re.compile(rb"[\xf0-\xff]|\\u[dD][89abAB]")
_CONTINUATIONS, _BEGINNINGS = bytes(range(0x80, 0xC0)), bytes(range(0xC2, 0xF5))
#: How many replaced values are remembered.
_MOST_PATHS = 1000
#: A number with fewer digits fits into 64 bits.
_SAFE_DIGITS = 18
#: How NUL and surrogates are written in JSON; a few other characters begin the same way.
_ODD_ESCAPE = re.compile(r"\\u(?:0000|[dD])")


def read_json(content: bytes | bytearray | str) -> Any:
    """Parse a JSON text and return its value in ``storable`` form.

    Lenient, so an odd character costs that character, not the whole text: invalid UTF-8 becomes U+FFFD, and control
    characters in strings and a leading byte order mark are accepted. Of duplicate keys the last one counts.

    :raises ValueError: it is not JSON, is nested too deep for Python, holds more than ``MOST_VALUES``, or its texts
        would take more than ``MOST_TEXT_BYTES`` of memory.
    """
    return read_json_as_sent(content)[0]


def read_json_as_sent(content: bytes | bytearray | str) -> tuple[Any, tuple[Path, ...]]:
    """Parse a JSON text as ``read_json`` does.

    :return: the value, and the paths to what in it is not as it was sent; at most ``_MOST_PATHS`` of them.
    """
    if isinstance(content, str):
        text = storable_text(content)
    else:
        _check_size(content)
        text = content.decode("utf-8-sig", errors="replace")
    odd: list[str] = []
    try:
        sent = _decoder(odd).decode(text)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    if not (odd or "\0" in text or _ODD_ESCAPE.search(text) is not None or _is_deep(sent)):
        return sent, ()
    kept = storable(sent)
    return kept, tuple(itertools.islice(_differences(sent, kept), _MOST_PATHS))


def _check_size(content: bytes | bytearray) -> None:
    """Refuse a JSON text that takes far more memory than its size.

    :raises ValueError: it does.
    """
    if sum(map(content.count, _STRUCTURE)) > MOST_VALUES:
        raise ValueError(f"the JSON holds more than {MOST_VALUES} values")
    if len(content) * 4 <= MOST_TEXT_BYTES:
        return
    width = 4 if _WIDEST.search(content) else 2 if _WIDE.search(content) else 1
    if len(content) * width <= MOST_TEXT_BYTES:
        return
    continuations = len(content) - len(content.translate(None, _CONTINUATIONS))
    beginnings = len(content) - len(content.translate(None, _BEGINNINGS))
    characters = len(content) - min(continuations, 3 * beginnings)
    if characters * width > MOST_TEXT_BYTES:
        raise ValueError(f"the texts of the JSON take more than {MOST_TEXT_BYTES} bytes")


def _differences(sent: Any, kept: Any) -> Iterator[Path]:
    """Yield the paths to the smallest parts that were replaced; unreplaced ones are the same objects in both."""
    waiting: list[tuple[Path, Any, Any]] = [((), sent, kept)]
    while waiting:
        path, old, new = waiting.pop()
        if old is new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            for (old_key, old_value), (new_key, new_value) in zip(old.items(), new.items(), strict=True):
                if old_key != new_key:
                    yield (*path, new_key)
                else:
                    waiting.append(((*path, new_key), old_value, new_value))
        elif isinstance(old, list) and isinstance(new, list):
            waiting += (((*path, number), *pair) for number, pair in enumerate(zip(old, new, strict=True)))
        else:
            yield path


def _decoder(odd: list[str]) -> json.JSONDecoder:
    """Return a decoder.

    :param odd: receives the numbers that cannot be stored.
    """

    def read_int(digits: str) -> int | str:
        if len(digits) <= _SAFE_DIGITS:
            return int(digits)
        if len(digits) <= _SAFE_DIGITS + 3:
            value = int(digits)
            if SMALLEST_INT <= value <= GREATEST_INT:
                return value
        odd.append("")
        return LongNumber(digits)

    def read_float(digits: str) -> float:
        value = float(digits)
        if not math.isfinite(value):
            odd.append("")
        return value

    return json.JSONDecoder(parse_int=read_int, parse_float=read_float, parse_constant=read_float, strict=False)


def _is_deep(value: Any) -> bool:
    """Whether lists and objects are nested deeper than ``MOST_LEVELS``."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(MOST_LEVELS):
        level = [
            inner
            for each in level
            for inner in (each.values() if type(each) is dict else each)
            if type(inner) is dict or type(inner) is list
        ]
        if not level:
            return False
    return True
