"""The page of a task: its nodes, and the picture of the flow."""

from __future__ import annotations

import time

from page_reader import Page, drawn, failed, list_page, node_table, press, task_page
from sops_client import SopsClient, is_in, node_ids, node_is
from tree_fixtures import constant, display, tree_of

LINEAR, EXCLUSIVE, NESTED, QUICK, APPROVAL, NODES_200 = 1, 3, 8, 18, 30, 200
ODD_TEXT = """<script>alert("1")</script> & 'quoted' ${1+1} %for 标准运维 🚀 </textarea>"""


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
