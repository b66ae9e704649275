from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from sops_client import BUSINESS, SopsClient, node_ids, running_server
from tree_fixtures import display, tree_of

if TYPE_CHECKING:
    from pathlib import Path

PATH = f"create_template/{BUSINESS}"


UNJOINED = tree_of([display("a"), display("b")], "start>g g>a g>b a>end b>end", {"g": "ParallelGateway"})


def small_tree(**fields: Any) -> dict[str, Any]:
    return tree_of([display("a", **fields)], "start>a a>end")


def test_it_can_be_run_and_keeps_its_ids(sops: SopsClient) -> None:
    answer = sops.post(PATH, {"name": "mine", "description": "d", "pipeline_tree": small_tree()})
    assert (answer["result"], answer["message"]) == (True, "success")
    assert set(answer["data"]) == {"template_id", "template_name", "pipeline_template_id"}
    template_id = answer["data"]["template_id"]
    template = sops.get(f"get_template_info/{template_id}/{BUSINESS}")["data"]
    assert (template["name"], template["creator"], template["description"]) == ("mine", "tester", "d")
    assert node_ids(template["pipeline_tree"]) == {"a": "a"}
    assert template_id in [one["id"] for one in sops.get(f"get_template_list/{BUSINESS}")["data"]]
    assert sops.wait(sops.run(template_id)["task_id"])["state"] == "FINISHED"


def test_the_tree_may_be_a_text(sops: SopsClient) -> None:
    assert sops.post(PATH, {"name": "text", "pipeline_tree": json.dumps(small_tree())})["result"]


def test_each_has_an_id_of_its_own(sops: SopsClient) -> None:
    made = [sops.post(PATH, {"pipeline_tree": small_tree()})["data"] for _ in range(2)]
    assert len({one["template_id"] for one in made}) == 2
    assert all(one["template_name"].startswith("new20") for one in made)


def test_names_are_cleaned_and_cut(sops: SopsClient) -> None:
    body = {"name": "<a>" + "x" * 60, "pipeline_tree": small_tree(name="n<'&>" + "y" * 60)}
    data = sops.post(PATH, body)["data"]
    assert data["template_name"] == "a" + "x" * 49
    tree = sops.get(f"get_template_info/{data['template_id']}/{BUSINESS}")["data"]["pipeline_tree"]
    assert list(node_ids(tree)) == ["n" + "y" * 49]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "pipeline_tree is required"),
        ({"pipeline_tree": "{"}, "pipeline_tree is not a valid JSON string"),
        ({"pipeline_tree": {"activities": {}}}, "保存流程失败: 流程树合法性校验失败, 请检查流程. 失败原因: "),
        ({"pipeline_tree": "a: b", "format": "yaml"}, "local_sops reads JSON only"),
        (
            {
                "pipeline_tree": tree_of(
                    [display("a"), display("b")], "start>g g>a g>b a>end b>end", {"g": "ParallelGateway"}
                )
            },
            "cur_index: g,",
        ),
    ],
)
def test_what_is_no_tree_is_refused(sops: SopsClient, body: dict[str, Any], words: str) -> None:
    refused = sops.post(PATH, {"name": "no", **body})
    assert (refused["result"], refused["code"]) == (False, 3540000)
    assert words in refused["message"]


def test_it_outlives_the_server(data_folder: Path) -> None:
    with running_server(data_folder) as server:
        template_id = server.client.post(PATH, {"name": "mine", "pipeline_tree": small_tree()})["data"]["template_id"]
        server.kill()
    with running_server(data_folder) as server:
        assert server.client.get(f"get_template_info/{template_id}/{BUSINESS}")["data"]["name"] == "mine"
