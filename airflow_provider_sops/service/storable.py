"""Replace remote values that logs, XComs or Airflow's database cannot store.

Answers end up in logs, events, XComs and Airflow's database. JSON can carry values that these refuse:
PostgreSQL rejects NUL, UTF-8 lone surrogates, strict JSON NaN, msgpack integers beyond 64 bits, and everything
recursive fails at some depth. One such value could crash a triggerer or fail a task on every try, so each is replaced
by the nearest value that can be stored.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

#: The keys and indices on the way to a value.
Path = tuple[str | int, ...]

#: How deep lists and objects may be nested. A nested subprocess adds three levels to a tree. Airflow's serialisation of
#: a DAG doubles the depth and gives up at a few hundred.
MOST_LEVELS: Final = 100
#: How many characters are kept of anything deeper.
LONGEST_DEEP_TEXT: Final = 2000

SMALLEST_INT, GREATEST_INT = -(2**63), 2**64 - 1
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


def _storable(value: Any, levels: int) -> Any:
    if isinstance(value, str):
        return str(value) if isinstance(value, LongNumber) else storable_text(value)
    if isinstance(value, dict):
        return _storable_dict(value, levels - 1) if levels else _deep_text(value)
    if isinstance(value, list):
        return _list_or_same(value, [_storable(each, levels - 1) for each in value]) if levels else _deep_text(value)
    if isinstance(value, float):
        return _storable_float(value)
    if isinstance(value, int) and not SMALLEST_INT <= value <= GREATEST_INT:
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


class LongNumber(str):
    """The digits of a number that has too many for 64 bits."""

    __slots__ = ()


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
