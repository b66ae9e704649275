"""Replace remote values that logs, XComs or Airflow's database cannot store.

Answers end up in logs, events, XComs and Airflow's database. JSON can carry values that these refuse:
PostgreSQL rejects NUL, UTF-8 lone surrogates, strict JSON NaN, msgpack integers beyond 64 bits, and everything
recursive fails at some depth. One such value could crash a triggerer or fail a task on every try, so each is replaced
by the nearest value that can be stored.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

#: The keys and indices on the way to a value.
Path = tuple[str | int, ...]

#: How deep lists and objects may be nested. A nested subprocess adds three levels to a tree. Airflow's serialisation of
#: a DAG doubles the depth and gives up at a few hundred.
MOST_LEVELS: Final = 100
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
#: How many characters are kept of anything deeper.
LONGEST_DEEP_TEXT: Final = 2000

_SMALLEST_INT, _GREATEST_INT = -(2**63), 2**64 - 1
#: A number with fewer digits fits into 64 bits.
_SAFE_DIGITS = 18
#: How NUL and surrogates are written in JSON; a few other characters begin the same way.
_ODD_ESCAPE = re.compile(r"\\u(?:0000|[dD])")

#: Airflow refuses to write an object with one of these keys, and reads one with both of the others as another type.
_RESERVED_KEYS = frozenset({"__classname__", "__id__"})
_OLD_TYPE_KEY, _OLD_VALUE_KEY = "__type", "__var"


def storable_text(text: str) -> str:
    """Return a text in which NUL is replaced by U+2400 and lone surrogates by escapes."""
    has_nul = "\0" in text
    if text.isascii() and not has_nul:
        return text
    if has_nul:
        text = text.replace("\0", "\N{SYMBOL FOR NULL}")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="backslashreplace").decode()
    return text


def storable(value: Any) -> Any:
    """Return a JSON value in storable form; the same object if nothing has to be replaced.

    Strings, including keys, become a ``storable_text``. NaN, infinities and integers beyond 64 bits become strings.
    Anything nested deeper than ``MOST_LEVELS`` becomes its JSON, cut to ``LONGEST_DEEP_TEXT`` characters. If a replaced
    key already exists, it gets a number, so no value is lost. Never raises; takes linear time.
    """
    return _storable(value, MOST_LEVELS)


def keys_of_replaced(replaced: Iterable[Path], *before: str | int) -> set[str | int]:
    """Return where something was replaced within one list or object of an answer.

    :param replaced: the paths to what was replaced in the whole answer.
    :param before: the path to the list or object.
    """
    depth = len(before)
    return {path[depth] for path in replaced if len(path) > depth and path[:depth] == before}


def without_reserved_keys(value: Any) -> Any:
    """Return a storable value in which Airflow mistakes no object for one of its own records; for XComs.

    A reserved key gets a trailing ``_``. The same object is returned if there is none.
    """
    if isinstance(value, list):
        return _list_or_same(value, [without_reserved_keys(each) for each in value])
    if not isinstance(value, dict):
        return value
    kept = {key: without_reserved_keys(each) for key, each in value.items()}
    is_old_record = _OLD_TYPE_KEY in value and _OLD_VALUE_KEY in value
    renamed = {key: f"{key}_" for key in value if key in _RESERVED_KEYS or (is_old_record and key == _OLD_TYPE_KEY)}
    return _dict_or_same(value, kept, renamed)


def read_json(content: bytes | str) -> Any:
    """Parse a JSON text and return its value in ``storable`` form.

    Lenient, so an odd character costs that character, not the whole text: invalid UTF-8 becomes U+FFFD, and control
    characters in strings and a leading byte order mark are accepted. Of duplicate keys the last one counts.

    :raises ValueError: it is not JSON, is nested too deep for Python, holds more than ``MOST_VALUES``, or its texts
        would take more than ``MOST_TEXT_BYTES`` of memory.
    """
    return read_json_as_sent(content)[0]


def read_json_as_sent(content: bytes | str) -> tuple[Any, tuple[Path, ...]]:
    """Parse a JSON text as ``read_json`` does.

    :return: the value, and the paths to what in it is not as it was sent; at most ``_MOST_PATHS`` of them.
    """
    if isinstance(content, bytes):
        _check_size(content)
    text = content.decode("utf-8-sig", errors="replace") if isinstance(content, bytes) else storable_text(content)
    odd: list[str] = []
    try:
        sent = _decoder(odd).decode(text)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    if not (odd or "\0" in text or _ODD_ESCAPE.search(text) is not None or _is_deep(sent)):
        return sent, ()
    kept = storable(sent)
    return kept, tuple(itertools.islice(_differences(sent, kept), _MOST_PATHS))


def _check_size(content: bytes) -> None:
    """Refuse a JSON text that takes far more memory than its size.

    :raises ValueError: it does.
    """
    if sum(map(content.count, _STRUCTURE)) > MOST_VALUES:
        raise ValueError(f"the JSON holds more than {MOST_VALUES} values")
    if len(content) * 4 <= MOST_TEXT_BYTES:
        return
    continuations = len(content) - len(content.translate(None, _CONTINUATIONS))
    beginnings = len(content) - len(content.translate(None, _BEGINNINGS))
    characters = len(content) - min(continuations, 3 * beginnings)
    width = 4 if _WIDEST.search(content) else 2 if _WIDE.search(content) else 1
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


def _storable(value: Any, levels: int) -> Any:
    if isinstance(value, str):
        return str(value) if isinstance(value, _LongNumber) else storable_text(value)
    if isinstance(value, dict):
        return _storable_dict(value, levels - 1) if levels else _deep_text(value)
    if isinstance(value, list):
        return _list_or_same(value, [_storable(each, levels - 1) for each in value]) if levels else _deep_text(value)
    if isinstance(value, float):
        return _storable_float(value)
    if isinstance(value, int) and not _SMALLEST_INT <= value <= _GREATEST_INT:
        return _int_text(value)
    return value


def _storable_dict(value: dict[Any, Any], levels: int) -> dict[Any, Any]:
    renamed = {key: new for key in value if isinstance(key, str) and (new := storable_text(key)) is not key}
    return _dict_or_same(value, {key: _storable(each, levels) for key, each in value.items()}, renamed)


def _list_or_same(value: list[Any], kept: list[Any]) -> list[Any]:
    return value if all(new is old for new, old in zip(kept, value, strict=True)) else kept


def _dict_or_same(value: dict[Any, Any], kept: dict[Any, Any], renamed: Mapping[str, str]) -> dict[Any, Any]:
    """Return the values under their new keys; duplicates get a number: ``name (2)``, ``name (3)``."""
    if not renamed:
        return value if all(kept[key] is each for key, each in value.items()) else kept
    used = value.keys() - renamed.keys()
    numbers: dict[str, int] = {}
    names: dict[str, str] = {}
    for key, wanted in renamed.items():
        name = wanted
        while name in used:
            numbers[wanted] = numbers.get(wanted, 1) + 1
            name = f"{wanted} ({numbers[wanted]})"
        used.add(name)
        names[key] = name
    return {names.get(key, key): each for key, each in kept.items()}


def _storable_float(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _int_text(value: int) -> str:
    try:
        return str(value)
    except ValueError:
        # Python refuses to write more than a few thousand decimal digits.
        return hex(value)


class _LongNumber(str):
    """The digits of a number that has too many for 64 bits."""

    __slots__ = ()


def _decoder(odd: list[str]) -> json.JSONDecoder:
    """Return a decoder.

    :param odd: receives the numbers that cannot be stored.
    """

    def read_int(digits: str) -> int | str:
        if len(digits) <= _SAFE_DIGITS:
            return int(digits)
        if len(digits) <= _SAFE_DIGITS + 3:
            value = int(digits)
            if _SMALLEST_INT <= value <= _GREATEST_INT:
                return value
        odd.append("")
        return _LongNumber(digits)

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


class _Token(str):
    """A piece of JSON, written verbatim."""

    __slots__ = ()


def _deep_text(value: Any) -> str:
    """Return the beginning of a value's JSON, however deep or long the value is."""
    text = ""
    waiting = [_pieces(value)]
    while waiting:
        for piece in waiting[-1]:
            if not isinstance(piece, _Token):
                waiting.append(_pieces(piece))
                break
            text += piece
            if len(text) > LONGEST_DEEP_TEXT:
                return f"{text[: LONGEST_DEEP_TEXT - 1]}…"
        else:
            waiting.pop()
    return text


def _pieces(value: Any) -> Iterator[Any]:
    """Yield the tokens of one list, object or leaf, and the values inside it unchanged."""
    if isinstance(value, dict):
        yield _Token("{")
        for number, (key, inner) in enumerate(value.items()):
            yield _Token(f"{', ' if number else ''}{_leaf(str(key))}: ")
            yield inner
        yield _Token("}")
    elif isinstance(value, list):
        yield _Token("[")
        for number, inner in enumerate(value):
            if number:
                yield _Token(", ")
            yield inner
        yield _Token("]")
    else:
        yield _Token(_leaf(value))


def _leaf(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(storable_text(value[: LONGEST_DEEP_TEXT + 1]), ensure_ascii=False)
    return json.dumps(_storable(value, 0), default=repr)
