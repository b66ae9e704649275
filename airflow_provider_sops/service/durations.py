"""Read durations given by a DAG's author: a number of seconds or a timedelta."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

#: The type of an argument for a duration.
Duration = float | timedelta


def seconds(name: str, value: Any, *, above_zero: bool = False) -> float:
    """Return a duration in seconds.

    :param name: the argument's name, for the error.
    :param value: a number of seconds or a ``timedelta``.
    :param above_zero: whether zero is invalid.
    :raises TypeError: it is anything else, for example a template or another task's output, whose value is known only
        when the task runs.
    :raises ValueError: it is negative, infinite or NaN, or zero with ``above_zero``.
    """
    return _read(name, value, above_zero=above_zero, or_none="")


def seconds_or_none(name: str, value: Any, *, above_zero: bool = False) -> float | None:
    """Return a duration in seconds, or ``None`` for no limit; otherwise as ``seconds``."""
    return None if value is None else _read(name, value, above_zero=above_zero, or_none=", or None for no limit")


def poll_interval(value: Any) -> float | None:
    """Return the argument ``poll_interval_seconds``; ``None`` stands for the usual pace, otherwise as ``seconds``."""
    if value is None:
        return None
    return _read("poll_interval_seconds", value, above_zero=True, or_none=", or None for the usual pace")


def _read(name: str, value: Any, *, above_zero: bool, or_none: str) -> float:
    limit = "above 0" if above_zero else "of 0 or more"
    wanted = f"{name} is {value!r}; it must be a number of seconds {limit} or a timedelta{or_none}"
    if isinstance(value, timedelta):
        number = value.total_seconds()
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        number = float(value)
    else:
        raise TypeError(f"{wanted}. Templates and other tasks' outputs cannot be used here")
    if not math.isfinite(number) or number < 0 or (above_zero and number == 0):
        raise ValueError(wanted)
    return number
