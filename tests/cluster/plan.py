"""What befalls the parts of a cluster in one round. All of it follows the seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING

from tests.cluster.parts import NUMBERS, Kind, Part

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Theme(StrEnum):
    """What a round is about."""

    WORKERS = "workers"
    TRIGGERERS = "triggerers"
    SCHEDULERS = "schedulers"
    UPGRADE = "upgrade"
    EVERYTHING = "everything"


class Means(StrEnum):
    """How a part comes to its end."""

    PROCESS = "kill -9 of its process"
    HOST = "kill -9 of all its processes"
    UPGRADE = "SIGTERM, then the current version"


_KINDS = {
    Theme.WORKERS: (Kind.WORKER,),
    Theme.TRIGGERERS: (Kind.TRIGGERER,),
    Theme.SCHEDULERS: (Kind.SCHEDULER,),
    Theme.EVERYTHING: (Kind.WORKER, Kind.TRIGGERER, Kind.SCHEDULER),
}
_BLOWS = 4
_FIRST_SECONDS = (8.0, 16.0)
_PAUSE_SECONDS = (10.0, 20.0)
_DOWN_SECONDS = (3.0, 12.0)


@dataclass(frozen=True)
class Blow:
    """What happens to one part.

    :param at_seconds: since the DAGs of the round were triggered; in an upgrade, since enough of them wait for the
        older version to have something to hand over.
    :param down_seconds: how long it stays away.
    """

    part: Part
    means: Means
    at_seconds: float
    down_seconds: float

    def __str__(self) -> str:
        return f"{self.at_seconds:.0f} s: {self.part}, {self.means}, back after {self.down_seconds:.0f} s"


@dataclass(frozen=True)
class RoundPlan:
    """One round.

    :param number: from 1 on.
    """

    number: int
    theme: Theme
    blows: tuple[Blow, ...]


def plan_round(seed: int, number: int, themes: Sequence[Theme]) -> RoundPlan:
    """Return the plan of one round; the same for the same arguments.

    :param themes: they take turns.
    """
    theme = themes[(number - 1) % len(themes)]
    chance = random.Random(f"{seed}/{number}/{theme}")
    moments = _moments(chance)
    if theme is Theme.UPGRADE:
        blows = [Blow(part, Means.UPGRADE, next(moments), 0.0) for part in _in_turn_of_upgrade(chance)]
    else:
        blows = [
            Blow(part, chance.choice((Means.PROCESS, Means.HOST)), next(moments), chance.uniform(*_DOWN_SECONDS))
            for part in _in_turn(chance, _KINDS[theme])
        ]
    return RoundPlan(number, theme, tuple(blows))


def _moments(chance: random.Random) -> Iterator[float]:
    moment = chance.uniform(*_FIRST_SECONDS)
    while True:
        yield moment
        moment += chance.uniform(*_PAUSE_SECONDS)


def _in_turn(chance: random.Random, kinds: Sequence[Kind]) -> list[Part]:
    """Return parts, never one twice in a row."""
    parts = [Part(kind, number + 1) for kind in kinds for number in range(NUMBERS[kind])]
    count = max(_BLOWS, len(parts))
    while True:
        turns = [part for _ in range(-(-count // len(parts))) for part in chance.sample(parts, len(parts))]
        if all(one != other for one, other in pairwise(turns)):
            return turns[:count]


def _in_turn_of_upgrade(chance: random.Random) -> list[Part]:
    """Return all triggerers and workers: triggerers first, as the documentation says, or in any order."""
    kinds = (Kind.TRIGGERER, Kind.WORKER)
    parts = [Part(kind, number + 1) for kind in kinds for number in range(NUMBERS[kind])]
    return parts if chance.random() < 0.5 else chance.sample(parts, len(parts))
