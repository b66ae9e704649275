from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from airflow_provider_sops.sops.pipeline_tree.nodes import Activity
from tests.pipeline_trees.blocks import Parallel, Sub, Task
from tests.pipeline_trees.strategies import flows
from tests.pipeline_trees.task_tree import task_tree
from tests.pipeline_trees.web_tree import web_tree
from tests.sops.builders import activity, pipeline_tree, subprocess

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.sops import SopsHook
    from tests.pipeline_trees.blocks import Flow

T = Task()


def without(task: Any, node_id: str) -> Any:
    """Splice an activity out of a task's tree, as excluding it does."""
    flows = dict(task["flows"])
    (leaving,) = (key for key, flow in flows.items() if flow["source"] == node_id)
    behind = flows.pop(leaving)["target"]
    flows = {key: {**flow, "target": behind} if flow["target"] == node_id else flow for key, flow in flows.items()}
    return {
        **task,
        "flows": flows,
        "activities": {key: node for key, node in task["activities"].items() if key != node_id},
    }


@given(flows())
def test_every_node_of_a_new_task_is_found(flow: Flow) -> None:
    template = web_tree(flow)
    task, ids = task_tree(template)

    mapping = PipelineTree(template).map_to_task(PipelineTree(task))

    assert (mapping.ids, mapping.absent, mapping.unknown) == (ids, frozenset(), ())


@given(flows())
def test_in_a_task_of_an_old_server_nodes_are_found_by_their_place(flow: Flow) -> None:
    template = web_tree(flow)
    task, ids = task_tree(template, remembers=False)

    mapping = PipelineTree(template).map_to_task(PipelineTree(task))

    assert (mapping.ids, mapping.absent, mapping.unknown) == (ids, frozenset(), ())


def test_a_template_that_is_used_twice_is_told_apart_by_the_path() -> None:
    inner = (T, T)
    template = web_tree((Sub(inner), Sub(inner)))
    task, ids = task_tree(template)

    mapping = PipelineTree(template).map_to_task(PipelineTree(task))

    first, second = mapping.ids["s1", "a1"], mapping.ids["s3", "a1"]
    assert (first, second) == (ids["s1", "a1"], ids["s3", "a1"])
    assert first != second


def test_an_excluded_node_is_absent_and_its_neighbours_are_found() -> None:
    template = web_tree((T, T, T))
    task, ids = task_tree(template)

    mapping = PipelineTree(template).map_to_task(PipelineTree(without(task, ids["a3",])))

    assert mapping.absent == {("a3",)}
    assert mapping.ids == {key: value for key, value in ids.items() if key != ("a3",)}


def test_an_excluded_subprocess_is_absent_with_all_inside() -> None:
    template = web_tree((T, Sub((T,))))
    task, ids = task_tree(template)

    mapping = PipelineTree(template).map_to_task(PipelineTree(without(task, ids["s3",])))

    assert mapping.absent == {("s3",), ("s3", "start"), ("s3", "a1"), ("s3", "end")}


def test_nodes_of_an_independent_subprocess_are_elsewhere_and_found_in_its_own_task() -> None:
    template = web_tree((T, Sub((T,))))
    task, ids = task_tree(template)
    called = task["activities"][ids["s3",]]
    inner = called.pop("pipeline")
    called.update(
        type="ServiceActivity",
        component={
            "code": "subprocess_plugin",
            "version": "1.0.0",
            "data": {"subprocess": {"value": {"pipeline": inner}}},
        },
    )
    own_task, own_ids = task_tree(inner)
    read = PipelineTree(template)

    mapping = read.map_to_task(PipelineTree(task))
    own = read.subtree(("s3",)).map_to_task(PipelineTree(own_task))

    assert mapping.ids == {key: value for key, value in ids.items() if len(key) == 1}
    assert mapping.elsewhere == {("s3", "start"), ("s3", "a1"), ("s3", "end")}
    assert mapping.absent == set()
    assert own.ids["a1",] == own_ids[ids["s3", "a1"],]


