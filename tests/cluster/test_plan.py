"""What befalls a cluster follows the seed."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.cluster.parts import PARTS, Kind
from tests.cluster.plan import Means, Theme, plan_round

SEEDS = range(50)
THEMES = tuple(Theme)


def test_the_same_seed_gives_the_same_plan() -> None:
    assert plan_round(7, 3, THEMES) == plan_round(7, 3, THEMES)
    assert plan_round(7, 3, THEMES) != plan_round(8, 3, THEMES)


def test_the_themes_take_turns() -> None:
    assert [plan_round(1, number, THEMES[:2]).theme for number in range(1, 4)] == [*THEMES[:2], THEMES[0]]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("number", range(1, 6))
def test_blows_come_one_after_another_and_never_twice_in_a_row_on_the_same_part(seed: int, number: int) -> None:
    blows = plan_round(seed, number, THEMES).blows
    assert all(one.at_seconds < other.at_seconds and one.part != other.part for one, other in pairwise(blows))
    assert {blow.part for blow in blows} <= set(PARTS)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_upgrade_reaches_each_worker_and_each_triggerer_once(seed: int) -> None:
    blows = plan_round(seed, 1, [Theme.UPGRADE]).blows
    assert sorted(blow.part for blow in blows) == sorted(
        part for part in PARTS if part.kind in (Kind.WORKER, Kind.TRIGGERER)
    )
    assert {blow.means for blow in blows} == {Means.UPGRADE}


def test_each_part_has_a_host_of_its_own() -> None:
    assert len({part.host for part in PARTS}) == len(PARTS)
