"""Random flows under a scheduler and a triggerer, all at the same time."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_sops.task_instance.xcom import NODE_XCOM_KEY, TASK_ID_XCOM_KEY
from tests.differential import dags
from tests.differential.drawing import draw
from tests.differential.trial import Direct, compare, run_directly
from tests.differential.watched_run import Shown, WatchedRun, dag_arguments, mirrors
from tests.real_airflow.conftest import start_airflow_3

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.local_sops import LocalSops
    from tests.differential.plain_sops import PlainSops
    from tests.real_airflow.conftest import RealAirflow

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

_SEED = 195
_TREES = range(5)


@pytest.fixture(scope="module")
def direct_runs(plain_sops: PlainSops) -> dict[int, Direct]:
    """The flows, started in SOPS alone."""
    return {number: run_directly(draw(_SEED, number, most_nodes=9), plain_sops) for number in _TREES}


@pytest.fixture(scope="module")
def airflow(
    direct_runs: dict[int, Direct], probing_sops: LocalSops, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RealAirflow]:
    """An Airflow in which all of them run."""
    folder = tmp_path_factory.mktemp("real_airflow")
    dags_folder = folder / "dags"
    dags_folder.mkdir()
    (dags_folder / "dags.py").write_text(Path(dags.__file__).read_text())
    for direct in direct_runs.values():
        arguments = dag_arguments(direct.drawn, direct.template_id, poll_interval_seconds=1)
        (dags_folder / f"{direct.drawn.name}.json").write_text(json.dumps(arguments))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    with ExitStack() as running:
        started = start_airflow_3(folder / "home", dags_folder, probing_sops, environment, running)
        for direct in direct_runs.values():
            started.trigger(direct.drawn.name)
        yield started


@pytest.mark.parametrize("number", _TREES)
def test_every_node_comes_out_as_in_sops(
    number: int, direct_runs: dict[int, Direct], airflow: RealAirflow, plain_sops: PlainSops
) -> None:
    direct = direct_runs[number]
    trial = compare(direct, watched(direct, airflow), plain_sops)

    assert not trial.differences


def watched(direct: Direct, airflow: RealAirflow) -> WatchedRun:
    """Wait for the end of a run and read it."""
    metadata, dag_id = airflow.metadata, direct.drawn.name
    state = metadata.wait_until(
        lambda: (found := metadata.run_state(dag_id)) in ("success", "failed") and found, f"{dag_id} ends", seconds=240
    )

    def shown(task_id: str) -> Shown:
        returned, node = metadata.xcom(dag_id, task_id), metadata.xcom(dag_id, task_id, NODE_XCOM_KEY)
        return Shown(str(metadata.state_of(dag_id, task_id)), returned, node)

    dag = dags.watching_dag(**dag_arguments(direct.drawn, direct.template_id))
    return WatchedRun(
        state=state,
        sops_task_id=int(metadata.xcom(dag_id, "start", TASK_ID_XCOM_KEY)),
        flow=shown("flow"),
        nodes={key: shown(task_id) for key, task_id in mirrors(dag).items()},
    )
