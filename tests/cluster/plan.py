"""What happens to the parts of a cluster, and to SOPS, in one round. All of it follows the seed."""

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
    OUTAGES = "outages"
    TRIGGERERS = "triggerers"
    SCHEDULERS = "schedulers"
    UPGRADE = "upgrade"
    EVERYTHING = "everything"


class Means(StrEnum):
    """How a part comes to its end."""

    PROCESS = "kill -9 of its process"
    HOST = "kill -9 of all its processes"
    UPGRADE = "SIGTERM, then the current version"


class OutageKind(StrEnum):
    """How SOPS is out of reach."""

    NO_ANSWERS = "closes connections"
    PAGES = "answers with pages"
    #: It still does what it is asked.
    LOST_ANSWERS = "loses its answers"


_KINDS = {
    Theme.OUTAGES: (),
    Theme.WORKERS: (Kind.WORKER,),
    Theme.TRIGGERERS: (Kind.TRIGGERER,),
    Theme.SCHEDULERS: (Kind.SCHEDULER,),
    Theme.EVERYTHING: (Kind.WORKER, Kind.TRIGGERER, Kind.SCHEDULER),
}
_BLOWS = 4
_FIRST_SECONDS = (8.0, 16.0)
_PAUSE_SECONDS = (10.0, 20.0)
_DOWN_SECONDS = (3.0, 12.0)
#: When outages begin, since the one before, and how long they last: the first longer than a worker stays for one.
_OUTAGES = {
    Theme.OUTAGES: (((2.0, 8.0), (65.0, 85.0)), ((8.0, 20.0), (10.0, 40.0))),
    Theme.EVERYTHING: (((5.0, 30.0), (10.0, 30.0)),),
}


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
class Outage:
    """A time in which SOPS gives no usable answer; much shorter than the tasks' ``max_outage_seconds``.

    :param at_seconds: since the DAGs of the round were triggered.
    """

    kind: OutageKind
    at_seconds: float
    seconds: float

    @property
    def end_seconds(self) -> float:
        """When it ends, since the DAGs were triggered."""
        return self.at_seconds + self.seconds

    def __str__(self) -> str:
        return f"{self.at_seconds:.0f} s: SOPS {self.kind} for {self.seconds:.0f} s"


@dataclass(frozen=True)
class RoundPlan:
    """One round.

    :param number: from 1 on.
    """

    number: int
    theme: Theme
    blows: tuple[Blow, ...]
    outages: tuple[Outage, ...] = ()


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
    return RoundPlan(number, theme, tuple(blows), tuple(_outages(chance, theme)))


def _outages(chance: random.Random, theme: Theme) -> Iterator[Outage]:
    moment = 0.0
    for pause, seconds in _OUTAGES.get(theme, ()):
        outage = Outage(chance.choice(tuple(OutageKind)), moment + chance.uniform(*pause), chance.uniform(*seconds))
        moment = outage.end_seconds
        yield outage


def _moments(chance: random.Random) -> Iterator[float]:
    moment = chance.uniform(*_FIRST_SECONDS)
    while True:
        yield moment
        moment += chance.uniform(*_PAUSE_SECONDS)


def _in_turn(chance: random.Random, kinds: Sequence[Kind]) -> list[Part]:
    """Return parts, never one twice in a row."""
    parts = [Part(kind, number + 1) for kind in kinds for number in range(NUMBERS[kind])]
    if not parts:
        return []
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
