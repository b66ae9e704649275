"""The page for people: the list of tasks, a task with its nodes, and what can be done there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
import requests
from page_reader import Page
from sops_client import BUSINESS, SopsClient, is_in, node_ids, node_is, running_server
from tree_fixtures import constant, display, tree_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LINEAR, EXCLUSIVE, NESTED, OPTIONAL, PAUSE, FAIL, FAIL_HARD = 1, 3, 8, 9, 11, 12, 16
QUICK, LONG, FAIL_IN_SUBPROCESS, APPROVAL, INDEPENDENT, NOMATCH, NODES_200 = 18, 17, 22, 30, 32, 4, 200
ODD_TEXT = """<script>alert("1")</script> & 'quoted' ${1+1} %for 标准运维 🚀 </textarea>"""


def task_page(sops: SopsClient, task_id: int) -> Page:
    return Page.get(sops.detail(task_id)["task_url"])


def list_page(sops: SopsClient, **query: Any) -> Page:
    return Page(requests.get(f"{sops.base_url}/", params=query, timeout=10))


def names_on(page: Page) -> list[str]:
    return [row.all("td")[1].words for row in page["tasks"].all("tbody")[0].all("tr")]


def node_table(page: Page) -> dict[str, str]:
    """Name -> state, in the order of the page; the start and end of subprocesses only once."""
    rows = [row for row in page.root.all("tr") if row.attributes.get("id", "").startswith("row-")]
    return {row.all("td")[0].words: row.all("td")[2].words for row in rows}


def drawn(page: Page) -> dict[str, str]:
    """Name -> look of every node in the picture."""
    nodes = page["drawing"].all("g")
    return {one.all("title")[0].text.splitlines()[0]: one.attributes["class"].split()[1] for one in nodes}


def press(page: Callable[[], Page], action: str, **typed: str) -> Page:
    """Press a button as soon as the engine lets it be: for a moment after a failure it refuses."""
    deadline = time.monotonic() + 10
    while (done := page().press(action, **typed)).status == 409:
        assert time.monotonic() < deadline, done.html
    return done


def failed(sops: SopsClient, template_id: int = FAIL, **body: Any) -> int:
    task_id: int = sops.run(template_id, **body)["task_id"]
    sops.wait(task_id, is_in("FAILED"))
    return task_id


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


class TestTask:
    def test_it_is_where_the_task_url_leads(self, sops: SopsClient) -> None:
        created = sops.run(LINEAR, name="led here", constants={"${who}": "Ada", "${seconds}": 0})
        sops.wait(created["task_id"])
        page = Page.get(created["task_url"])
        assert page["state"].words == "FINISHED"
        assert node_table(page) == dict.fromkeys(["start", "say hello", "wait", "say goodbye", "end"], "FINISHED")
        assert "hello Ada" in page["outputs"].words

    def test_nodes_of_subprocesses_stand_below_theirs(self, sops: SopsClient) -> None:
        task_id = sops.run(NESTED)["task_id"]
        sops.wait(task_id)
        page = task_page(sops, task_id)
        cells = [row.all("td")[0] for row in page.root.all("tr") if "data-live" in row.attributes]
        named = [(cell.words, cell.attributes["class"]) for cell in cells if cell.words not in ("start", "end")]
        assert named == [
            ("first", "name depth-0"),
            ("call middle", "name depth-0"),
            ("middle says", "name depth-1"),
            ("middle calls leaf", "name depth-1"),
            ("leaf says", "name depth-2"),
            ("leaf waits", "name depth-2"),
            ("call leaf", "name depth-0"),
            ("leaf says", "name depth-1"),
            ("leaf waits", "name depth-1"),
            ("last", "name depth-0"),
        ]
        assert "middle says talk about the weather" in page.link("leaf says")["node-data"].words

    def test_a_branch_stands_in_one_piece_and_a_loop_once(self, sops: SopsClient) -> None:
        activities = [display(name) for name in ("a1", "a2", "b1", "b2", "after")]
        edges = "start>split split>a1 a1>a2 a2>join split>b1 b1>b2 b2>join join>after after>end"
        gateways = {"split": "ParallelGateway", "join": "ConvergeGateway"}
        created = sops.create(QUICK, pipeline_tree=tree_of(activities, edges, gateways))
        table = node_table(Page.get(created["task_url"]))
        order = ["start", "parallel gateway", "a1", "a2", "b1", "b2", "converge gateway", "after", "end"]
        assert list(table) == order
        assert set(table.values()) == {"not reached"}

    def test_a_node_shows_inputs_outputs_error_tries_and_log(self, sops: SopsClient) -> None:
        task_id = failed(sops)
        press(lambda: task_page(sops, task_id).link("fails"), "retry", typed='{"bk_timing": "2002-02-02 00:00:00"}')
        sops.wait(task_id, lambda now: any(one["retry"] == 1 for one in now["children"].values()))
        sops.wait(task_id, is_in("FAILED"))
        page = task_page(sops, task_id)
        assert "retry 1" in page.root.words
        assert page["needs"].words.startswith("fails failed: [定时]节点执行失败")
        data = page.link("fails")["node-data"].words
        assert "Error [定时]节点执行失败: 定时时间需晚于当前时间" in data
        assert "Earlier tries" in data
        task_id = sops.run(APPROVAL)["task_id"]
        sops.wait(task_id, node_is("approve", "RUNNING"))
        data = task_page(sops, task_id).link("approve")["node-data"].words
        assert "Inputs {" in data
        assert "snREQ" in data
        assert "Log asks admin to approve" in data

    def test_a_task_that_is_not_there_is_named(self, sops: SopsClient) -> None:
        for query in ("instance_id=999999", "instance_id=%3Cb%3E", ""):
            page = Page.get(f"{sops.base_url}/taskflow/execute/1/?{query}")
            assert (page.status, page.root.all("h1")[0].words) == (404, "No such task")

    def test_whatever_a_flow_says_is_text(self, sops: SopsClient) -> None:
        tree = tree_of(
            [display("a", ODD_TEXT, name=ODD_TEXT[:50])], "start>a a>end", constants=[constant("x", ODD_TEXT)]
        )
        tree["outputs"] = ["${x}"]
        created = sops.run(QUICK, name=ODD_TEXT, pipeline_tree=tree)
        sops.wait(created["task_id"])
        node_name = next(iter(node_ids(created["pipeline_tree"])))
        page = Page.get(created["task_url"])
        for shown in (page, list_page(sops), page.link(" ".join(node_name.split()))):
            assert "alert(" in shown.html
            assert "<script>alert" not in shown.html
            assert "</textarea> " not in shown.html
        assert page.root.all("h1")[0].words == f"{ODD_TEXT} FINISHED"
        assert ODD_TEXT.replace("${1+1}", "2") in page["outputs"].words or ODD_TEXT in page["outputs"].words
        assert len(page.root.all("script")) == 1

    def test_a_password_is_not_shown(self, sops: SopsClient) -> None:
        secret = constant("p", "hunter2", custom_type="password")
        tree = tree_of([display("a", "${p}")], "start>a a>end", constants=[secret])
        assert "hunter2" not in Page.get(sops.create(QUICK, pipeline_tree=tree)["task_url"]).html

    def test_two_hundred_nodes_are_shown_at_once(self, sops: SopsClient) -> None:
        created = sops.run(NODES_200)
        sops.wait(created["task_id"])
        began = time.monotonic()
        page = Page.get(created["task_url"])
        assert time.monotonic() - began < 3
        table = node_table(page)
        assert len(table) == len(page["drawing"].all("a")) == 204
        assert set(table.values()) == {"FINISHED"}


class TestPicture:
    def test_it_shows_what_has_become_of_every_node(self, sops: SopsClient) -> None:
        waiting = sops.run(APPROVAL)["task_id"]
        sops.wait(waiting, node_is("approve", "RUNNING"))
        looks = drawn(task_page(sops, waiting))
        assert looks == {"start": "done", "before": "done", "approve": "held", "after": "plain", "end": "plain"}
        assert drawn(task_page(sops, failed(sops)))["fails"] == "failed"

    def test_branches_that_were_not_taken_are_told_from_those_that_may_be(self, sops: SopsClient) -> None:
        created = sops.create(EXCLUSIVE)
        assert set(drawn(Page.get(created["task_url"])).values()) == {"plain"}
        sops.start(created["task_id"])
        sops.wait(created["task_id"])
        looks = drawn(Page.get(created["task_url"]))
        assert [looks[name] for name in ("deploy to test", "deploy elsewhere")] == ["done", "passed"]
        conditions = [one.words for one in Page.get(created["task_url"])["drawing"].all("text")]
        assert any(words.startswith("production: ") for words in conditions)

    def test_every_node_leads_to_its_panel_and_the_chosen_one_is_marked(self, sops: SopsClient) -> None:
        task_id = sops.run(LINEAR)["task_id"]
        sops.wait(task_id)
        links = [one.attributes["href"] for one in task_page(sops, task_id)["drawing"].all("a")]
        assert len(links) == len(set(links)) == 5
        for link in links:
            page = Page.get(sops.base_url + link)
            assert page.has("node")
            (chosen,) = [one for one in page["drawing"].all("g") if "chosen" in one.attributes["class"]]
            assert page["node"].all("h2")[0].words.startswith(chosen.all("title")[0].text.splitlines()[0])

    def test_a_subprocess_shows_its_inside_and_the_way_back(self, sops: SopsClient) -> None:
        task_id = sops.run(NESTED)["task_id"]
        sops.wait(task_id)
        outer = task_page(sops, task_id)
        assert set(drawn(outer)) == {"start", "first", "call middle", "call leaf", "last", "end"}
        inner = outer.link("call middle").link("middle calls leaf")
        assert set(drawn(inner)) == {"start", "leaf says", "leaf waits", "end"}
        (way,) = inner.root.all("nav")
        assert [one.words for one in way.all("a")] == ["test", "call middle", "middle calls leaf"]
        assert drawn(inner.link("leaf says")) == drawn(inner)
        assert drawn(inner.link("test")) == drawn(outer)

    def test_nodes_are_where_the_canvas_has_them(self, sops: SopsClient) -> None:
        tree = tree_of([display("a"), display("b")], "start>a a>b b>end")
        places = {"start": (0, 205), "a": (400, 200), "b": (100, 500), "end": (900, 205)}
        tree["location"] = [{"id": key, "type": "tasknode", "x": x, "y": y} for key, (x, y) in places.items()]
        picture = Page.get(sops.create(QUICK, pipeline_tree=tree)["task_url"])["drawing"]
        at = {one.all("title")[0].text.split()[0]: one.attributes["transform"] for one in picture.all("g")}
        assert at == {
            "start": "translate(22 227)",
            "a": "translate(475 227)",
            "b": "translate(175 527)",
            "end": "translate(922 227)",
        }


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
        assert "ask a person waits for an answer" in task_page(sops, task_id)["needs"].words
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
        assert "waits for an answer" not in page.root.words
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


class TestProtection:
    @pytest.mark.parametrize("origin", [None, "http://evil.example", "null", "http://127.0.0.1:1"])
    def test_a_form_of_another_site_is_refused(self, sops: SopsClient, origin: str | None) -> None:
        created = sops.create(QUICK)
        refused = Page.get(created["task_url"]).press("start", origin=origin)
        assert (refused.status, refused.html) == (403, "This form did not come from a page of this server.")
        assert sops.status(created["task_id"])["state"] == "CREATED"

    def test_a_name_that_another_site_may_have_turned_here_is_refused(self, sops: SopsClient) -> None:
        answers = {
            host: requests.get(f"{sops.base_url}/", headers={"Host": host}, timeout=10).status_code
            for host in ("localhost:80", "[::1]:80", "192.0.2.7", "evil.example", "localhost.evil.example", "")
        }
        assert answers == {
            "localhost:80": 200,
            "[::1]:80": 200,
            "192.0.2.7": 200,
            "evil.example": 403,
            "localhost.evil.example": 403,
            "": 403,
        }

    def test_nothing_of_another_site_is_let_in(self, sops: SopsClient) -> None:
        headers = requests.get(f"{sops.base_url}/", timeout=10).headers
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "frame-ancestors 'none'" in policy
        assert "script-src 'self';" in policy
        assert headers["Referrer-Policy"] == "same-origin"

    def test_a_server_that_runs_scripts_asks_for_the_secret(self, data_folder: Path) -> None:
        with running_server(data_folder, "--allow-scripts", "--app-secret", "s3cret") as server:
            task_id = requests.post(
                f"{server.client.base_url}/prod/create_task/{QUICK}/{BUSINESS}/",
                json={"name": "x"},
                headers={
                    "X-Bkapi-Authorization": '{"bk_app_code": "airflow", "bk_app_secret": "s3cret", "bk_username": "x"}'
                },
                timeout=10,
            ).json()["data"]["task_id"]
            url = f"{server.client.base_url}/taskflow/execute/1/?instance_id={task_id}"
            statuses = [
                requests.get(address, auth=auth, timeout=10).status_code
                for address in (url, f"{server.client.base_url}/")
                for auth in (None, ("me", "wrong"), ("me", "s3cret"))
            ]
            assert statuses == [401, 401, 200] * 2
            own = {"Origin": server.client.base_url}
            asked = {"data": {"do": "start"}, "allow_redirects": False, "timeout": 10}
            assert requests.post(url, headers=own, **asked).status_code == 401
            assert requests.post(url, auth=("me", "s3cret"), **asked).status_code == 403
            assert requests.post(url, auth=("me", "s3cret"), headers=own, **asked).status_code == 303
            while "created by x" not in (shown := requests.get(url, auth=("me", "s3cret"), timeout=10).text):
                time.sleep(0.02)
            while "started by me" not in shown:
                shown = requests.get(url, auth=("me", "s3cret"), timeout=10).text

    def test_style_and_script_need_no_secret_and_nothing_else_is_a_file(self, sops: SopsClient) -> None:
        for name, status in (("style.css", 200), ("page.js", 200), ("..%2Frendering.py", 404), ("task.html", 404)):
            assert requests.get(f"{sops.base_url}/page/{name}", timeout=10).status_code == status
