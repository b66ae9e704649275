"""Random flows come out in Airflow as in SOPS; ``make differential`` tries many more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_sops.version_compat import AIRFLOW_V_3_0_PLUS
from tests.differential.drawing import draw
from tests.differential.native_run import run_natively
from tests.differential.trial import compare, compare_natively, run_directly
from tests.differential.watched_run import run_here

if TYPE_CHECKING:
    from demo.local_sops import LocalSops
    from tests.differential.plain_sops import PlainSops

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("airflow_db")]

_SEED = 6
_TREES = 10 if AIRFLOW_V_3_0_PLUS else 25


@pytest.mark.parametrize("number", range(_TREES))
def test_every_node_comes_out_as_in_sops(
    number: int, plain_sops: PlainSops, probing_sops: LocalSops, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SOPS_DEFAULT", probing_sops.connection_json())
    direct = run_directly(draw(_SEED, number, most_nodes=10), plain_sops)
    trial = compare(direct, run_here(direct.drawn, direct.template_id), plain_sops)

    assert not trial.differences


@pytest.mark.parametrize("number", range(_TREES))
def test_airflow_itself_runs_every_node_as_sops_does(
    number: int, plain_sops: PlainSops, probing_sops: LocalSops, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SOPS_DEFAULT", probing_sops.connection_json())
    direct = run_directly(draw(_SEED, number, most_nodes=10), plain_sops)
    native = run_natively(direct.drawn, direct.template_id)

    assert not compare_natively(direct, native, plain_sops)
