"""get_plugin_list: what the suite's flows are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.sops import SopsHook

pytestmark = [pytest.mark.contract, pytest.mark.integration]


@pytest.mark.since("2020")
def test_the_plugins_that_the_suite_uses_are_listed_with_their_outputs(hook: SopsHook) -> None:
    plugins = {(plugin["code"], plugin["version"]): plugin for plugin in hook.get_plugin_list()}
    used = [("bk_display", "1.0"), ("sleep_timer", "legacy"), ("pause_node", "legacy"), ("subprocess_plugin", "1.0.0")]
    assert set(used) <= set(plugins)
    for plugin in plugins.values():
        assert [one["key"] for one in plugin["outputs"]][-3:] == ["_result", "_loop", "_inner_loop"]
    assert plugins["pause_node", "legacy"]["outputs"][0]["key"] == "callback_data"
