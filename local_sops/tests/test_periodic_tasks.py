from __future__ import annotations

import sqlite3
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from sops_client import BUSINESS, SopsClient, node_ids, running_server

if TYPE_CHECKING:
    from pathlib import Path

LINEAR, QUICK, NESTED, OPTIONAL, COMMON, OF_OTHER_PROJECT = 1, 18, 8, 9, 10001, 29
EVERY_MINUTE = {"minute": "*/1"}
YEARLY = {"minute": "0", "hour": "0", "day_of_month": "1", "month_of_year": "1"}
TEXT_OF_EVERY_MINUTE = "*/1 * * * * (m/h/d/dM/MY) Asia/Shanghai"


def plan(sops: SopsClient, template_id: int = QUICK, **body: Any) -> dict[str, Any]:
    answer = sops.post(f"create_periodic_task/{template_id}/{BUSINESS}", {"name": "plan", "cron": YEARLY, **body})
    assert answer["result"], answer
    data: dict[str, Any] = answer["data"]
    return data


def info(sops: SopsClient, key: int, **query: Any) -> dict[str, Any]:
    data: dict[str, Any] = sops.get(f"get_periodic_task_info/{key}/{BUSINESS}", **query)["data"]
    return data


def enable(sops: SopsClient, key: int, enabled: bool = True) -> Any:
    return sops.post(f"set_periodic_task_enabled/{key}/{BUSINESS}", {"enabled": enabled})["data"]


def started_by_plans(sops: SopsClient) -> list[dict[str, Any]]:
    tasks: list[dict[str, Any]] = sops.get(f"get_task_list/{BUSINESS}", create_method="periodic")["data"]
    return tasks


def fall_due(data_folder: Path, moment: datetime) -> None:
    """Let every enabled periodic task of a server that does not run be due at a time."""
    with sqlite3.connect(data_folder / "local_sops.sqlite3") as database:
        due = moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ")
        database.execute("UPDATE local_sops_periodictask SET next_due = ? WHERE enabled", (due,))


def test_a_new_one_is_described_with_its_tree_and_switched_off(sops: SopsClient) -> None:
    made = plan(sops, cron=EVERY_MINUTE)
    tree = made.pop("pipeline_tree")
    assert made == {
        "id": made["id"],
        "name": "plan",
        "template_id": QUICK,
        "template_source": "project",
        "creator": "tester",
        "cron": TEXT_OF_EVERY_MINUTE,
        "enabled": False,
        "last_run_at": "",
        "total_run_count": 0,
        "form": {},
    }
    assert set(tree) >= {"activities", "flows", "line", "location", "constants", "outputs"}
    assert "id" not in tree
    (node,) = tree["activities"].values()
    assert node["template_node_id"] != node["id"]


def test_its_id_of_the_template_becomes_a_text_afterwards(sops: SopsClient) -> None:
    made = plan(sops)
    assert info(sops, made["id"]) == {**made, "template_id": str(QUICK)}


def test_the_list_is_newest_first_and_without_trees(sops: SopsClient) -> None:
    older, newer = plan(sops)["id"], plan(sops)["id"]
    listed = sops.get(f"get_periodic_task_list/{BUSINESS}")["data"]
    assert [one["id"] for one in listed][:2] == [newer, older]
    assert listed[0]["auth_actions"] == ["periodic_task_view", "periodic_task_delete", "periodic_task_edit"]
    assert not {"form", "pipeline_tree"} & set(listed[0])


def test_constants_and_left_out_nodes_are_those_of_its_tasks(sops: SopsClient) -> None:
    made = plan(sops, LINEAR, constants={"${who}": "Ada", "${nobody}": 1})
    assert made["pipeline_tree"]["constants"]["${who}"]["value"] == "Ada"
    assert set(made["form"]) == {"${who}", "${seconds}"}
    template = sops.get(f"get_template_info/{OPTIONAL}/{BUSINESS}")["data"]["pipeline_tree"]
    name, node_id = next((one["name"], key) for key, one in template["activities"].items() if one["optional"])
    pruned = plan(sops, OPTIONAL, exclude_task_nodes_id=[node_id])["pipeline_tree"]
    assert set(node_ids(pruned)) == set(node_ids(template)) - {name}


