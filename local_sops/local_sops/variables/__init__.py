"""Variables that the server computes when a flow reads them, by ``custom_type``; only those that need no CMDB.

Defining a class registers it with the engine. To add one, put a module in this folder.
"""

from __future__ import annotations

import importlib
import pkgutil


def register_variables() -> None:
    """Register every variable of this package with the engine."""
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        importlib.import_module(module.name)
