"""How long to pause between two looks at what has been running for some time."""

from __future__ import annotations

from typing import Any

#: The usual limit.
LONGEST_PAUSE_SECONDS = 10.0
#: A shorter pause costs more requests than anybody notices.
SHORTEST_PAUSE_SECONDS = 1.5
#: An end is noticed after at most this part of the time that led to it.
_SHARE_OF_AGE = 0.1
#: Pauses of few different lengths share requests.
_STEP_SECONDS = 0.5


def poll_arguments(poll_interval_seconds: float | None) -> dict[str, Any]:
    """Return the arguments of a wait that say how often to look.

    :param poll_interval_seconds: the time between two looks, or ``None`` for the usual pace.
    """
    if poll_interval_seconds is None:
        return {"poll_interval_seconds": LONGEST_PAUSE_SECONDS, "paced": True}
    return {"poll_interval_seconds": poll_interval_seconds}


def pause_seconds(age_seconds: float, longest_seconds: float) -> float:
    """Return the pause before the next look: a tenth of the age, neither very short nor longer than a limit.

    :param age_seconds: how long what is waited for has been running.
    :param longest_seconds: the limit.
    """
    steps = round(_SHARE_OF_AGE * age_seconds / _STEP_SECONDS)
    return min(longest_seconds, max(SHORTEST_PAUSE_SECONDS, steps * _STEP_SECONDS))
