"""The plugins that nodes may run: get_plugin_list, get_plugin_detail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.component_framework.library import ComponentLibrary

from local_sops.api.call import Code, Refusal, success

if TYPE_CHECKING:
    from local_sops.api.call import Answer, Call
    from local_sops.plugins import Plugin


def get_plugin_list(call: Call) -> Answer:
    """List the plugins of this server with their inputs and outputs; SOPS has a hundred more."""
    return success([_described(plugin) for plugin in ComponentLibrary.component_list()])


def get_plugin_detail(call: Call) -> Answer:
    """Describe one plugin by ``code`` and ``version``, which defaults to ``legacy``."""
    code, version = call.query.get("code"), call.query.get("version", "legacy")
    if not code:
        raise Refusal("parameter code need to be provided.", Code.VALIDATION)
    if version not in ComponentLibrary.versions(code):
        message = f"can not find suitable component with code: {code} and version: {version}"
        raise Refusal(message, Code.VALIDATION)
    return success(_described(ComponentLibrary.get_component_class(code, version)))


def _described(plugin: Plugin) -> dict[str, Any]:
    service = plugin.bound_service()
    return {
        "inputs": [item.as_dict() for item in service.inputs()],
        "outputs": [item.as_dict() for item in service.outputs()],
        "desc": plugin.description,
        "code": plugin.code,
        "name": plugin.name,
        "group_name": plugin.group_name,
        "version": plugin.version,
        "form": plugin.form,
    }
