from __future__ import annotations

import pytest
from sops_client import BUSINESS, SopsClient, is_in, node_ids, node_is, node_states

FAIL, FAIL_HARD, LONG, QUICK, PAUSE, PAUSE_IN_SUBPROCESS = 12, 16, 17, 18, 11, 28


def long_task(sops: SopsClient, seconds: int = 1) -> tuple[int, dict[str, str]]:
    created = sops.run(LONG, constants={"${seconds}": seconds})
    sops.wait(created["task_id"], node_is("first wait", "RUNNING"))
    return created["task_id"], node_ids(created["pipeline_tree"])


def failed_task(sops: SopsClient, template_id: int = FAIL) -> tuple[int, dict[str, str]]:
    created = sops.run(template_id)
    sops.wait(created["task_id"], is_in("FAILED"))
    return created["task_id"], node_ids(created["pipeline_tree"])


class TestTask:
    def test_a_paused_task_lets_the_running_node_end_and_goes_on_when_resumed(self, sops: SopsClient) -> None:
        task_id, _ = long_task(sops)
        assert sops.operate_task(task_id, "pause")["result"]
        assert sops.status(task_id)["state"] == "SUSPENDED"
        paused = sops.wait(task_id, node_is("first wait", "FINISHED"))
        assert (paused["state"], "second wait" in node_states(paused)) == ("SUSPENDED", False)
        assert sops.operate_task(task_id, "resume")["result"]
        sops.wait(task_id, is_in("FINISHED"))

    def test_a_paused_task_hides_a_failure(self, sops: SopsClient) -> None:
        task_id, _ = failed_task(sops)
        assert sops.operate_task(task_id, "pause")["result"]
        assert sops.status(task_id)["state"] == "SUSPENDED"
        assert sops.operate_task(task_id, "resume")["result"]
        assert sops.status(task_id)["state"] == "FAILED"

    def test_a_revoked_task_lets_the_running_node_end_and_starts_no_other(self, sops: SopsClient) -> None:
        task_id, _ = long_task(sops)
        assert sops.operate_task(task_id, "revoke")["result"]
        assert sops.status(task_id)["state"] == "REVOKED"
        revoked = sops.wait(task_id, node_is("first wait", "FINISHED"))
        assert (revoked["state"], revoked["finish_time"]) == ("REVOKED", None)
        assert "second wait" not in node_states(revoked)
        assert sops.detail(task_id)["finish_time"]
        assert sops.operate_task(task_id, "revoke")["code"] == 3545000

    @pytest.mark.parametrize("action", ["pause", "resume", "revoke"])
    def test_nothing_can_be_done_before_the_start(self, sops: SopsClient, action: str) -> None:
        answer = sops.operate_task(sops.create(QUICK)["task_id"], action)
        assert (answer["code"], answer["message"]) == (3545000, "task not started")

    @pytest.mark.parametrize("action", ["pause", "resume", "revoke"])
    def test_nothing_can_be_done_after_the_end(self, sops: SopsClient, action: str) -> None:
        task_id = sops.run(QUICK)["task_id"]
        sops.wait(task_id)
        answer = sops.operate_task(task_id, action)
        message = f"task with current_flow:finished cannot be {action}ed"
        assert (answer["code"], answer["message"]) == (3545000, message)

    def test_what_the_engine_refuses_comes_with_its_traceback(self, sops: SopsClient) -> None:
        task_id, _ = long_task(sops)
        answer = sops.operate_task(task_id, "resume")
        assert answer["code"] == 3599999
        assert answer["message"].startswith("fail: Traceback")

    def test_start_is_an_operation_too(self, sops: SopsClient) -> None:
        task_id = sops.create(QUICK)["task_id"]
        assert sops.operate_task(task_id, "start")["result"]
        sops.wait(task_id, is_in("FINISHED"))
        assert sops.operate_task(task_id, "start")["message"] == "task already started"

    def test_an_unknown_action_is_refused(self, sops: SopsClient) -> None:
        answer = sops.operate_task(sops.create(QUICK)["task_id"], "dance")
        assert (answer["code"], answer["message"]) == (3545000, "task command is invalid")


