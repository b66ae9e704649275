"""Tasks that the cleaner has been at."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from sops_client import BUSINESS, is_in, node_ids, node_is, running_server

if TYPE_CHECKING:
    from pathlib import Path

PAUSE, QUICK, FAIL_IN_SUBPROCESS = 11, 18, 22


def test_old_tasks_lose_their_states_and_keep_their_trees(data_folder: Path) -> None:
    with running_server(data_folder) as server:
        sops = server.client
        created = sops.run(PAUSE, name="old")
        waiting, failed, young = (
            created["task_id"],
            sops.run(FAIL_IN_SUBPROCESS)["task_id"],
            sops.run(QUICK)["task_id"],
        )
        sops.wait(waiting, node_is("ask a person", "RUNNING"))
        sops.wait(failed, is_in("FAILED"))
        sops.wait(young, is_in("FINISHED"))
        server.end()
    with sqlite3.connect(data_folder / "local_sops.sqlite3") as database:
        database.execute("UPDATE local_sops_task SET create_time = '2020-01-01' WHERE id != ?", (young,))
    with running_server(data_folder, "--expire-after-days", "1") as server:
        sops = server.client
        assert sops.status(waiting) == {"state": "EXPIRED", "name": "old"}
        assert sops.status(young)["state"] == "FINISHED"
        refused = sops.get(f"get_task_status/{waiting}/{BUSINESS}", with_failed_node_info=1)
        assert (refused["result"], refused["code"]) == (False, 3599999)
        items = sops.post(f"get_tasks_status/{BUSINESS}", {"task_id_list": [waiting, failed, young]})["data"]
        assert [item["status"]["state"] for item in items] == ["FINISHED", "EXPIRED", "EXPIRED"]
        detail = sops.detail(waiting)
        assert set(node_ids(detail["pipeline_tree"])) == set(node_ids(created["pipeline_tree"]))
        assert detail["outputs"] == []
