"""Wait for other programs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LOOK_AGAIN_SECONDS = 0.2


class OutOfPatienceError(Exception):
    """A condition was not met in time."""


def happens(what: Callable[[], bool], *, within_seconds: float, check: Callable[[], None]) -> bool:
    """Poll until a condition is met; return whether it was in time.

    :param check: raises if a required program has died.
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

    :param name: names it in the error.
    :raises OutOfPatienceError: it was not met in time.
    """
    if not happens(what, within_seconds=within_seconds, check=check):
        raise OutOfPatienceError(f"{name}: not within {within_seconds:g} s")
