"""Tasks that the cleaner has been at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sops_client import BUSINESS, is_in, node_ids, node_is, running_server

if TYPE_CHECKING:
    from pathlib import Path

NESTED, PAUSE, QUICK = 8, 11, 18


def test_old_tasks_lose_their_states_and_keep_their_trees(data_folder: Path) -> None:
    with running_server(data_folder) as server:
        sops = server.client
        created = sops.run(PAUSE, name="old")
        task_id = created["task_id"]
        sops.wait(task_id, node_is("ask a person", "RUNNING"))
        finished = sops.run(NESTED)["task_id"]
        sops.wait(finished, is_in("FINISHED"))
        server.end()
    with running_server(data_folder, "--expire-after-days", "0") as server:
        sops = server.client
        assert sops.status(task_id) == {"state": "EXPIRED", "name": "old"}
        refused = sops.get(f"get_task_status/{task_id}/{BUSINESS}", with_failed_node_info=1)
        assert (refused["result"], refused["code"]) == (False, 3599999)
        items = sops.post(f"get_tasks_status/{BUSINESS}", {"task_id_list": [task_id, finished]})["data"]
        assert [item["status"]["state"] for item in items] == ["EXPIRED", "EXPIRED"]
        assert set(node_ids(sops.detail(task_id)["pipeline_tree"])) == set(node_ids(created["pipeline_tree"]))
        assert sops.detail(finished)["outputs"] == []


def test_young_tasks_are_kept(data_folder: Path) -> None:
    with running_server(data_folder, "--expire-after-days", "1") as server:
        task_id = server.client.run(QUICK)["task_id"]
        server.client.wait(task_id, is_in("FINISHED"))
        server.end()
    with running_server(data_folder, "--expire-after-days", "1") as server:
        assert server.client.status(task_id)["state"] == "FINISHED"
