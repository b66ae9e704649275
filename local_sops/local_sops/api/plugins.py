"""The plugins that nodes may run: get_plugin_list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.component_framework.library import ComponentLibrary

from local_sops.api.call import success

if TYPE_CHECKING:
    from local_sops.api.call import Answer, Call


def get_plugin_list(call: Call) -> Answer:
    """List the plugins of this server with their inputs and outputs; SOPS has a hundred more."""
    plugins = []
    for plugin in ComponentLibrary.component_list():
        service = plugin.bound_service()
        plugins.append(
            {
                "inputs": [item.as_dict() for item in service.inputs()],
                "outputs": [item.as_dict() for item in service.outputs()],
                "desc": plugin.description,
                "code": plugin.code,
                "name": plugin.name,
                "group_name": plugin.group_name,
                "version": plugin.version,
                "form": plugin.form,
            }
        )
    return success(plugins)
