"""What a flow that Airflow runs looks like: its tasks, groups, edges and rules. Nothing is run."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG, TaskGroup

from airflow_provider_sops.dag_generator import PipelineTree, SopsDag, SopsTaskGroup
from airflow_provider_sops.dag_generator.converters import ConverterRegistry
from airflow_provider_sops.dag_generator.converters.messages import DisplayOperator
from airflow_provider_sops.dag_generator.native.gateway_tasks import ChoiceOperator, PassingOperator
from airflow_provider_sops.dag_generator.native.level_tasks import (
    FlowBeginOperator,
    LevelEndOperator,
    SubprocessBeginOperator,
)
from airflow_provider_sops.dag_generator.native.region_task import (
    DecidingRegionOperator,
    GatewayOperator,
    RegionOperator,
)
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from tests.dag_generator.dag_writing import written_dag
from tests.dag_generator.flow_trees import edges, required, rule_of, short, tree
from tests.plain_task_instance import PlainTaskInstance
from tests.sops.builders import activity, constant, password
from tests.sops.builders import subprocess as sub

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GATEWAYS = {
    "x": "ExclusiveGateway",
    "c": "ConditionalParallelGateway",
    "p": "ParallelGateway",
    "v": "ConvergeGateway",
}
MANY = "none_failed_min_one_success"
BRANCHES = ("s > x > a > v > e", "s > x > b > v > e")
LOOP = ("s > a > b > x > a", "s > a > b > x > d > e")


def make_dag(made: Any, **arguments: Any) -> Any:
    """The DAG of a flow whose nodes all run in SOPS unless there are ``converters``."""
    given = {"mode": "native", "template_id": 7, "converters": ConverterRegistry()}
    schedule = {"schedule": None, "start_date": pendulum.datetime(2026, 1, 1, tz="UTC")}
    return SopsDag("flow", pipeline=made, **{**given, **schedule, **arguments})


def task(dag: Any, name: str) -> Any:
    """The task whose id, without what makes it unique, is ``name``."""
    (found,) = (each for each in dag.tasks if short(each.task_id) == name)
    return found


def rules(dag: Any) -> dict[str, str]:
    return {short(each.task_id): rule_of(each) for each in dag.tasks}


def label(dag: Any, source: str, target: str) -> Any:
    return dag.get_edge_info(task(dag, source).task_id, task(dag, target).task_id).get("label")


def call(*, optional: bool = False, **fields: Any) -> Any:
    return {**sub("call", tree("s2 > x1 > y1 > e2", **fields)), "optional": optional}


def targets(deciding: Any) -> Any:
    """The tasks behind the exits of a region that decides, by the ids of the flows."""
    return deciding.piece.targets


def asked_by(piece: Any) -> Iterator[str]:
    """The tasks of which a piece knows the ids."""
    yield piece.values.start_task_id
    yield from (source.task_id for source in piece.values.sources.values())
    for holder in (piece, getattr(piece, "rendering", None)):
        yield from filter(None, (getattr(holder, name, None) for name in ("flow_start_task_id", "end_task_id")))


class TestTasks:
    def test_every_node_runs_between_start_and_end(self) -> None:
        dag = make_dag(tree("s > a > b > e"))

        assert edges(dag) == {"start > a", "a > b", "b > end"}
        kinds = {short(each.task_id): type(each) for each in dag.tasks}
        assert kinds == {"start": FlowBeginOperator, "a": RegionOperator, "b": RegionOperator, "end": LevelEndOperator}
        assert set(rules(dag).values()) == {"all_success"}

    def test_parallel_gateways_run_nothing(self) -> None:
        dag = make_dag(tree("s > p > a > v > e", "s > p > b > v > e", nodes=GATEWAYS))

        assert {"parallel_gateway > a", "parallel_gateway > b", "a > converge_gateway"} < edges(dag)
        for name in ("parallel_gateway", "converge_gateway"):
            assert isinstance(task(dag, name), PassingOperator)
            assert task(dag, name).inherits_from_empty_operator is True
        assert rules(dag) == {
            **dict.fromkeys(("start", "parallel_gateway", "a", "b", "end"), "all_success"),
            "converge_gateway": MANY,
        }

    @pytest.mark.parametrize("gateway", ["x", "c"])
    def test_a_gateway_that_decides_knows_the_task_behind_each_exit(self, gateway: str) -> None:
        ways = [way.replace("x", gateway) for way in BRANCHES]
        dag = make_dag(tree(*ways, nodes=GATEWAYS))
        (found,) = (each for each in dag.tasks if isinstance(each, GatewayOperator))

        assert targets(found) == {f"{gateway}-{end}": task(dag, end).task_id for end in "ab"}
        assert found.downstream_task_ids == set(targets(found).values())
        assert found.inherits_from_skipmixin is True
        assert rules(dag)["converge_gateway"] == MANY

    def test_a_piece_holds_what_it_is_and_stands_on_few_classes(self) -> None:
        ours = [each for each in GatewayOperator.__mro__[1:] if each.__module__.startswith("airflow_provider_sops")]
        assert len(ours) <= 3

    def test_its_branches_are_labelled_with_their_conditions(self) -> None:
        dag = make_dag(tree(*BRANCHES, nodes=GATEWAYS))

        assert {label(dag, "exclusive_gateway", end) for end in "ab"} == {"case 0", "case 1"}

    def test_a_node_where_branches_meet_begins_when_none_failed_and_one_was_taken(self) -> None:
        dag = make_dag(tree("s > x > a > b > e", "s > x > b > e", nodes=GATEWAYS))

        assert (rules(dag)["b"], rules(dag)["end"]) == (MANY, "all_success")
        assert task(dag, "exclusive_gateway").piece.targets == {
            name: task(dag, name[-1]).task_id for name in ("x-a", "x-b")
        }

    def test_a_loop_is_one_task_that_decides_between_its_exits(self) -> None:
        dag = make_dag(tree(*LOOP, nodes=GATEWAYS))
        loop = task(dag, "a")

        assert edges(dag) == {"start > a", "a > d", "d > end"}
        assert isinstance(loop, DecidingRegionOperator)
        assert targets(loop) == {"x-d": task(dag, "d").task_id}
        assert (loop.task_display_name, rule_of(loop)) == ("a …", "all_success")
        assert loop.doc == "A loop, which SOPS runs as a whole: a, b, ExclusiveGateway"

    def test_a_node_behind_two_exits_of_a_loop_has_one_task_before_it(self) -> None:
        ways = ("s > a > x > b > y > a", "s > a > x > d > e", "s > a > x > b > y > d > e")
        dag = make_dag(tree(*ways, nodes={**GATEWAYS, "y": GATEWAYS["x"]}))

        assert edges(dag) == {"start > a", "a > d", "d > end"}
        assert targets(task(dag, "a")) == dict.fromkeys(("x-d", "y-d"), task(dag, "d").task_id)
        assert rules(dag)["d"] == "all_success"

    def test_the_file_of_the_dag_is_the_users(self) -> None:
        assert make_dag(tree("s > a > e")).fileloc == __file__

    def test_a_group_in_ones_own_dag_has_the_same_tasks(self) -> None:
        with DAG("own", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")) as dag:
            made = tree("s > a > e", nodes={"a": activity("a")})
            SopsTaskGroup("deploy", pipeline=made, template_id=7, mode="native", converters=ConverterRegistry())

        assert edges(dag) == {"deploy.start > deploy.a", "deploy.a > deploy.end"}
        assert task(dag, "deploy.a").piece.flow_start_task_id == "deploy.start"

    @pytest.mark.parametrize("prefixes", [(True, True), (True, False), (False, True), (False, False)])
    def test_tasks_find_each_other_whatever_their_ids_begin_with(self, prefixes: tuple[bool, bool]) -> None:
        output = {
            "${out}": constant("${out}", "", source_type="component_outputs", source_info={"a": ["out"]}),
            "${from}": constant("${from}", "", source_type="component_outputs", source_info={"call": ["${said}"]}),
        }
        made = tree("s > a > call > e", nodes={"call": call(optional=True)}, constants=output)
        with DAG("own", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")) as dag:
            around, inside = prefixes
            with TaskGroup("around", prefix_group_id=around):
                SopsTaskGroup("deploy", pipeline=made, template_id=7, mode="native", prefix_group_id=inside)

        asked = {task_id for each in dag.tasks if hasattr(each, "piece") for task_id in asked_by(each.piece)}
        assert asked
        assert asked <= set(dag.task_ids)

    def test_only_an_optional_node_asks_whether_the_run_leaves_it_out(self) -> None:
        dag = make_dag(tree("s > a > b > e", nodes={"b": activity("b")}))

        assert (task(dag, "a").piece.flow_start_task_id, task(dag, "b").piece.flow_start_task_id) == (None, "start")


class TestSubprocesses:
    def test_one_is_a_group_between_a_start_and_an_end_of_its_own(self) -> None:
        dag = make_dag(tree("s > call > b > e", nodes={"call": call()}))

        assert edges(dag) == {
            "start > call.start",
            "call.start > call.x1",
            "call.x1 > call.y1",
            "call.y1 > call.end",
            "call.end > b",
            "b > end",
        }
        assert isinstance(task(dag, "call.start"), SubprocessBeginOperator)
        assert isinstance(task(dag, "call.end"), LevelEndOperator)
        assert set(rules(dag).values()) == {"all_success"}

    def test_one_that_is_optional_has_a_way_around_what_is_inside(self) -> None:
        dag = make_dag(tree("s > call > b > e", nodes={"call": call(optional=True)}))

        assert label(dag, "call.start", "call.end") == "left out"
        assert (rules(dag)["call.end"], rules(dag)["b"]) == (MANY, "all_success")
        given = task(dag, "call.start").piece.rendering
        assert (given.flow_start_task_id, given.end_task_id) == ("start", task(dag, "call.end").task_id)

    @pytest.mark.parametrize("pattern", ["call", "ca*"])
    def test_by_choice_it_is_one_task(self, pattern: str) -> None:
        dag = make_dag(tree("s > call > b > e", nodes={"call": call()}), subprocess_as_task=[pattern])

        assert edges(dag) == {"start > call", "call > b", "b > end"}
        assert isinstance(task(dag, "call"), RegionOperator)

    def test_a_folded_one_is_one_task(self) -> None:
        folded = {**call(), "template_id": "3"}
        del folded["pipeline"]

        assert edges(make_dag(tree("s > call > e", nodes={"call": folded}))) == {"start > call", "call > end"}

    def test_one_that_is_given_a_password_is_one_task(self) -> None:
        inner = call(constants={"${p}": constant("${p}", "${secret}")})
        made = tree("s > call > e", nodes={"call": inner}, constants={"${secret}": password("${secret}", "")})

        assert edges(make_dag(made)) == {"start > call", "call > end"}

    def test_one_inside_a_loop_belongs_to_the_loop(self) -> None:
        dag = make_dag(tree("s > call > x > call", "s > call > x > d > e", nodes={**GATEWAYS, "call": call()}))

        assert edges(dag) == {"start > call", "call > d", "d > end"}

    def test_stages_are_groups_if_they_are_wanted(self) -> None:
        made = tree("s > a > b > e", nodes={"a": required("a", stage_name="deploy")})

        assert "deploy.a > b" in edges(make_dag(made, stages=True))
        assert "a > b" in edges(make_dag(made))


class TestArguments:
    RETRIED: ClassVar = required("a", auto_retry={"enable": True, "interval": 5, "times": 3})

    def test_retries_of_the_server_become_those_of_airflow(self) -> None:
        dag = make_dag(tree("s > a > b > e", nodes={"a": self.RETRIED}))

        assert (task(dag, "a").retries, task(dag, "a").retry_delay) == (3, timedelta(seconds=5))
        assert task(dag, "b").retries == 0

    def test_a_node_whose_failure_does_not_matter_is_not_retried(self) -> None:
        ignored = {**self.RETRIED, "error_ignorable": True}

        assert task(make_dag(tree("s > a > e", nodes={"a": ignored})), "a").retries == 0

    def test_what_the_author_says_of_a_node_wins(self) -> None:
        made = tree("s > a > b > e", nodes={"a": self.RETRIED})
        dag = make_dag(made, node_args={"a": {"retries": 1, "owner": "ann", "pool": "slow"}})

        assert (task(dag, "a").retries, task(dag, "a").owner, task(dag, "a").pool) == (1, "ann", "slow")
        assert (task(dag, "b").owner, task(dag, "b").pool) == ("airflow", "default_pool")

    @pytest.mark.parametrize(
        "name", ["task_id", "trigger_rule", "task_group", "dag", "piece", "constants", "wait_for_completion"]
    )
    def test_node_args_cannot_set_what_follows_from_the_flow(self, name: str) -> None:
        with pytest.raises(SopsInvalidParameterError, match=rf"node_args of .*\(a\) must not set {name}\. In mode"):
            make_dag(tree("s > a > e"), node_args={"a": {name: "1", "owner": "ann"}})

    def test_a_converted_node_keeps_its_place_too(self) -> None:
        component = {"code": "sleep_timer", "version": "legacy", "data": {"bk_timing": {"value": "5"}}}
        made = tree("s > a > e", nodes={"a": required("a", component=component)})
        with pytest.raises(SopsInvalidParameterError, match=r"node_args of .*\(a\) must not set trigger_rule\."):
            make_dag(made, converters=None, node_args={"sleep_timer": {"trigger_rule": "all_done"}})

    def test_each_task_waits_whatever_the_operators_beside_the_flow_do(self) -> None:
        dag = make_dag(tree("s > a > e"), default_args={"wait_for_completion": False})

        assert not hasattr(task(dag, "a"), "wait_for_completion")

    def test_a_clear_keeps_a_repaired_node_and_evaluates_a_gateway_again(self) -> None:
        dag = make_dag(tree(*BRANCHES, nodes=GATEWAYS), node_args={"*": {"on_clear": "keep_repaired"}})
        gateway = task(dag, "exclusive_gateway")

        assert (task(dag, "a").on_clear, gateway.on_clear, gateway.retry_mode) == ("keep_repaired", "new", "new")
        assert "repaired" not in gateway.next_steps(PlainTaskInstance().context).failed

    def test_a_gateway_that_runs_nothing_takes_no_arguments(self) -> None:
        made = tree("s > p > a > v > e", "s > p > b > v > e", nodes=GATEWAYS)
        dag = make_dag(made, node_args={"*": {"owner": "ann"}})

        assert (task(dag, "a").owner, task(dag, "parallel_gateway").owner) == ("ann", "airflow")

    def test_a_password_goes_to_the_tasks_that_need_it_alone(self) -> None:
        component = {"code": "bk_display", "version": "1.0", "data": {"m": {"value": "${secret}"}}}
        nodes = {"a": required("a", component=component)}
        constants = {"${secret}": password("${secret}", ""), "${n}": constant("${n}")}
        made = tree("s > a > b > e", nodes=nodes, constants=constants)
        dag = make_dag(made, constants={"${secret}": "{{ conn.x.password }}", "${n}": "1"})

        assert task(dag, "start").constants == {"${n}": "1"}
        assert task(dag, "a").constants == {"${secret}": "{{ conn.x.password }}"}
        assert not task(dag, "b").constants

    def test_shown_constants_are_params(self) -> None:
        constants = {"${version}": constant("${version}", "1.0")}
        dag = make_dag(tree("s > a > e", constants=constants))

        assert list(dag.params) == ["version"]
        assert task(dag, "start").param_constants == {"${version}": "version"}


def displays() -> ConverterRegistry:
    converters = ConverterRegistry()

    @converters.register("bk_display")
    def display(node: Any) -> Any:
        return DisplayOperator(**node.task_args, message=node.inputs["bk_display_message"])

    return converters


def says(text: str, *, optional: bool = False, **fields: Any) -> Any:
    data = {"bk_display_message": {"hook": False, "need_render": True, "value": text}}
    component = {"code": "bk_display", "version": "1.0", "data": data}
    return activity("say", optional=optional, component=component, **fields)


class TestConverters:
    def test_a_node_with_one_is_the_operator(self) -> None:
        dag = make_dag(tree("s > a > b > e", nodes={"a": says("x")}), converters=displays())

        assert edges(dag) == {"start > say", "say > b", "b > end"}
        assert isinstance(task(dag, "say"), DisplayOperator)

    def test_an_optional_one_has_a_choice_before_it_and_a_way_around(self) -> None:
        dag = make_dag(tree("s > a > b > e", nodes={"a": says("x", optional=True)}), converters=displays())
        (choice,) = (each for each in dag.tasks if isinstance(each, ChoiceOperator))

        operator, behind = task_of(dag, DisplayOperator), task(dag, "b")
        assert choice.task_id == f"{operator.task_id}_or_not"
        assert (choice.sops_node_id, choice.operator_task_id) == ("a", operator.task_id)
        assert task(dag, "start").downstream_task_ids == {choice.task_id}
        assert choice.downstream_task_ids == {operator.task_id, behind.task_id}
        assert operator.downstream_task_ids == {behind.task_id}
        assert dag.get_edge_info(choice.task_id, behind.task_id)["label"] == "left out"
        assert (rule_of(choice), rule_of(operator), rule_of(behind)) == ("all_success", "all_success", MANY)

    def test_behind_a_gateway_the_choice_is_what_is_taken(self) -> None:
        nodes = {**GATEWAYS, "a": says("x", optional=True)}
        dag = make_dag(tree(*BRANCHES, nodes=nodes), converters=displays())

        assert task(dag, "exclusive_gateway").piece.targets["x-a"] == task_of(dag, ChoiceOperator).task_id

    def test_where_branches_meet_the_choice_alone_begins_if_one_was_taken(self) -> None:
        nodes = {**GATEWAYS, "b": says("x", optional=True)}
        dag = make_dag(tree("s > x > a > b > e", "s > x > b > e", nodes=nodes), converters=displays())

        assert rule_of(task_of(dag, ChoiceOperator)) == MANY
        assert rule_of(task_of(dag, DisplayOperator)) == "all_success"

    def test_in_a_loop_the_node_stays_in_sops(self) -> None:
        dag = make_dag(tree(*LOOP, nodes={**GATEWAYS, "a": says("x")}), converters=displays())

        assert not any(isinstance(each, DisplayOperator) for each in dag.tasks)

    @pytest.mark.parametrize(
        "node",
        [says("${1 + 1}"), says("${secret}"), says("x", error_ignorable=True)],
        ids=["expression", "password", "error ignored"],
    )
    def test_what_only_sops_can_do_stays_in_sops(self, node: Any) -> None:
        made = tree("s > a > e", nodes={"a": node}, constants={"${secret}": password("${secret}", "")})
        dag = make_dag(made, converters=displays())

        assert isinstance(task(dag, "say"), RegionOperator)


def task_of(dag: Any, kind: type) -> Any:
    (found,) = (each for each in dag.tasks if isinstance(each, kind))
    return found


class TestRefusals:
    @pytest.mark.parametrize(
        ("made", "arguments", "message"),
        [
            (tree("s > p > a > e", nodes=GATEWAYS), {}, "pipeline_tree is not valid"),
            (tree("s > a > e"), {"template_id": None}, "template_id is missing"),
            (tree("s > a > e"), {"pace": "free"}, 'pace is for mode="watch"'),
            (
                tree("s > a > e"),
                {"mode": "watch", "converters": None, "subprocess_as_task": ["x"]},
                'are for mode="native"',
            ),
            (tree("s > a > e"), {"mode": "watch"}, 'are for mode="native"'),
            (
                tree("s > a > e", constants={"${known}": constant("${known}")}),
                {"constants": {"${other}": 1}},
                r"no constant '\$\{other\}'.*It has: \$\{known\}",
            ),
            (
                tree("s > a > e", constants={"${now}": constant("${now}", "${1 + 1}", pre_render_mako=True)}),
                {},
                r"constant \$\{now\} is rendered once, when the flow starts \(pre_render_mako\).*mode=\"watch\"",
            ),
            (
                tree("s > x > a > b > y > a", "s > x > b > y > e", nodes={**GATEWAYS, "y": GATEWAYS["x"]}),
                {},
                r"the loop of .* is entered at several places: .*\(a\) and .*\(b\)\.",
            ),
        ],
        ids=["broken", "no id", "pace", "as task", "converters", "unknown constant", "frozen constant", "entries"],
    )
    def test_they_say_what_is_wrong_and_what_to_do(self, made: Any, arguments: Any, message: str) -> None:
        with pytest.raises(SopsInvalidParameterError, match=message):
            make_dag(made, **arguments)

    def test_a_constant_that_is_rendered_at_the_start_in_a_subprocess_is_named_with_it(self) -> None:
        constants = {"${now}": constant("${now}", "${1 + 1}", show_type="hide", pre_render_mako=True)}

        with pytest.raises(SopsInvalidParameterError, match=r"\$\{now\} of the subprocess call"):
            make_dag(tree("s > call > e", nodes={"call": call(constants=constants)}))

    def test_a_constant_that_is_rendered_at_the_start_cannot_be_given_an_expression(self) -> None:
        constants = {"${now}": constant("${now}", "x", pre_render_mako=True)}

        with pytest.raises(SopsInvalidParameterError, match="pre_render_mako"):
            make_dag(tree("s > a > e", constants=constants), constants={"${now}": "${1 + 1}"})

    def test_a_constant_that_is_rendered_at_the_start_cannot_wait_for_an_output(self) -> None:
        constants = {
            "${now}": constant("${now}", "x ${out}", pre_render_mako=True),
            "${out}": constant("${out}", "", source_type="component_outputs", source_info={"a": ["_result"]}),
        }

        with pytest.raises(SopsInvalidParameterError, match="pre_render_mako"):
            make_dag(tree("s > a > e", constants=constants))

    def test_one_that_is_the_same_whenever_it_is_rendered_is_no_obstacle(self) -> None:
        constants = {"${now}": constant("${now}", "x", pre_render_mako=True)}

        assert edges(make_dag(tree("s > a > e", constants=constants))) == {"start > a", "a > end"}


class TestByteStability:
    @pytest.mark.timeout(120)
    @pytest.mark.integration
    def test_the_same_tree_gives_the_same_dag_whatever_the_hash_seed(self, tmp_path: Path) -> None:
        ways = ("s > x > a > v > call > e", "s > x > b > v > call > e")
        nodes = {**GATEWAYS, "a": says("x", optional=True), "call": call(optional=True)}
        made = json.dumps(tree(*ways, nodes=nodes))

        first = written_dag(made, seed=0, bytecode=tmp_path, mode="native")
        assert "say__a_or_not" in first
        assert {written_dag(made, seed=seed, bytecode=tmp_path, mode="native") for seed in (1, 2, 3)} == {first}

    def test_reading_a_tree_calls_nobody_and_changes_nothing(self) -> None:
        made = tree(*LOOP, nodes=GATEWAYS)
        before = json.dumps(made)
        make_dag(PipelineTree.from_dict(made))

        assert json.dumps(made) == before
