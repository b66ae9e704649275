"""The page for people: the list of tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests
from page_reader import Page, failed, list_page, names_on, node_table
from sops_client import SopsClient, is_in, running_server

if TYPE_CHECKING:
    from pathlib import Path

QUICK, LONG = 18, 17


class TestList:
    def test_it_shows_state_people_and_times_newest_first(self, sops: SopsClient) -> None:
        created = sops.create(QUICK, name="seen in the list 1")["task_id"]
        finished = sops.run(QUICK, name="seen in the list 2")["task_id"]
        sops.wait(finished)
        page = list_page(sops, name="seen in the list")
        rows = page["tasks"].all("tbody")[0].all("tr")
        assert [row.all("td")[0].words for row in rows] == [str(finished), str(created)]
        assert [row.all("td")[2].words for row in rows] == ["FINISHED", "CREATED"]
        cells = [cell.words for cell in rows[0].all("td")]
        assert cells.count("tester") == 2
        assert all(len(text) == len("2026-11-20 18:34:08") for text in cells[5:8])
        assert page.link("seen in the list 2").root.all("h1")[0].words == "seen in the list 2 FINISHED"

    def test_it_is_filtered_by_a_part_of_the_name_and_by_state(self, sops: SopsClient) -> None:
        failed(sops, name="Sifted A")
        sops.create(QUICK, name="sifted b")
        paused = sops.run(LONG, name="sifted c", constants={"${seconds}": 60})["task_id"]
        sops.wait(paused, is_in("RUNNING"))
        sops.operate_task(paused, "pause")
        assert names_on(list_page(sops, name="SIFTED")) == ["sifted c", "sifted b", "Sifted A"]
        found = {state: names_on(list_page(sops, name="sifted", state=state)) for state in ("CREATED", "FAILED")}
        assert found == {"CREATED": ["sifted b"], "FAILED": ["Sifted A"]}
        assert names_on(list_page(sops, name="sifted", state="SUSPENDED")) == ["sifted c"]
        sops.operate_task(paused, "revoke")
        assert names_on(list_page(sops, name="sifted", state="REVOKED")) == ["sifted c"]
        assert names_on(list_page(sops, name="sifted", state="FINISHED")) == []

    def test_it_has_fifty_tasks_on_a_page(self, sops: SopsClient) -> None:
        for number in range(51):
            sops.create(QUICK, name=f"paged & many {number}")
        first = list_page(sops, name="paged & many")
        assert len(names_on(first)) == 50
        assert "51 tasks, page 1 of 2" in first["tasks"].words
        second = first.link("older")
        assert names_on(second) == ["paged & many 0"]
        assert names_on(second.link("newer")) == names_on(first)
        assert names_on(list_page(sops, name="paged & many", page=99)) == ["paged & many 0"]

    def test_an_expired_task_has_a_page_without_states(self, data_folder: Path) -> None:
        with running_server(data_folder) as server:
            server.client.wait(server.client.run(QUICK)["task_id"])
            server.end()
        with running_server(data_folder, "--expire-after-days", "0") as server:
            page = list_page(server.client, state="EXPIRED").link("test")
            assert page["state"].words == "EXPIRED"
            assert node_table(page) == dict.fromkeys(("start", "quick", "end"), "not reached")
            assert page.link("quick").status == 200

    def test_an_address_that_sops_does_not_know_is_named(self, sops: SopsClient) -> None:
        page = Page.get(f"{sops.base_url}/prod/get_task_status/<x>/2/")
        assert page.status != 200
        shown = Page(requests.get(f"{sops.base_url}/", params={"page_not_found": "/<x>"}, timeout=10))
        assert shown.status == 404
        assert "SOPS has no such page: /<x>" in shown.root.words
