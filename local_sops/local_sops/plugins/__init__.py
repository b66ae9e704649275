"""The plugins that nodes run: each module defines some in ``PLUGINS``.

To add one, put a module in this folder. Inputs and outputs are those of SOPS's plugin with the same code and version.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.component_framework.library import ComponentLibrary

if TYPE_CHECKING:
    from pipeline.core.flow.activity import Service


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin, looked up by the engine's library by code and version.

    :param bound_service: the class that does the work (the engine's name for it).
    :param repeatable: whether it has no effects outside its task, so it may be run again after a kill.
    :param description: shown in the plugin list, as group_name and form (a script of SOPS's own editor) are.
    """

    code: str
    version: str
    name: str
    bound_service: type[Service]
    repeatable: bool = False
    description: str = ""
    group_name: str = "蓝鲸服务(BK)"
    form: str | None = None


def register_plugins(*plugins: Plugin) -> None:
    """Register every plugin of this package, and those that a server adds, with the engine."""
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        for plugin in importlib.import_module(module.name).PLUGINS:
            ComponentLibrary.register_component(plugin.code, plugin.version, plugin)
    for plugin in plugins:
        ComponentLibrary.register_component(plugin.code, plugin.version, plugin)
