"""Lenient readers for the values in SOPS answers.

SOPS servers of different ages disagree on types: numbers arrive as strings, missing strings as ``null`` or ``""``,
flags as ``0``. These functions accept all of them and never raise, so an odd field costs that field, not the whole
answer.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Self

import pendulum

from airflow_provider_sops.service.storable import storable, storable_text

#: What a database column of 64 bits holds.
_GREATEST_INT = 2**63 - 1
_MOST_DIGITS = 19
#: The formats of SOPS have up to 26 characters, and some servers put more than one blank before the offset.
_LONGEST_TIME = 60
_SPACE_BEFORE_OFFSET = re.compile(r"\s+(?=[+-]\d{2}:?\d{2}$)")


def read_mapping(value: Any) -> Mapping[str, Any]:
    """Return ``value`` if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def read_list(value: Any) -> list[Any]:
    """Return ``value`` if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def read_text(value: Any) -> str:
    """Return ``value`` as a ``storable_text``; ``None`` is the empty text."""
    if isinstance(value, str):
        return storable_text(value)
    return "" if value is None else storable_text(str(storable(value)))


def read_int(value: Any, default: int = 0) -> int:
    """Return ``value`` as an integer, or ``default`` if it is not a number or exceeds 64 bits."""
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return default
    return number if abs(number) <= _GREATEST_INT else default


def read_id(value: Any) -> int | None:
    """Return an id that SOPS sends as a number in one call and as a string in another; ``None`` if it is neither."""
    if isinstance(value, str):
        value = int(value) if value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS else None
    return value if type(value) is int and 0 <= value <= _GREATEST_INT else None


def read_time(value: Any) -> pendulum.DateTime | None:
    """Return a zone-aware time; ``None`` for an unset or unreadable one.

    Accepts every format that SOPS uses: ``2026-11-20 18:34:08 +0800`` (statuses, details), the same without the
    space (clocked tasks), ``2026-11-20T10:34:13.084Z`` (task lists) and ``2019-01-17 04:13:08`` (details of the
    servers of 2019, which is UTC).
    """
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_TIME:
        return None
    try:
        moment = datetime.datetime.fromisoformat(_SPACE_BEFORE_OFFSET.sub("", value.strip()))
        return pendulum.instance(moment, tz="UTC")
    except (ValueError, OverflowError):
        return None


class OpenEnum(StrEnum):
    """An enumeration that keeps unlisted words: ``TaskState("BLOCKED")`` is a value that equals its text."""

    @classmethod
    def _missing_(cls, value: object) -> Self:
        word = str(value)
        member = str.__new__(cls, word)
        member._name_ = word
        member._value_ = word
        return member
