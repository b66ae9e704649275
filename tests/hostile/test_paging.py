"""Lists end: with a page that repeats or brings nothing new, and with an error where they never would."""

from __future__ import annotations

import itertools
import logging
from typing import TYPE_CHECKING, Any
from unittest.mock import create_autospec

import pytest

from airflow_provider_sops.cli.server import Server
from airflow_provider_sops.enos.calls import find_flow_instances
from airflow_provider_sops.enos.errors import EnosGatewayError
from airflow_provider_sops.enos.models import FlowInstance, InstanceStatus
from airflow_provider_sops.hooks.sops import SopsHook
from airflow_provider_sops.hooks.sops_async import AsyncSopsClient
from airflow_provider_sops.operators.sops.exactly_once import ExactlyOnce
from airflow_provider_sops.polling.task_ends_poll import TaskEndsPoll
from airflow_provider_sops.sops.errors import SopsGatewayError
from airflow_provider_sops.sops.models import TaskListItem, TemplateListItem
from airflow_provider_sops.sops.site import Site
from airflow_provider_sops.sops.task_key import TaskKey
from airflow_provider_sops.sops.task_origin import TaskOrigin
from tests.triggers.simulated_time import run_in_simulated_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEY = TaskKey("a" * 13, 1)
PAGE = 200
#: More pages than any of these lists ever has.
MOST_REQUESTS = 2000


def task(task_id: int) -> TaskListItem:
    return TaskListItem.read({"id": task_id, "name": KEY.add_to("flow"), "is_started": True})


def template(template_id: int) -> TemplateListItem:
    return TemplateListItem.read({"id": template_id, "name": "flow"})


def pages(item: Callable[[int], Any], kind: str) -> Iterator[list[Any]]:
    """Yield the pages of a server: newest first, forever."""
    for number in itertools.count():
        assert number < MOST_REQUESTS, "asked again and again"
        if kind == "the same page":
            yield [item(each) for each in range(PAGE, 0, -1)]
        elif kind == "two pages in turn":
            yield [item(each + PAGE * (number % 2)) for each in range(PAGE, 0, -1)]
        elif kind == "one task again and again":
            yield [item(7)] * PAGE
        elif kind == "new ids for ever":
            yield [item(10_000_000 - number * PAGE - each) for each in range(PAGE)]
        else:
            yield [item(each) for each in range(1, PAGE + 51)]


ENDING = ("the same page", "two pages in turn", "one task again and again", "more than was asked for")


def find_tasks(kind: str) -> int:
    hook = create_autospec(SopsHook, instance=True)
    hook.get_task_list.side_effect = pages(task, kind)
    found = ExactlyOnce(hook, KEY, logging.getLogger(__name__), origin=TaskOrigin()).find().current
    assert len({each.id for each in found}) == len(found)
    return len(found)


def list_templates(kind: str) -> int:
    hook = create_autospec(SopsHook, instance=True)
    hook.get_template_list.side_effect = pages(template, kind)
    return len(Server(hook).templates("business", None))


def watch_tasks(kind: str) -> int:
    client = create_autospec(AsyncSopsClient, instance=True)
    client.get_task_list.side_effect = pages(task, kind)
    poll = TaskEndsPoll(Site("sops_default"), frozenset, interval_seconds=30, follow_days=7)

    async def ask(question: Any, **_: Any) -> Any:
        return await question(client)

    poll._connection.ask = ask  # type: ignore[method-assign]
    return len(run_in_simulated_time(poll._list()))


def find_instances(kind: str) -> int:
    steps = find_flow_instances(0, from_trigger_time=0, to_trigger_time=1, page_size=PAGE)
    found: list[FlowInstance] = []
    next(steps)
    try:
        for page in pages(lambda number: FlowInstance(f"7-{number}", 7, "flow", InstanceStatus.RUNNING), kind):
            steps.send(page)
    except StopIteration as end:
        found = end.value
    return len(found)


LISTS: dict[str, Callable[[str], int]] = {
    "the tasks of a task instance": find_tasks,
    "templates": list_templates,
    "the tasks of a business": watch_tasks,
    "instances of EnOS": find_instances,
}


@pytest.mark.parametrize(
    ("kind", "name"), [pytest.param(kind, name, id=f"pages: {kind} | {name}") for kind in ENDING for name in LISTS]
)
def test_a_list_ends_with_what_is_new(kind: str, name: str) -> None:
    assert 1 <= LISTS[name](kind) <= 2 * PAGE + 50


@pytest.mark.parametrize("name", [pytest.param(name, id=f"pages: new ids for ever | {name}") for name in LISTS])
def test_a_list_without_an_end_is_an_error(name: str) -> None:
    with pytest.raises((SopsGatewayError, EnosGatewayError), match="pages"):
        LISTS[name]("new ids for ever")
