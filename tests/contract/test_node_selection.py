"""Which of a template's nodes a new task gets: exclude_task_nodes_id, execute_task_nodes_id, schemes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_sops.sops.errors import SopsError, SopsInvalidParameterError
from tests.contract.flows import new_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import CreatedTask
    from tests.contract.flows import Flows

pytestmark = [pytest.mark.contract, pytest.mark.integration]


@pytest.fixture
def optional(hook: SopsHook, template_ids: dict[str, int]) -> dict[str, str]:
    """Node ids of the template ``optional`` by name."""
    return ids_by_name(hook, template_ids["optional"])


@pytest.fixture
def branches(hook: SopsHook, template_ids: dict[str, int]) -> dict[str, str]:
    """Node ids of the template ``optional_parallel`` by name."""
    return ids_by_name(hook, template_ids["optional_parallel"])


def ids_by_name(hook: SopsHook, template_id: int) -> dict[str, str]:
    activities = hook.get_template_info(template_id).activities
    return {node["name"]: node_id for node_id, node in activities.items()}


def way_through(task: CreatedTask) -> list[str]:
    """Follow the flows of a task without gateways from start to end and name the nodes on the way."""
    tree: Mapping[str, Any] = task.pipeline_tree
    names, node = [], tree["start_event"]
    while node["id"] != tree["end_event"]["id"]:
        node_id = tree["flows"][node["outgoing"]]["target"]
        node = tree["activities"].get(node_id, tree["end_event"])
        names.append(node["name"])
    assert len(tree["flows"]) == len(names)
    return names[:-1]


@pytest.mark.template("optional")
@pytest.mark.parametrize(
    ("excluded", "left"),
    [
        ([], ["must begin", "may check", "may wait", "must end"]),
        (["may check"], ["must begin", "may wait", "must end"]),
        (["may wait", "may check"], ["must begin", "must end"]),
    ],
)
def test_excluded_nodes_are_gone_and_the_flows_rejoined(
    flows: Flows, optional: dict[str, str], excluded: list[str], left: list[str]
) -> None:
    task = flows.create("optional", exclude_task_nodes_id=[optional[name] for name in excluded])
    assert way_through(task) == left
    assert sorted(node["name"] for node in task.pipeline_tree["activities"].values()) == sorted(left)


@pytest.mark.template("optional")
def test_an_excluded_node_is_never_reached(flows: Flows, optional: dict[str, str]) -> None:
    _, status = flows.run("optional", exclude_task_nodes_id=[optional["may wait"]])
    assert [node.name for node in status.nodes.values() if node.name] == ["must begin", "may check", "must end"]


@pytest.mark.template("optional")
@pytest.mark.parametrize(
    "selection",
    [
        pytest.param("exclude_task_nodes_id", marks=pytest.mark.since("2020")),
        pytest.param("execute_task_nodes_id", marks=pytest.mark.since("3.25")),
    ],
)
def test_a_node_that_is_not_optional_cannot_be_left_out(
    hook: SopsHook, flows: Flows, optional: dict[str, str], selection: str
) -> None:
    name = new_name("not optional")
    node = "must end" if selection == "exclude_task_nodes_id" else "may check"
    selected: dict[str, Any] = {selection: [optional[node]]}
    with pytest.raises(SopsError) as refusal:
        flows.create("optional", name=name, **selected)
    assert refusal.value.code == 3599999
    assert hook.get_task_list(keyword=name) == []


@pytest.mark.since("2020")
@pytest.mark.template("optional")
def test_an_unknown_node_cannot_be_excluded(hook: SopsHook, flows: Flows) -> None:
    name = new_name("unknown node")
    with pytest.raises(SopsError) as refusal:
        flows.create("optional", name=name, exclude_task_nodes_id=["no_such_node"])
    assert refusal.value.code == 3599999
    assert hook.get_task_list(keyword=name) == []


@pytest.mark.since("3.25")
@pytest.mark.template("optional")
def test_only_the_nodes_to_execute_are_left_and_unknown_ones_do_not_matter(
    flows: Flows, optional: dict[str, str]
) -> None:
    wanted = [optional["must begin"], optional["must end"], optional["may wait"], "no_such_node"]
    assert way_through(flows.create("optional", execute_task_nodes_id=wanted)) == ["must begin", "may wait", "must end"]


@pytest.mark.since("3.25")
@pytest.mark.template("linear")
def test_one_node_alone_can_be_executed_where_all_others_are_optional(
    hook: SopsHook, flows: Flows, template_ids: dict[str, int]
) -> None:
    node_id = ids_by_name(hook, template_ids["linear"])["say goodbye"]
    task = flows.create("linear", execute_task_nodes_id=[node_id])
    assert way_through(task) == ["say goodbye"]
    # What only the other nodes referred to is gone with them; outputs count as references.
    assert "${seconds}" not in task.pipeline_tree["constants"]


@pytest.mark.since("3.25")
@pytest.mark.template("optional")
def test_nodes_to_execute_win_over_excluded_ones(flows: Flows, optional: dict[str, str]) -> None:
    everything = list(optional.values())
    task = flows.create("optional", execute_task_nodes_id=everything, exclude_task_nodes_id=[optional["may wait"]])
    assert way_through(task) == ["must begin", "may check", "may wait", "must end"]


@pytest.mark.since("3.32")
@pytest.mark.template("optional")
@pytest.mark.parametrize("as_list", [True, False])
def test_a_scheme_leaves_out_the_optional_nodes_that_it_does_not_name(
    hook: SopsHook, flows: Flows, template_ids: dict[str, int], as_list: bool
) -> None:
    (scheme,) = hook.get_template_schemes(template_ids["optional"])
    task = flows.create("optional", template_schemes_id=[scheme["id"]] if as_list else scheme["id"])
    assert way_through(task) == ["must begin", "may check", "must end"]


@pytest.mark.since("3.32")
@pytest.mark.template("optional")
@pytest.mark.parametrize("selection", ["exclude_task_nodes_id", "execute_task_nodes_id"])
def test_a_scheme_cannot_be_joined_with_a_selection(
    hook: SopsHook, flows: Flows, template_ids: dict[str, int], optional: dict[str, str], selection: str
) -> None:
    (scheme,) = hook.get_template_schemes(template_ids["optional"])
    selected: dict[str, Any] = {selection: [optional["may check"]]}
    with pytest.raises(SopsInvalidParameterError) as refusal:
        flows.create("optional", template_schemes_id=[scheme["id"]], **selected)
    assert refusal.value.code == 3540000


@pytest.mark.template("optional_parallel")
def test_an_emptied_branch_goes_and_its_gateways_stay(flows: Flows, branches: dict[str, str]) -> None:
    task = flows.create("optional_parallel", exclude_task_nodes_id=[branches["branch 2"]])
    split, converge = split_and_converge(task)
    assert len(split["outgoing"]) == len(converge["incoming"]) == 2
    names = {node["name"] for node in task.pipeline_tree["activities"].values()}
    assert names == {"branch 1", "branch 3", "tail"}


@pytest.mark.template("optional_parallel")
def test_gateways_without_any_branch_left_go_too(flows: Flows, branches: dict[str, str]) -> None:
    excluded = [node_id for name, node_id in branches.items() if name != "tail"]
    task = flows.create("optional_parallel", exclude_task_nodes_id=excluded)
    assert way_through(task) == ["tail"]
    assert task.pipeline_tree["gateways"] == {}


def split_and_converge(task: CreatedTask) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    gateways = {gateway["type"]: gateway for gateway in task.pipeline_tree["gateways"].values()}
    assert set(gateways) == {"ParallelGateway", "ConvergeGateway"}
    return gateways["ParallelGateway"], gateways["ConvergeGateway"]
