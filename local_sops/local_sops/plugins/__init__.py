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
    """

    code: str
    version: str
    name: str
    bound_service: type[Service]


def register_plugins() -> None:
    """Make every plugin of this package known to the engine."""
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        for plugin in importlib.import_module(module.name).PLUGINS:
            ComponentLibrary.register_component(plugin.code, plugin.version, plugin)
