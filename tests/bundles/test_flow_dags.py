"""The DAGs that Airflow finds in a bundle's folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk.definitions.context import Context
from airflow.serialization.serialized_objects import DagSerialization

from airflow_provider_sops.bundles.content import BundleContent, Flow, flow_file
from airflow_provider_sops.bundles.flow_dags import flow_dags
from airflow_provider_sops.bundles.folder import loader_file, update_folder
from airflow_provider_sops.bundles.options import BundleOptions
from airflow_provider_sops.dag_generator.template_reader import TemplateFilter
from airflow_provider_sops.sops.models import Template
from airflow_provider_sops.sops.pipeline_tree.snapshot import take_snapshot
from tests.dag_generator.flow_trees import tree

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE_NAMES = [
    '"""; import os; os.abort()  # {{ 1/0 }} {% raise %}',
    "back\\slash\nnew line\x00\ud800 <b>&amp;",
    "名" * 1000,
    "__class__.md",
    " ",
]


def flow(number: int, name: str = "flow", **fields: Any) -> Flow:
    template = Template(number, name, fields.pop("tree", tree("s > a > e")), fields)
    return Flow.of(take_snapshot(template, template_source="business", bk_biz_id=2, scope="cmdb_biz"))


def options(**more: Any) -> BundleOptions:
    return BundleOptions(bundle="night", wanted=TemplateFilter(category="Night"), **more)


def dags(folder: Path, flows: dict[int, Flow], **more: Any) -> dict[str, Any]:
    """Return the DAGs that Airflow finds."""
    update_folder(folder, BundleContent(options(**more), flows))
    bag = DagBag(str(folder), bundle_path=folder, bundle_name="night")
    assert bag.import_errors == {}
    return dict(bag.dags)


def test_each_template_is_a_paused_dag_named_after_it(tmp_path: Path) -> None:
    found = dags(tmp_path, {12: flow(12, "夜间备份"), 28: flow(28)}, dag_args={"tags": ["sops"], "stages": False})

    assert found.keys() == {"night_12", "night_28"}
    dag = found["night_12"]
    assert (dag.dag_display_name, dag.is_paused_upon_creation, dag.tags) == ("夜间备份", True, {"sops"})
    assert dag.timetable.can_be_scheduled is False
    assert "flow" in dag.task_ids
    assert dag.fileloc == str(tmp_path / loader_file(12))


def test_the_site_of_the_bundle_is_that_of_its_tasks(tmp_path: Path) -> None:
    found = dags(tmp_path, {1: flow(1)}, sops_conn_id="sops_night", bk_biz_id=7, scope="project")
    start = found["night_1"].get_task("start")

    assert (start.sops_conn_id, start.bk_biz_id, start.scope) == ("sops_night", 7, "project")


def test_native_mode(tmp_path: Path) -> None:
    assert {"start", "end"} <= set(dags(tmp_path, {1: flow(1)}, mode="native")["night_1"].task_ids)


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_name_is_data_and_no_code(tmp_path: Path, name: str) -> None:
    harmless, hostile = tmp_path / "harmless", tmp_path / "hostile"
    found = dags(hostile, {1: flow(1, name), 2: Flow.unreadable(2, name, reason=name)})
    dags(harmless, {1: flow(1), 2: flow(2)})

    assert found.keys() == {"night_1", "night_2"}
    for dag in found.values():
        assert DagSerialization.to_dict(dag)
        assert "\n" not in dag.dag_display_name
        assert 0 < len(dag.dag_display_name) < 300
    for path in hostile.glob("*.py"):
        assert path.read_bytes() == (harmless / path.name).read_bytes()


def test_a_template_that_was_not_readable_is_a_dag_with_the_reason(tmp_path: Path) -> None:
    lost = Flow.unreadable(1, "lost", reason="no permission\n# not a heading")
    dag = dags(tmp_path, {1: lost}, dag_args={"tags": ["sops"]})["night_1"]

    assert dag.tags == {"sops", "unusable SOPS template"}
    assert dag.is_paused_upon_creation
    assert dag.doc_md == "SOPS template 1 cannot become a DAG:\n\n    no permission\n        # not a heading\n"
    with pytest.raises(AirflowFailException, match="SOPS template 1 cannot become a DAG: no permission"):
        dag.get_task("reason").execute(Context())


@pytest.mark.parametrize("content", [b"", b"[]", b'{"pipeline_tree": {}}', b'{"template": "x", "pipeline_tree": 7}'])
def test_what_the_generator_refuses_costs_no_other_dag(tmp_path: Path, content: bytes) -> None:
    # Both are in one file.
    found = dags(tmp_path, {1: Flow(content), 17: flow(17)})

    assert found["night_1"].task_ids == ["reason"]
    assert "flow" in found["night_17"].task_ids


def test_a_flow_that_is_removed_while_airflow_reads_is_no_dag(tmp_path: Path) -> None:
    dags(tmp_path, {1: flow(1), 17: flow(17)})
    (tmp_path / flow_file(1)).unlink()

    assert flow_dags(str(tmp_path / loader_file(17))).keys() == {"night_17"}


def test_a_dag_that_was_half_built_is_not_left_behind(tmp_path: Path) -> None:
    found = dags(tmp_path, {1: flow(1)}, dag_args={"node_args": {"a": {"no_such_argument": 1}}})

    assert found["night_1"].task_ids == ["reason"]


def test_a_task_builds_its_own_dag_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dags(tmp_path, {1: flow(1), 17: flow(17)})
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "night_17")

    assert flow_dags(str(tmp_path / loader_file(17))).keys() == {"night_17"}


def test_the_same_version_gives_the_same_dag(tmp_path: Path) -> None:
    first, second = (
        DagSerialization.to_dict(dags(tmp_path / name, {1: flow(1)})["night_1"]) for name in ("first", "second")
    )
    for each in (first, second):
        del each["dag"]["fileloc"]

    assert first == second
