from __future__ import annotations

import pendulum
import pytest

from airflow_provider_sops.enos.trigger_slots import TriggerSlots

DUE = pendulum.datetime(2026, 3, 1, 2, 0, 7, 999)


@pytest.mark.parametrize(
    ("try_number", "max_tries", "retries", "own_minute", "earlier"),
    [
        pytest.param(1, 0, 0, 0, (), id="first try"),
        pytest.param(1, 2, 2, 0, (), id="first try of three"),
        pytest.param(3, 2, 2, 2, (2, 1), id="last retry"),
        pytest.param(4, 5, 2, 3, (), id="cleared after three tries"),
        pytest.param(5, 5, 2, 4, (4,), id="retry after a clear"),
        pytest.param(2, 1, 5, 1, (1,), id="retries were raised meanwhile"),
        pytest.param(2, 5, 0, 1, (), id="retries were lowered meanwhile"),
        pytest.param(0, 0, 0, 0, (), id="no try yet"),
    ],
)
def test_each_try_has_a_minute_of_its_own_and_knows_those_before(
    try_number: int, max_tries: int, retries: int, own_minute: int, earlier: tuple[int, ...]
) -> None:
    slots = TriggerSlots.of(DUE, try_number=try_number, max_tries=max_tries, retries=retries)
    assert slots.own == pendulum.datetime(2026, 3, 1, 2, own_minute, 7)
    assert slots.earlier_tries == earlier


def test_a_trigger_time_is_found_again_in_its_minute() -> None:
    slots = TriggerSlots.of(DUE, try_number=2, max_tries=1, retries=1)
    assert slots.window_of(2) == (pendulum.datetime(2026, 3, 1, 2, 1), pendulum.datetime(2026, 3, 1, 2, 2))
