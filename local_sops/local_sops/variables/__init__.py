"""Variables that the server computes when a flow asks for them, by ``custom_type``; those that need no CMDB.

A class here is known to the engine from its definition on. To add one, put a module beside these.
"""

from __future__ import annotations

import importlib
import pkgutil


def register_variables() -> None:
    """Make every variable of this package known to the engine."""
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        importlib.import_module(module.name)
