"""Whatever is sent, the server refuses it in words; HTTP 500 is left to what SOPS itself does not handle."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from sops_client import BUSINESS, CREDENTIALS, SopsClient, running_server

import local_sops

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PACKAGE = Path(local_sops.__file__).parent
LINEAR, PAUSE = 1, 11
ODD: tuple[Any, ...] = (None, 1.5, 2**70, "x", [[]], {"${x}": {"value": {}}})
ODD_TEXTS = ("\0", "9" * 5000, "[[", '["x"]', "null", "0001-01-01 00:00:00+1400")
ODD_BODIES = (
    b"[]",
    b"{",
    b"\xff",
    b"[" * 10**5,
    b'{"a":' * 10**5,
    b'{"name": "\\ud800"}',
    b'{"name": ' + b"9" * 5000 + b"}",
)
#: What SOPS does not handle: a path to a node that leads nowhere, ids that are no numbers.
UNHANDLED = {
    ("get_task_node_detail", "subprocess_stack"),
    ("get_task_node_data", "subprocess_stack"),
    ("get_tasks_status", "task_id_list"),
}


def table() -> Iterator[tuple[str, str, tuple[str, ...], set[str]]]:
    """Name, method and path ids of every call, and the words that may be its parameters.

    The module itself needs Django's settings, which only a server makes.
    """
    tree = ast.parse((PACKAGE / "api/routes.py").read_text())
    names: dict[str, ast.expr] = {}
    for line in tree.body:
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
            names[line.targets[0].id] = line.value
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Route":
            *values, view = node.args
            name, method, path_ids = (
                ast.literal_eval(names[each.id] if isinstance(each, ast.Name) else each) for each in values
            )
            assert isinstance(view, ast.Attribute)
            yield name, method, path_ids, words(ast.unparse(view.value))


def words(module: str) -> set[str]:
    tree = ast.parse((PACKAGE / f"api/{module}.py").read_text())
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {text for text in texts if text.isidentifier()} | {"scope", "name", "constants", "pipeline_tree"}


CALLS = [pytest.param(*row, id=row[0]) for row in table()]
GOOD = {
    "name": "x",
    "cron": {"minute": "0"},
    "task_name": "x",
    "plan_start_time": "2030-01-01 23:00:00+0800",
    "task_parameters": {},
    "enabled": True,
    "action": "callback",
}


class Task:
    """A task that waits for a person, and the ids that a path may have."""

    def __init__(self, sops: SopsClient) -> None:
        created = sops.run(PAUSE)
        self.node_id = next(iter(created["pipeline_tree"]["activities"]))
        self.id = created["task_id"]

    def path(self, name: str, path_ids: Sequence[str], **other: Any) -> str:
        ids = {"task_id": self.id, "bk_biz_id": BUSINESS, "template_id": LINEAR, **other}
        return "/".join([name, *(str(ids[each]) for each in path_ids)])


@pytest.fixture(scope="module")
def task(sops: SopsClient) -> Task:
    return Task(sops)


@pytest.mark.parametrize(("name", "method", "path_ids", "parameters"), CALLS)
def test_no_parameter_of_any_call_ends_in_an_unhandled_error(
    sops: SopsClient, task: Task, name: str, method: str, path_ids: Sequence[str], parameters: set[str]
) -> None:
    path, good = task.path(name, path_ids), {**GOOD, "node_id": task.node_id, "task_id_list": [task.id]}
    failed = []
    for parameter in sorted(parameters):
        for odd in ODD_TEXTS if method == "GET" else ODD:
            sent = {**good, parameter: odd}
            answer = sops.raw(method, path, **({"params": sent} if method == "GET" else {"json": sent}))
            if answer.status_code >= 500 and (name, parameter) not in UNHANDLED:
                failed.append((parameter, str(odd)[:40]))

    assert failed == []


@pytest.mark.parametrize(("name", "method", "path_ids", "_"), CALLS)
def test_no_body_and_no_id_of_any_call_does_either(
    sops: SopsClient, task: Task, name: str, method: str, path_ids: Sequence[str], _: Any
) -> None:
    answers = [sops.raw(method, task.path(name, path_ids), data=body) for body in ODD_BODIES]
    for number in (0, 2**63 - 1, 2**63, "9" * 5000):
        ids = dict.fromkeys(("task_id", "template_id"), number)
        answers.append(sops.raw(method, task.path(name, path_ids, **ids)))
        answers.append(sops.raw(method, task.path(name, path_ids, bk_biz_id=number)))
        parameters = {**CREDENTIALS, "bk_biz_id": BUSINESS, **ids}
        answers.append(requests.post(f"{sops.base_url}/api/c/compapi/v2/sops/{name}/", json=parameters, timeout=10))

    assert [answer.status_code for answer in answers if answer.status_code >= 500] == []


@pytest.mark.parametrize(
    "credentials",
    [
        "[]",
        "{",
        "[" * 10000,
        json.dumps({**CREDENTIALS, "bk_app_secret": "\ud800"}),
        json.dumps({**CREDENTIALS, "bk_username": ["\ud800"]}),
    ],
    ids=lambda text: text[:30],
)
def test_odd_credentials_are_refused(sops: SopsClient, credentials: str) -> None:
    header = {"X-Bkapi-Authorization": credentials}

    created = sops.raw("POST", f"create_task/{LINEAR}/{BUSINESS}", json={"name": "x"}, headers=header)

    assert created.status_code < 500


def test_no_address_of_the_page_ends_in_an_unhandled_error(sops: SopsClient, task: Task) -> None:
    queries = [{name: text} for name in ("name", "state", "page", "instance_id", "node") for text in ODD_TEXTS]
    paths = [
        "",
        *(f"taskflow/execute/{project}/" for project in (0, 1, "9" * 30, "x")),
        "page/%00",
        "page/..%2fx",
        "%00",
        "prod/%0A/",
    ]
    found = {
        (path, str(query)[:40]): requests.get(
            f"{sops.base_url}/{path}", params={"instance_id": str(task.id), **query}, timeout=10
        ).status_code
        for path in paths
        for query in queries
    }

    assert {where: status for where, status in found.items() if status >= 500} == {}


def test_a_form_that_is_too_large_is_refused(sops: SopsClient, task: Task) -> None:
    url, form = f"{sops.base_url}/taskflow/execute/1/", {"typed": "x" * 3 * 1024 * 1024}
    headers = {"Origin": sops.base_url}

    refused = requests.post(url, params={"instance_id": str(task.id)}, data=form, headers=headers, timeout=10)

    assert refused.status_code == 413


def test_no_form_of_the_page_does_either(data_folder: Path) -> None:
    with running_server(data_folder) as server:
        task, url = Task(server.client), server.client.base_url
        found = {
            (node_id, action, typed[:20]): requests.post(
                f"{url}/taskflow/execute/1/",
                params={"instance_id": str(task.id)},
                data={"node": node_id, "do": action, "typed": typed, "flow": "x"},
                headers={"Origin": url},
                timeout=10,
                allow_redirects=False,
            ).status_code
            for node_id in (task.node_id, "x", "", "\0")
            for action in ("retry", "callback", "approve", "skip_exg", "forced_fail", "start", "x", "")
            for typed in ("", "{", "[]", '{"a": NaN}', "[" * 10**5, "9" * 5000, '{"\\u0000": "\\ud800"}')
        }

    assert {where: status for where, status in found.items() if status >= 500} == {}
