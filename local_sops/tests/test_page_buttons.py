"""What people can do on the page of a task."""

from __future__ import annotations

import time

import pytest
from page_reader import failed, node_table, press, task_page
from sops_client import BUSINESS, SopsClient, is_in, node_is

PAUSE, FAIL_HARD, LONG, FAIL_IN_SUBPROCESS, APPROVAL, INDEPENDENT, NOMATCH = 11, 16, 17, 22, 30, 32, 4


class TestActions:
    def test_a_failed_node_is_retried_with_new_inputs(self, sops: SopsClient) -> None:
        task_id = failed(sops)
        typed = '{"bk_timing": "0", "force_check": true}'
        done = press(lambda: task_page(sops, task_id).link("fails"), "retry", typed=typed)
        assert done.status == 200
        sops.wait(task_id, is_in("FINISHED"))
        page = task_page(sops, task_id)
        assert node_table(page)["fails"] == "FINISHED"
        assert page["needs"].words == ""
        assert {"retry", "skip"} & set(page.link("fails").buttons) == set()

    def test_inputs_that_were_left_alone_are_read_from_the_variables_again(self, sops: SopsClient) -> None:
        task_id = failed(sops)
        press(lambda: task_page(sops, task_id).link("fails"), "retry")
        sops.wait(task_id, lambda now: any(one["retry"] == 1 for one in now["children"].values()))
        node_id = next(one["id"] for one in sops.status(task_id)["children"].values() if one["name"] == "fails")
        detail = sops.get(f"get_task_node_detail/{task_id}/{BUSINESS}", node_id=node_id)["data"]
        assert detail["inputs"]["bk_timing"] == detail["histories"][0]["inputs"]["bk_timing"]

    def test_what_is_no_json_is_refused_and_not_lost(self, sops: SopsClient) -> None:
        task_id = failed(sops)
        page = task_page(sops, task_id).link("fails")
        for typed, words in (("{'bk_timing': 0}", "This is not JSON: "), ("[1]", "This is not a JSON object")):
            refused = page.press("retry", typed=typed)
            assert refused.status == 409
            assert words in refused.root.words
            areas = {one.attributes["name"]: one.text.strip() for one in refused.root.all("textarea")}
            assert areas["typed"] == typed

    def test_a_failed_node_is_skipped(self, sops: SopsClient) -> None:
        task_id = failed(sops, FAIL_IN_SUBPROCESS)
        press(lambda: task_page(sops, task_id).link("fails inside"), "skip")
        sops.wait(task_id, is_in("FINISHED"))
        assert "skipped" in task_page(sops, task_id).root.words

    def test_a_node_that_allows_neither_offers_neither(self, sops: SopsClient) -> None:
        page = task_page(sops, failed(sops, FAIL_HARD))
        name = page["needs"].all("a")[0].words
        assert {"retry", "skip"} & set(page.link(name).buttons) == set()

    def test_a_pause_is_answered(self, sops: SopsClient) -> None:
        task_id = sops.run(PAUSE)["task_id"]
        sops.wait(task_id, node_is("ask a person", "RUNNING"))
        assert "ask a person waits for a person" in task_page(sops, task_id)["needs"].words
        press(lambda: task_page(sops, task_id).link("ask a person"), "callback", typed='{"answer": "<yes>"}')
        sops.wait(task_id, is_in("FINISHED"))
        assert "<yes>" in task_page(sops, task_id)["outputs"].words

    @pytest.mark.parametrize(("action", "state"), [("approve", "FINISHED"), ("reject", "FAILED")])
    def test_an_approval_is_given_or_refused(self, sops: SopsClient, action: str, state: str) -> None:
        task_id = sops.run(APPROVAL)["task_id"]
        sops.wait(task_id, node_is("approve", "RUNNING"))
        press(lambda: task_page(sops, task_id).link("approve"), action)
        sops.wait(task_id, is_in(state))

    def test_a_task_is_started_paused_resumed_and_revoked(self, sops: SopsClient) -> None:
        task_id = sops.create(LONG, constants={"${seconds}": 60})["task_id"]
        for action, state in (
            ("start", "RUNNING"),
            ("pause", "SUSPENDED"),
            ("resume", "RUNNING"),
            ("revoke", "REVOKED"),
        ):
            press(lambda: task_page(sops, task_id), action)
            sops.wait(task_id, is_in(state))
        page = task_page(sops, task_id)
        assert (page["state"].words, page["facts"].all("button")) == ("REVOKED", [])

    def test_a_node_is_paused_ahead_resumed_and_made_to_fail(self, sops: SopsClient) -> None:
        task_id = sops.create(LONG, constants={"${seconds}": 60})["task_id"]
        first = next(name for name in node_table(task_page(sops, task_id)) if name not in ("start", "end"))
        sops.start(task_id)
        sops.wait(task_id, node_is(first, "RUNNING"))
        press(lambda: task_page(sops, task_id).link(first), "forced_fail")
        sops.wait(task_id, is_in("FAILED"))
        assert "terminated by admin" in task_page(sops, task_id)["needs"].words
        second = next(name for name, state in node_table(task_page(sops, task_id)).items() if state == "not reached")
        press(lambda: task_page(sops, task_id).link(second), "pause", within="node")
        press(lambda: task_page(sops, task_id).link(first), "skip")
        sops.wait(task_id, is_in("NODE_SUSPENDED"))
        press(lambda: task_page(sops, task_id).link(second), "resume", within="node")
        sops.wait(task_id, node_is(second, "RUNNING"))

    def test_a_gateway_that_found_no_branch_is_sent_down_one(self, sops: SopsClient) -> None:
        task_id = failed(sops, NOMATCH)
        gateway = task_page(sops, task_id)["needs"].all("a")[0].words
        press(lambda: task_page(sops, task_id).link(gateway), "skip_exg")
        sops.wait(task_id, is_in("FINISHED"))

    def test_an_independent_subprocess_leads_to_its_task(self, sops: SopsClient) -> None:
        task_id = sops.run(INDEPENDENT)["task_id"]
        sops.wait(task_id, node_is("call leaf", "RUNNING"))
        page = task_page(sops, task_id)
        assert "waits for a person" not in page.root.words
        deadline = time.monotonic() + 10
        while "a separate task" not in (node := page.link("call leaf")).root.words:
            assert time.monotonic() < deadline, node.html
        inner = node.link("a separate task")
        assert set(node_table(inner)) >= {"leaf says", "leaf waits"}
        sops.wait(task_id)

    def test_what_the_server_refuses_is_said_in_a_line(self, sops: SopsClient) -> None:
        task_id = sops.run(LONG, constants={"${seconds}": 60})["task_id"]
        sops.wait(task_id, is_in("RUNNING"))
        page = task_page(sops, task_id)
        sops.operate_task(task_id, "revoke")
        refused = page.press("pause")
        assert refused.status == 409
        assert "Not done (pause): task with current_flow:finished cannot be pauseed" in refused.root.words
        assert refused["state"].words == "REVOKED"
