"""What happens to a cluster follows the seed."""

from __future__ import annotations

from itertools import pairwise

import pytest

from airflow_provider_sops.waiting.patience import WORKER_SECONDS
from tests.cluster.parts import PARTS, Kind
from tests.cluster.plan import Means, OutageKind, Theme, plan_round

SEEDS = range(50)
THEMES = tuple(Theme)


def test_the_same_seed_gives_the_same_plan() -> None:
    assert plan_round(7, 3, THEMES) == plan_round(7, 3, THEMES)
    assert plan_round(7, 3, THEMES) != plan_round(8, 3, THEMES)


def test_the_themes_take_turns() -> None:
    assert [plan_round(1, number, THEMES[:2]).theme for number in range(1, 4)] == [*THEMES[:2], THEMES[0]]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("number", range(1, len(THEMES) + 1))
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


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("theme", [Theme.OUTAGES, Theme.EVERYTHING])
def test_outages_come_one_after_another_and_end_within_two_minutes_and_a_half(seed: int, theme: Theme) -> None:
    outages = plan_round(seed, 1, [theme]).outages
    assert outages
    assert all(one.end_seconds < other.at_seconds for one, other in pairwise(outages))
    assert all(outage.seconds > 0 for outage in outages)
    assert outages[-1].end_seconds < 150


@pytest.mark.parametrize("seed", SEEDS)
def test_in_a_round_of_outages_nothing_is_killed_and_one_lasts_longer_than_a_worker_stays_for_it(seed: int) -> None:
    plan = plan_round(seed, 1, [Theme.OUTAGES])
    assert not plan.blows
    assert any(outage.seconds > WORKER_SECONDS for outage in plan.outages)


def test_sops_is_out_of_reach_in_every_way() -> None:
    assert {plan_round(seed, 1, [Theme.OUTAGES]).outages[0].kind for seed in SEEDS} == set(OutageKind)


def test_each_part_has_a_host_of_its_own() -> None:
    assert len({part.host for part in PARTS}) == len(PARTS)
