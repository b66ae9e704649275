"""Enumerations that accept words a newer server may send."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class OpenEnum(StrEnum):
    """An enumeration that keeps unlisted words: ``TaskState("BLOCKED")`` is a value that equals its text."""

    @classmethod
    def _missing_(cls, value: object) -> Self:
        word = str(value)
        member = str.__new__(cls, word)
        member._name_ = word
        member._value_ = word
        return member