def test_subprocesses_are_unfolded(sops: SopsClient) -> None:
    tree = plan(sops, NESTED)["pipeline_tree"]
    assert all("pipeline" in one for one in tree["activities"].values() if one["type"] == "SubProcess")


def test_a_common_template_will_do(sops: SopsClient) -> None:
    assert plan(sops, COMMON, template_source="common")["template_source"] == "common"


def test_who_changed_it_last_is_told_on_request(sops: SopsClient) -> None:
    told = info(sops, plan(sops)["id"], include_edit_info="true")
    assert (told["editor"], told["is_latest"]) == ("", True)
    assert told["edit_time"].endswith(" +0800")


@pytest.mark.parametrize(
    ("template_id", "body", "code", "words"),
    [
        (QUICK, {"name": "x", "cron": {"minute": "banana"}}, 3599999, "Invalid weekday literal 'banana'."),
        (QUICK, {"name": "x"}, 3540000, "task params is invalid: 'cron' is a required property"),
        (QUICK, {"name": "x" * 51, "cron": {}}, 3540000, "task params is invalid: "),
        (QUICK, {"name": "x", "cron": "* * * * *"}, 3540000, "is not of type 'object'"),
        (QUICK, {"name": "x", "cron": {}, "exclude_task_nodes_id": ["n"]}, 3599999, "is not in template pipeline tree"),
        (OF_OTHER_PROJECT, {"name": "x", "cron": {}}, 3540400, "TaskTemplate(id=29) does not exist."),
        (999, {"name": "x", "cron": {}, "template_source": "common"}, 3540400, "CommonTemplate(id=999)"),
    ],
)
def test_what_cannot_be_planned_is_refused(
    sops: SopsClient, template_id: int, body: dict[str, Any], code: int, words: str
) -> None:
    refused = sops.post(f"create_periodic_task/{template_id}/{BUSINESS}", body)
    assert (refused["result"], refused["code"]) == (False, code)
    assert words in refused["message"]


@pytest.mark.parametrize(
    ("method", "call"),
    [
        ("get", "get_periodic_task_info"),
        ("post", "set_periodic_task_enabled"),
        ("post", "modify_cron_for_periodic_task"),
        ("post", "modify_constants_for_periodic_task"),
    ],
)
def test_one_that_is_not_there_is_not_found(sops: SopsClient, method: str, call: str) -> None:
    ask = getattr(sops, method)
    missing = ask(f"{call}/99999/{BUSINESS}")
    assert (missing["code"], missing["data"]) == (3540400, None)
    assert "PeriodicTask(id=99999) does not exist." in missing["message"]


def test_one_of_another_project_does_not_exist_here(sops: SopsClient) -> None:
    key = plan(sops)["id"]
    refused = sops.get(f"get_periodic_task_info/{key}/2", scope="project")
    assert (refused["code"], refused["message"]) == (3540400, f"task({key}) does not exist")


def test_switching_on_answers_with_what_was_sent(sops: SopsClient) -> None:
    key = plan(sops)["id"]
    assert enable(sops, key) == {"enabled": True}
    assert info(sops, key)["enabled"] is True
    assert enable(sops, key, enabled=False) == {"enabled": False}
    assert sops.post(f"set_periodic_task_enabled/{key}/{BUSINESS}", {"x": 1})["data"] == {"enabled": False}


@pytest.mark.parametrize("enabled", [False, True])
def test_cron_and_constants_can_be_changed(sops: SopsClient, enabled: bool) -> None:
    key = plan(sops, LINEAR)["id"]
    enable(sops, key, enabled)
    changed = sops.post(f"modify_cron_for_periodic_task/{key}/{BUSINESS}", {"cron": EVERY_MINUTE})
    assert changed["data"] == {"cron": TEXT_OF_EVERY_MINUTE}
    body = {"constants": {"${who}": 7, "${nobody}": 1}}
    constants = sops.post(f"modify_constants_for_periodic_task/{key}/{BUSINESS}", body)["data"]
    assert constants["${who}"]["value"] == 7
    told = info(sops, key)
    assert (told["cron"], told["enabled"]) == (TEXT_OF_EVERY_MINUTE, enabled)
    assert told["pipeline_tree"]["constants"] == constants
    enable(sops, key, enabled=False)


