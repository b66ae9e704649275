from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sops_client import BUSINESS

if TYPE_CHECKING:
    from sops_client import SopsClient


def test_the_plugins_are_listed_with_their_inputs_and_outputs(sops: SopsClient) -> None:
    listed = sops.get(f"get_plugin_list/{BUSINESS}")
    plugins = {(one["code"], one["version"]): one for one in listed["data"]}
    assert set(plugins) == {
        ("bk_approve", "v1.0"),
        ("bk_display", "1.0"),
        ("bk_http_request", "legacy"),
        ("bk_http_request", "v1.0"),
        ("bk_notify", "legacy"),
        ("bk_notify", "v1.0"),
        ("pause_node", "legacy"),
        ("sleep_timer", "legacy"),
        ("subprocess_plugin", "1.0.0"),
    }
    pause = plugins["pause_node", "legacy"]
    assert set(pause) == {"inputs", "outputs", "desc", "code", "name", "group_name", "version", "form"}
    assert pause["inputs"] == [
        {
            "name": "描述",
            "key": "description",
            "type": "string",
            "schema": {"type": "string", "description": "描述", "enum": []},
            "required": True,
        }
    ]
    assert [one["key"] for one in pause["outputs"]] == ["callback_data", "_result", "_loop", "_inner_loop"]
    assert pause["outputs"][1]["name"] == "执行结果"
    assert plugins["subprocess_plugin", "1.0.0"]["form"] is None


def test_one_plugin_is_described_as_in_the_list(sops: SopsClient) -> None:
    listed = sops.get(f"get_plugin_list/{BUSINESS}")["data"]
    for one in listed:
        detail = sops.get(f"get_plugin_detail/{BUSINESS}", code=one["code"], version=one["version"])
        assert detail["data"] == one
    assert sops.get(f"get_plugin_detail/{BUSINESS}", code="pause_node")["data"]["version"] == "legacy"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({}, "parameter code need to be provided."),
        ({"code": "bk_display"}, "can not find suitable component with code: bk_display and version: legacy"),
        ({"code": "x", "version": "9"}, "can not find suitable component with code: x and version: 9"),
    ],
)
def test_a_plugin_that_is_not_there_is_refused(sops: SopsClient, query: dict[str, str], words: str) -> None:
    refused = sops.get(f"get_plugin_detail/{BUSINESS}", **query)
    assert (refused["code"], refused["message"]) == (3546100, words)
