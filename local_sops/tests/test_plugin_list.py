from __future__ import annotations

from typing import TYPE_CHECKING

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
