"""Waiting for something that other programs do."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LOOK_AGAIN_SECONDS = 0.2


class OutOfPatienceError(Exception):
    """Something has not happened in time."""


def happens(what: Callable[[], bool], *, within_seconds: float, check: Callable[[], None]) -> bool:
    """Look until something has happened; return whether it did in time.

    :param check: raises if a program that is needed for it has died.
    """
    deadline = time.monotonic() + within_seconds
    while not what():
        if time.monotonic() > deadline:
            return False
        check()
        time.sleep(_LOOK_AGAIN_SECONDS)
    return True


def wait_until(what: Callable[[], bool], name: str, *, within_seconds: float, check: Callable[[], None]) -> None:
    """Wait for something.

    :param name: says what, for the error.
    :raises OutOfPatienceError: it has not happened in time.
    """
    if not happens(what, within_seconds=within_seconds, check=check):
        raise OutOfPatienceError(f"{name}: not within {within_seconds:g} s")
