"""The plugins that nodes run: each module here defines some in ``PLUGINS``.

To add one, put a module beside these. Inputs and outputs are those of SOPS's plugin of the same code and version.
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
    """What the engine's library looks up by code and version.

    :param bound_service: the class that does the work; the name is the engine's.
    :param repeatable: whether it touches nothing outside its task, so that after a kill it may be run again.
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
    """Make every plugin of this package known to the engine, and those that one server adds."""
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        for plugin in importlib.import_module(module.name).PLUGINS:
            ComponentLibrary.register_component(plugin.code, plugin.version, plugin)
    for plugin in plugins:
        ComponentLibrary.register_component(plugin.code, plugin.version, plugin)