def test_a_cron_that_is_none_changes_nothing(sops: SopsClient) -> None:
    made = plan(sops)
    refused = sops.post(f"modify_cron_for_periodic_task/{made['id']}/{BUSINESS}", {"cron": {"minute": "60"}})
    assert (refused["code"], refused["message"]) == (3599999, "Invalid end range: 60 > 59.")
    assert info(sops, made["id"])["cron"] == made["cron"]


def test_a_project_has_at_most_fifty(data_folder: Path) -> None:
    with running_server(data_folder) as server:
        for _ in range(50):
            plan(server.client)
        body = {"name": "plan", "cron": YEARLY}
        refused = server.client.post(f"create_periodic_task/{QUICK}/{BUSINESS}", body)
        assert (refused["code"], refused["message"]) == (3545000, "Periodic task number reaches limit: 50")


def test_what_fell_due_while_the_server_was_down_is_started_once_however_often_it_is_killed(data_folder: Path) -> None:
    with running_server(data_folder) as server:
        key = plan(server.client, LINEAR, name="nightly", constants={"${who}": "Ada", "${seconds}": 0})["id"]
        plan(server.client, name="never enabled")
        enable(server.client, key)
        assert started_by_plans(server.client) == []
        server.kill()
    fall_due(data_folder, datetime(2026, 1, 1, tzinfo=UTC))
    with running_server(data_folder) as server:
        while not (tasks := started_by_plans(server.client)):
            time.sleep(0.02)
        server.kill()
    with running_server(data_folder) as server:
        (task,) = tasks
        assert server.client.wait(task["id"])["state"] == "FINISHED"
        assert [one["id"] for one in started_by_plans(server.client)] == [task["id"]]
        assert task["name"].startswith("nightly_20")
        assert (task["creator"], task["template_id"]) == ("tester", str(LINEAR))
        detail = server.client.detail(task["id"])
        assert detail["executor"] == "tester"
        assert detail["constants"]["${who}"]["value"] == "Ada"
        told = info(server.client, key)
        assert told["total_run_count"] == 1
        assert told["last_run_at"].endswith(" +0800")
        planned = node_ids(told["pipeline_tree"])
        assert not set(planned.values()) & set(node_ids(detail["pipeline_tree"]).values())


def test_one_that_is_due_starts_its_task_in_time_and_plans_the_next(data_folder: Path) -> None:
    with running_server(data_folder) as server:
        key = plan(server.client, cron=EVERY_MINUTE)["id"]
        enable(server.client, key)
        server.end()
    due = datetime.now(UTC).timestamp() + 2
    fall_due(data_folder, datetime.fromtimestamp(due, UTC))
    with running_server(data_folder) as server:
        while not (tasks := started_by_plans(server.client)):
            time.sleep(0.02)
        assert time.time() >= due
        assert server.client.wait(tasks[0]["id"])["state"] == "FINISHED"
    with sqlite3.connect(data_folder / "local_sops.sqlite3") as database:
        ((next_due,),) = database.execute("SELECT next_due FROM local_sops_periodictask").fetchall()
    assert datetime.fromisoformat(next_due).replace(tzinfo=UTC).timestamp() > due
    assert datetime.fromisoformat(next_due).second == 0


def test_an_old_server_refuses_changes_while_one_is_enabled(data_folder: Path) -> None:
    with running_server(data_folder, "--server", "2020") as server:
        key = plan(server.client, LINEAR)["id"]
        enable(server.client, key)
        for what, value in (("cron", EVERY_MINUTE), ("constants", {"${who}": "x"})):
            refused = server.client.post(f"modify_{what}_for_periodic_task/{key}/{BUSINESS}", {what: value})
            assert (refused["code"], refused["message"]) == (3599999, f"can not modify {what} when task is enabled")
