"""The facets of operators and sensors, with the few classes of OpenLineage that they are made of in its place."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.operators.sops import SopsRunTaskOperator, SopsStartTaskOperator
from airflow_provider_sops.sensors.sops import SopsNodeSensor, SopsTaskSensor
from airflow_provider_sops.task_instance.openlineage import asset_as_dataset, source_of
from tests.task_progress import wait_for_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_sops.hooks.sops import SopsHook

MAKE: dict[str, Callable[[], Any]] = {
    "run": lambda: SopsRunTaskOperator(task_id="run", template_id=1),
    "start": lambda: SopsStartTaskOperator(task_id="run", sops_task_id=1),
    "task": lambda: SopsTaskSensor(task_id="run", sops_task_id=1),
    "node": lambda: SopsNodeSensor(task_id="run", sops_task_id=1, node_id="a"),
}


@dataclass
class Lineage:
    run_facets: dict[str, Any] = field(default_factory=dict)


class RunFacet:
    def with_additional_properties(self, **properties: Any) -> dict[str, Any]:
        return properties


@dataclass
class ExternalQuery:
    externalQueryId: str  # noqa: N815 - OpenLineage's
    source: str


@dataclass
class Dataset:
    namespace: str
    name: str


@pytest.fixture(autouse=True)
def openlineage(monkeypatch: pytest.MonkeyPatch) -> None:
    """The modules of the provider and its client."""
    contents: dict[str, dict[str, Any]] = {
        "airflow.providers.openlineage": {},
        "airflow.providers.openlineage.extractors": {"OperatorLineage": Lineage},
        "openlineage": {},
        "openlineage.client": {},
        "openlineage.client.event_v2": {"Dataset": Dataset},
        "openlineage.client.facet_v2": {
            "RunFacet": RunFacet,
            "external_query_run": SimpleNamespace(ExternalQueryRunFacet=ExternalQuery),
        },
    }
    for name, values in contents.items():
        module = ModuleType(name)
        vars(module).update(values)
        monkeypatch.setitem(sys.modules, name, module)


def task_instance(sops_task_id: Any) -> Any:
    """A task instance that has pushed an id."""

    def xcom_pull(*, task_ids: str, key: str, map_indexes: int) -> Any:
        assert (task_ids, key, map_indexes) == ("run", "sops_task_id", 3)
        return sops_task_id

    return SimpleNamespace(task_id="run", map_index=3, xcom_pull=xcom_pull)


@pytest.fixture
def finished(hook: SopsHook, templates: dict[str, int]) -> int:
    """A SOPS task that has ended."""
    sops_task_id = hook.create_task(templates["quick"], "lineage").task_id
    hook.start_task(sops_task_id)
    wait_for_state(hook, sops_task_id, "FINISHED")
    return sops_task_id


@pytest.mark.integration
@pytest.mark.parametrize("kind", MAKE)
def test_operators_and_sensors_describe_the_sops_task(kind: str, finished: int, hook: SopsHook) -> None:
    lineage = MAKE[kind]().get_openlineage_facets_on_complete(task_instance(finished))

    facts = lineage.run_facets["sops_task"]
    assert lineage.run_facets["externalQuery"] == ExternalQuery(str(finished), source_of(hook))
    assert (facts["name"], facts["state"]) == ("lineage", "FINISHED")
    assert facts["nodes"]
    assert facts["url"].startswith("http")


def test_without_a_sops_task_there_is_nothing_to_tell() -> None:
    assert MAKE["run"]().get_openlineage_facets_on_complete(task_instance(None)) is None


def test_without_an_answer_the_id_alone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_SOPS_DEFAULT",
        '{"conn_type": "sops", "host": "http://127.0.0.1:9", "login": "a", "password": "b", '
        '"extra": {"bk_username": "admin", "bk_biz_id": 2}}',
    )

    lineage = MAKE["run"]().get_openlineage_facets_on_complete(task_instance(7))

    assert lineage.run_facets == {"externalQuery": ExternalQuery("7", "sops://127.0.0.1:9/2")}


def test_an_asset_is_a_dataset_of_its_host() -> None:
    asset = SimpleNamespace(uri="sops://bk-sops.example.com/2/nightly")

    assert asset_as_dataset(asset, None) == Dataset("sops://bk-sops.example.com", "2/nightly")
