from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings

from tests.pipeline_trees.strategies import flows
from tests.pipeline_trees.web_tree import web_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_sops.hooks.sops import SopsHook
    from tests.pipeline_trees.blocks import Flow


@pytest.mark.integration
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flow=flows())
def test_the_validators_of_the_engine_accept_every_tree(hook: SopsHook, flow: Flow) -> None:
    tree = web_tree(flow)
    for node in tree["activities"].values():
        if "pipeline" in node:
            # What it passes on; SOPS moves that into the inner tree.
            node["constants"] = {}

    created = hook.fast_create_task("drawn", tree)

    assert created.task_id > 0


def all_nodes(tree: Any) -> Iterator[Any]:
    yield from tree["gateways"].values()
    for node in tree["activities"].values():
        yield node
        if "pipeline" in node:
            yield from all_nodes(node["pipeline"])


def some(has: Callable[[Any], bool]) -> Callable[[Flow], bool]:
    return lambda flow: any(has(node) for node in all_nodes(web_tree(flow)))


@pytest.mark.parametrize(
    "has",
    [
        some(lambda node: node["type"] == "ParallelGateway"),
        some(lambda node: node["type"] == "ConditionalParallelGateway"),
        some(lambda node: node["type"] == "ExclusiveGateway" and "default_condition" in node),
        some(lambda node: "pipeline" in node),
        some(lambda node: node.get("optional") is True),
        some(lambda node: node.get("error_ignorable") is True),
        some(lambda node: (node.get("auto_retry") or {}).get("enable") is True),
        lambda flow: any(
            any("rounds" in each["evaluate"] for each in node.get("conditions", {}).values())
            for node in all_nodes(web_tree(flow))
        ),
        lambda flow: any(
            flow_["target"] == "end"
            and web_tree(flow)["gateways"].get(flow_["source"], {}).get("type") == "ExclusiveGateway"
            for flow_ in web_tree(flow)["flows"].values()
        ),
    ],
    ids=["parallel", "conditional", "default", "subprocess", "optional", "ignored", "retried", "loop", "to the end"],
)
def test_every_construct_is_drawn(has: Callable[[Flow], bool]) -> None:
    assert find(flows(), has, settings=settings(max_examples=2000, database=None, phases=[Phase.generate])) is not None