class TestNode:
    def test_a_retry_counts_and_keeps_the_earlier_try(self, sops: SopsClient) -> None:
        task_id, ids = failed_task(sops)
        node_id = ids["fails"]
        assert sops.operate_node(task_id, node_id, "retry")["result"]
        sops.wait(task_id, lambda now: now["children"][node_id]["retry"] == 1 and now["state"] == "FAILED")
        detail = sops.get(f"get_task_node_detail/{task_id}/{BUSINESS}", node_id=node_id)["data"]
        (earlier,) = detail["histories"]
        assert (earlier["state"], detail["retry"]) == ("FAILED", 1)
        assert earlier["ex_data"] == detail["ex_data"]

    def test_a_retry_may_bring_other_inputs(self, sops: SopsClient) -> None:
        task_id, ids = failed_task(sops)
        inputs = {"bk_timing": "0", "force_check": True}
        assert sops.operate_node(task_id, ids["fails"], "retry", inputs=inputs)["result"]
        assert sops.wait(task_id, is_in("FINISHED"))["children"][ids["fails"]]["retry"] == 1

    def test_a_skipped_node_is_finished(self, sops: SopsClient) -> None:
        task_id, ids = failed_task(sops)
        assert sops.operate_node(task_id, ids["fails"], "skip")["result"]
        node = sops.wait(task_id, is_in("FINISHED"))["children"][ids["fails"]]
        assert (node["state"], node["skip"]) == ("FINISHED", True)

    @pytest.mark.parametrize("action", ["retry", "skip"])
    def test_a_node_may_forbid_both(self, sops: SopsClient, action: str) -> None:
        task_id, ids = failed_task(sops, FAIL_HARD)
        assert sops.operate_node(task_id, ids["fails hard"], action)["code"] == 3599999

    def test_a_running_node_can_be_failed(self, sops: SopsClient) -> None:
        task_id, ids = long_task(sops, 30)
        # Until its plugin has begun to wait, the engine may write over why it was failed.
        sops.wait_for_outputs(task_id, ids["first wait"])
        assert sops.operate_node(task_id, ids["first wait"], "forced_fail")["result"]
        status = sops.status(task_id, with_ex_data=1)
        assert status["state"] == "FAILED"
        assert status["ex_data"] == {ids["first wait"]: "The node has been terminated by tester."}

    def test_a_node_that_is_paused_ahead_suspends_the_task_when_it_is_reached(self, sops: SopsClient) -> None:
        task_id, ids = long_task(sops)
        assert sops.operate_node(task_id, ids["second wait"], "pause")["result"]
        assert sops.status(task_id)["state"] == "RUNNING"
        suspended = sops.wait(task_id, is_in("NODE_SUSPENDED"))
        assert node_states(suspended)["second wait"] == "SUSPENDED"
        assert sops.operate_node(task_id, ids["second wait"], "resume")["result"]
        sops.wait(task_id, is_in("FINISHED"))

    @pytest.mark.parametrize(
        ("action", "code"), [("retry", 3599999), ("skip", 3599999), ("callback", 3599999), ("dance", 3599999)]
    )
    def test_every_refusal_has_one_code(self, sops: SopsClient, action: str, code: int) -> None:
        created = sops.run(QUICK)
        sops.wait(created["task_id"])
        answer = sops.operate_node(created["task_id"], node_ids(created["pipeline_tree"])["quick"], action)
        assert (answer["result"], answer["code"]) == (False, code)

    def test_ids_of_the_template_are_refused(self, sops: SopsClient) -> None:
        created = sops.create(QUICK)
        (node,) = created["pipeline_tree"]["activities"].values()
        answer = sops.operate_node(created["task_id"], node["template_node_id"], "retry")
        assert answer["code"] == 3599999
        assert answer["message"].endswith("| nodes_action")


class TestCallback:
    @pytest.mark.parametrize("by", ["node_callback", "operate_node"])
    def test_a_waiting_node_runs_until_it_is_called_back(self, sops: SopsClient, by: str) -> None:
        created = sops.run(PAUSE)
        task_id, node_id = created["task_id"], node_ids(created["pipeline_tree"])["ask a person"]
        waiting = sops.wait(task_id, node_is("ask a person", "RUNNING"))
        assert waiting["state"] == "RUNNING"
        if by == "node_callback":
            body = {"node_id": node_id, "callback_data": {"ok": 1}}
            answer = sops.post(f"node_callback/{task_id}/{BUSINESS}", body)
        else:
            answer = sops.operate_node(task_id, node_id, "callback", data={"ok": 1})
        assert answer["result"], answer
        sops.wait(task_id, is_in("FINISHED"))
        assert sops.detail(task_id)["outputs"] == [{"key": "${answer}", "value": {"ok": 1}, "name": "answer"}]

    def test_an_unknown_node_is_a_bad_parameter(self, sops: SopsClient) -> None:
        task_id = sops.create(PAUSE)["task_id"]
        answer = sops.post(f"node_callback/{task_id}/{BUSINESS}", {"node_id": "nowhere", "callback_data": {}})
        assert (answer["code"], answer["message"]) == (3540000, f"task[{task_id}] does not have node[nowhere]")

    def test_a_node_inside_a_subprocess_is_addressed_by_its_id_alone(self, sops: SopsClient) -> None:
        created = sops.run(PAUSE_IN_SUBPROCESS)
        tree = created["pipeline_tree"]
        inner = tree["activities"][node_ids(tree)["call what waits"]]["pipeline"]
        node_id = node_ids(inner)["ask inside"]
        sops.wait(created["task_id"], lambda now: node_id in str(now))
        body = {"node_id": node_id, "callback_data": {}}
        assert sops.post(f"node_callback/{created['task_id']}/{BUSINESS}", body)["result"]
        sops.wait(created["task_id"], is_in("FINISHED"))