def test_a_node_that_the_template_does_not_have_is_unknown() -> None:
    template = web_tree((T,))
    task, ids = task_tree(web_tree((T, T)))

    mapping = PipelineTree(template).map_to_task(PipelineTree(task))

    assert mapping.unknown == (ids["a3",],)


def test_unnamed_gateways_side_by_side_are_told_apart_by_what_is_behind_them() -> None:
    template = web_tree((Parallel(((Parallel(((T,), ())),), (Parallel(((), (T,))),))),))
    task, ids = task_tree(template)
    outer = task["gateways"][ids["g1",]]
    # The order is only a tie-breaker.
    outer["outgoing"] = outer["outgoing"][::-1]
    task["flows"] = dict(reversed(task["flows"].items()))

    mapping = PipelineTree(template).map_to_task(PipelineTree(task))

    assert mapping.ids == ids


def test_where_all_is_alike_the_order_decides() -> None:
    empty = (Parallel(((), ())),)
    template = web_tree((Parallel((empty, empty, empty)),))
    task, ids = task_tree(template)

    mapping = PipelineTree(template).map_to_task(PipelineTree(task))

    assert (mapping.ids, mapping.unknown) == (ids, ())


def test_two_copies_of_a_node_that_both_remember_the_original_keep_their_own_ids_as_keys() -> None:
    nodes = {"a": activity("a", template_node_id="x"), "b": activity("b", template_node_id="x")}
    tree = PipelineTree(pipeline_tree("start > a > b > end", nodes=nodes))

    assert {("a",), ("b",)} < set(tree.nodes)


def test_a_folded_subprocess_of_the_template_leaves_the_inner_nodes_of_the_task_alone() -> None:
    template = pipeline_tree("start > s > end", nodes={"s": {"type": "SubProcess", "name": "s", "template_id": "3"}})
    task = pipeline_tree(
        "start > n1 > end", nodes={"n1": subprocess("s", pipeline_tree("s2 > x > e2"), template_node_id="s")}
    )

    mapping = PipelineTree(template).map_to_task(PipelineTree(task))

    assert mapping.ids == {("start",): "start", ("s",): "n1", ("end",): "end"}
    assert (mapping.absent, mapping.unknown) == (frozenset(), ())


@pytest.mark.integration
@pytest.mark.parametrize("template", ["linear", "nested", "parallel", "exclusive", "loop", "conditional_parallel"])
def test_the_nodes_of_a_servers_task_are_found(hook: SopsHook, templates: dict[str, int], template: str) -> None:
    read = PipelineTree.from_dict(hook.get_template_info(templates[template], unfold_subprocess=True).raw)
    created = PipelineTree.from_dict(hook.create_task(templates[template], "mapped").raw)

    mapping = read.map_to_task(created)

    assert set(mapping.ids) == set(read.nodes)
    assert {read.nodes[key].name for key in mapping.ids} == {node.name for node in created.nodes.values()}
    assert mapping.unknown == ()


@pytest.mark.integration
@pytest.mark.parametrize("template", ["optional", "optional_parallel"])
def test_whatever_is_excluded_the_rest_of_a_servers_task_is_found(
    hook: SopsHook, templates: dict[str, int], template: str
) -> None:
    read = PipelineTree.from_dict(hook.get_template_info(templates[template]).raw)
    optional = [node.id for node in read.nodes.values() if isinstance(node, Activity) and node.optional]
    for excluded in itertools.chain.from_iterable(itertools.combinations(optional, count) for count in (1, 2)):
        preview = hook.preview_task_tree(templates[template], exclude_task_nodes_id=excluded)
        # A preview keeps the template's ids, which a task does not.
        task, ids = task_tree(preview["pipeline_tree"])

        mapping = read.map_to_task(PipelineTree(task))

        assert (mapping.ids, mapping.unknown) == (ids, ())
        assert {key[-1] for key in mapping.absent if isinstance(read.nodes[key], Activity)} == set(excluded)
