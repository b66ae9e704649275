"""What a watched flow looks like in Airflow: its tasks, groups, edges and rules. Nothing is run."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG, task_group

from airflow_provider_sops.dag_generator import PipelineTree, SopsDag, SopsTaskGroup
from airflow_provider_sops.dag_generator.watch import builder
from airflow_provider_sops.dag_generator.watch.flow_tasks import FlowOperator, FlowStartOperator
from airflow_provider_sops.dag_generator.watch.node_mirror import NodeMirrorOperator
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from tests.dag_generator.dag_writing import written_dag
from tests.dag_generator.flow_trees import GATEWAYS, edges, required, rule_of, tree
from tests.sops.builders import activity, constant, password
from tests.sops.builders import subprocess as sub

if TYPE_CHECKING:
    from pathlib import Path


def make_dag(made: Any, **arguments: Any) -> SopsDag:
    return SopsDag(
        "watched",
        pipeline=made,
        **{"template_id": 7, "schedule": None, "start_date": pendulum.datetime(2026, 1, 1, tz="UTC"), **arguments},
    )


def mirror(dag: Any, name: str) -> NodeMirrorOperator:
    (found,) = (task for task in dag.tasks if isinstance(task, NodeMirrorOperator) and task.task_display_name == name)
    return found


class TestTasks:
    def test_start_flow_and_a_mirror_for_each_node_that_is_no_event(self) -> None:
        dag = make_dag(tree("s > a > b > e"))
        assert isinstance(dag.get_task("start"), FlowStartOperator)
        assert isinstance(dag.get_task("flow"), FlowOperator)
        assert edges(dag) == {"start > flow", "start > a", "a > b"}

    def test_the_flow_is_given_nothing_of_what_its_sops_task_is_made_with(self) -> None:
        made = tree("s > a > e", constants={"${pw}": password("${pw}", "")})
        dag = make_dag(made, constants={"${pw}": "{{ conn.db.password }}"})
        start = dag.get_task("start")
        assert isinstance(start, FlowStartOperator)
        assert start.constants == {"${pw}": "{{ conn.db.password }}"}
        flow = dag.get_task("flow")
        assert set(flow.template_fields) == {"sops_conn_id", "bk_biz_id", "scope", "flow_type"}
        assert "conn.db.password" not in str(vars(flow))

    def test_the_file_of_the_dag_is_the_users(self) -> None:
        assert make_dag(tree("s > a > e")).fileloc == __file__

    def test_a_subprocess_is_a_task_group(self) -> None:
        inner = tree("s2 > x1 > y1 > e2")
        dag = make_dag(tree("s > a > call > b > e", nodes={"call": sub("call", inner)}))
        assert edges(dag) == {"start > flow", "start > a", "a > call.x1", "call.x1 > call.y1", "call.y1 > b"}

    def test_a_subprocess_that_is_folded_is_one_task(self) -> None:
        folded = {**sub("call", {}), "template_id": "3"}
        del folded["pipeline"]
        assert edges(make_dag(tree("s > call > e", nodes={"call": folded}))) == {"start > flow", "start > call"}

    def test_back_edges_of_a_loop_are_left_out_and_written_down(self) -> None:
        dag = make_dag(tree("s > a > x > a", "s > a > x > e", nodes=GATEWAYS))
        assert edges(dag) == {"start > flow", "start > a", "a > exclusive_gateway", "start > exclusive_gateway"}
        gateway = mirror(dag, "exclusive gateway")
        assert gateway.doc is not None
        assert "go back to a" in gateway.doc
        assert gateway.node.last_round_after == (("e",),)

    def test_branches_are_labelled_with_their_conditions(self) -> None:
        dag = make_dag(tree("s > x > a > v > e", "s > x > b > v > e", nodes=GATEWAYS))
        gateway = mirror(dag, "exclusive gateway")
        labels = {dag.get_edge_info(gateway.task_id, mirror(dag, name).task_id)["label"] for name in ("a", "b")}
        assert labels == {"case 0", "case 1"}

    def test_each_mirror_knows_what_rules_its_node_out(self) -> None:
        dag = make_dag(tree("s > x > a > v > e", "s > x > b > v > e", nodes=GATEWAYS))
        assert mirror(dag, "a").node.never_after == (("b",),)

    def test_a_group_in_ones_own_dag_has_the_same_tasks(self) -> None:
        with DAG("own", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")) as dag:
            SopsTaskGroup("deploy", pipeline=tree("s > a > e"), template_id=7)
        assert edges(dag) == {"deploy.start > deploy.flow", "deploy.start > deploy.a"}
        assert mirror(dag, "a").start_task_id == "deploy.start"

    def test_a_group_whose_tasks_have_no_prefix_has_the_same_tasks(self) -> None:
        with DAG("own", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")) as dag:
            SopsTaskGroup("deploy", pipeline=tree("s > a > e"), template_id=7, prefix_group_id=False)
        assert edges(dag) == {"start > flow", "start > a"}
        assert mirror(dag, "a").start_task_id == "start"


class TestStages:
    MADE: ClassVar = tree(
        "s > a > b > call > c > e",
        nodes={
            "a": required("a", stage_name="准备"),
            "b": required("b", stage_name="deploy / 1"),
            "call": {
                **sub("call", tree("s2 > x1 > e2", nodes={"x1": required("x1", stage_name="in")})),
                "stage_name": "准备",
            },
        },
    )

    def test_nodes_of_a_stage_are_a_group_named_as_it(self) -> None:
        dag: Any = make_dag(self.MADE, stages=True)
        assert edges(dag) == {
            "start > flow",
            "start > stage.a",
            "stage.a > deploy_1.b",
            "deploy_1.b > stage.call.in.x1",
            "stage.call.in.x1 > c",
        }
        shown = {
            getattr(group, "group_display_name", "") or group.tooltip for group in dag.task_group_dict.values() if group
        }
        assert {"准备", "deploy / 1", "call", "in"} <= shown

    def test_only_if_they_are_wanted(self) -> None:
        assert "a > b" in edges(make_dag(self.MADE))

    def test_in_a_group_of_ones_own_too(self) -> None:
        with DAG("own", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")) as dag:
            SopsTaskGroup("deploy", pipeline=self.MADE, template_id=7, stages=True)
        assert "deploy.stage.a > deploy.deploy_1.b" in edges(dag)


class TestRules:
    def test_a_skip_says_the_same_of_the_next_node_only_if_the_one_before_is_in_every_task(self) -> None:
        made = tree("s > a > b > c > e", nodes={"b": activity("b")})
        dag = make_dag(made)
        rules = {name: rule_of(mirror(dag, name)) for name in "abc"}
        assert rules == {"a": "none_failed", "b": "all_success", "c": "none_failed"}

    def test_at_a_free_pace_all_begin_once_the_task_is_started(self) -> None:
        dag = make_dag(tree("s > a > b > e"), pace="free")
        assert edges(dag) == {"start > flow", "start > a", "start > b", "a > b"}
        assert rule_of(mirror(dag, "b")) == "one_success"

    def test_in_a_loop_all_but_the_first_begin_once_the_task_is_started(self) -> None:
        inner = tree("s2 > y1 > e2")
        made = tree(
            "s > a > b > call > x > b", "s > a > b > call > x > c > e", nodes={**GATEWAYS, "call": sub("call", inner)}
        )
        dag = make_dag(made)
        rules = {"b": "all_success", "y1": "one_success", "exclusive gateway": "one_success", "c": "all_success"}
        assert {name: rule_of(mirror(dag, name)) for name in rules} == rules
        assert {"start > call.y1", "start > exclusive_gateway"} < edges(dag)
        assert not {"start > b", "start > c"} & edges(dag)

    def test_before_airflow_3_3_a_subprocess_in_a_loop_waits_for_no_mirror_in_a_mapped_group(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # There such tasks have all_success, by which a mirror that ends with the loop would keep them from starting.
        monkeypatch.setattr(builder, "AIRFLOW_V_3_3_PLUS", False)
        inner = tree("s3 > z > e3", nodes={"z": required("z")})
        called = tree("s2 > y > in2 > e2", nodes={"y": required("y"), "in2": sub("in2", inner, optional=False)})
        made = tree(
            "s > a > in1 > x > a",
            "s > a > in1 > x > c > e",
            nodes={**GATEWAYS, "in1": sub("in1", called, optional=False)},
        )
        with DAG("mapped", schedule=None) as dag:

            @task_group
            def each(value: int) -> None:
                SopsTaskGroup("flow", pipeline=made, template_id=7, constants={"${v}": value})

            each.expand(value=[1, 2])
        for name in ("y", "z"):
            (inside,) = (each for each in dag.tasks if each.task_id.split(".")[-1].startswith(f"{name}__"))
            assert (rule_of(inside), inside.upstream_task_ids) == ("all_success", {"each.flow.start"})

    def test_the_flow_leaves_time_for_the_mirrors_retries(self) -> None:
        delays = {"a": {"retries": 2, "retry_delay": timedelta(minutes=3)}}
        flow = make_dag(tree("s > a > e"), node_args=delays).get_task("flow")
        assert isinstance(flow, FlowOperator)
        assert flow.retry_delay_seconds == 180
        without = make_dag(tree("s > a > e")).get_task("flow")
        assert isinstance(without, FlowOperator)
        assert without.retry_delay_seconds is None


class TestNodeArgs:
    @pytest.mark.parametrize("pattern", ["copy files", "copy*", "a", "bk_display", "stage 1"])
    def test_nodes_are_named_by_name_id_plugin_or_stage(self, pattern: str) -> None:
        node = required("copy files", "bk_display", stage_name="stage 1")
        dag = make_dag(tree("s > a > b > e", nodes={"a": node}), node_args={pattern: {"owner": "ann"}})
        assert (mirror(dag, "copy files").owner, mirror(dag, "b").owner) == ("ann", "airflow")


class TestParams:
    CONSTANTS: ClassVar[dict[str, Any]] = {
        "${version}": constant("${version}", "1.0", name="Version", desc="What to deploy", index=2),
        "${count}": constant("${count}", "3", custom_type="int", index=1),
        "${hidden}": constant("${hidden}", "x", show_type="hide"),
        "${secret}": password("${secret}"),
    }

    def test_shown_constants_are_params_in_their_order_and_passwords_never(self) -> None:
        dag = make_dag(tree("s > a > e", constants=self.CONSTANTS))
        assert list(dag.params) == ["count", "version"]
        assert dag.params["count"] == 3
        param = dag.params.get_param("version")
        assert (param.schema["title"], param.description) == ("Version", "What to deploy")
        assert "hunter2" not in repr(dag.params.dump())

    def test_what_the_author_has_set_is_not_asked_for(self) -> None:
        dag = make_dag(tree("s > a > e", constants=self.CONSTANTS), constants={"${version}": "{{ ds }}"})
        assert list(dag.params) == ["count"]

    def test_optional_nodes_are_a_choice(self) -> None:
        dag = make_dag(tree("s > a > b > e", nodes={"b": activity("smoke test")}), exclude=["b"])
        param = dag.params.get_param("exclude_task_nodes_id")
        assert param.value == ["b"]
        assert param.schema["values_display"] == {"b": "smoke test (b)"}

    def test_params_of_ones_own_win(self) -> None:
        dag = make_dag(tree("s > a > e", constants=self.CONSTANTS), params={"version": "2.0", "extra": 1})
        assert (dag.params["version"], dag.params["extra"]) == ("2.0", 1)


class TestRefusals:
    def test_a_broken_tree_says_what_is_wrong(self) -> None:
        broken = tree("s > p > a > e", nodes=GATEWAYS)
        with pytest.raises(SopsInvalidParameterError, match="pipeline_tree is not valid"):
            make_dag(broken)

    def test_a_tree_alone_needs_the_templates_id(self) -> None:
        with pytest.raises(SopsInvalidParameterError, match="template_id is missing"):
            make_dag(tree("s > a > e"), template_id=None)

    @pytest.mark.parametrize("wrong", [{"pace": "fast"}, {"on_template_change": "ignore"}, {"on_failed": "shrug"}])
    def test_wrong_words_are_refused_when_the_dag_is_built(self, wrong: Any) -> None:
        with pytest.raises((SopsInvalidParameterError, ValueError), match="must be"):
            make_dag(tree("s > a > e"), **wrong)

    @pytest.mark.parametrize("name", ["sops_conn_id", "timeout_seconds", "task_id", "trigger_rule", "task_group"])
    def test_node_args_cannot_set_what_the_whole_flow_has(self, name: str) -> None:
        with pytest.raises(SopsInvalidParameterError, match=rf"node_args of .*\(a\) must not set {name}\. .*SopsDag"):
            make_dag(tree("s > a > e"), node_args={"a": {name: "1", "owner": "ann"}})


HOSTILE = [
    "发布 版本",
    "🚀 \"quotes\" 'and' `ticks`",
    "{{ ti.xcom_pull('x') }} {% raw %}",
    "${__import__('os')} ${version}",
    "<script>alert(1)</script> & <b>",
    "a/b\\c\n\td\0e",
    "x" * 10_000,
    "..",
    "start",
    "flow",
]


class TestNamesFromSops:
    def test_any_name_is_data(self) -> None:
        ids = [f"n{number}" for number in range(len(HOSTILE))]
        nodes = {node_id: required(name) for node_id, name in zip(ids, HOSTILE, strict=True)}
        dag = make_dag(tree(" > ".join(["s", *ids, "e"]), nodes=nodes))
        mirrors = [task for task in dag.tasks if isinstance(task, NodeMirrorOperator)]
        assert len({task.task_id for task in dag.tasks}) == len(HOSTILE) + 2
        assert all(task.task_id.isascii() and len(task.task_id) <= 250 for task in mirrors)
        assert all(not set(HOSTILE) & set(map(str, vars(task).get("template_fields", ()))) for task in mirrors)
        shown = {task.task_display_name for task in mirrors}
        assert {name for name in HOSTILE if len(name) < 100 and "\0" not in name} <= shown
        for task in mirrors:
            for field in task.template_fields:
                assert str(getattr(task, field)) not in HOSTILE


class TestByteStability:
    @pytest.mark.timeout(400)
    @pytest.mark.integration
    def test_the_same_tree_gives_the_same_dag_whatever_the_hash_seed(self, tmp_path: Path) -> None:
        inner = tree("s2 > x1 > y1 > e2")
        ways = ("s > x > a > v > call > e", "s > x > b > v > call > e")
        made = json.dumps(tree(*ways, nodes={**GATEWAYS, "call": sub("call", inner)}))
        first = written_dag(made, seed=0, bytecode=tmp_path)
        assert "exclusive_gateway__x" in first
        with ThreadPoolExecutor(max_workers=2) as pool:
            assert set(pool.map(lambda seed: written_dag(made, seed=seed, bytecode=tmp_path), range(1, 20))) == {first}

    def test_reading_a_tree_calls_nobody_and_changes_nothing(self) -> None:
        made = tree("s > a > e")
        before = json.dumps(made)
        make_dag(PipelineTree.from_dict(made))
        assert json.dumps(made) == before
