"""The web pipeline_tree of SOPS: what a template or a task consists of.

Each name is loaded on first use: operators, which DAG files import, need only the look-up of nodes.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_sops.sops.pipeline_tree.levels import TreeIndex
    from airflow_provider_sops.sops.pipeline_tree.nodes import NodeKey
    from airflow_provider_sops.sops.pipeline_tree.tree import PipelineTree

__all__ = ["NodeKey", "PipelineTree", "TreeIndex"]

_MODULES = {"NodeKey": "nodes", "PipelineTree": "tree", "TreeIndex": "levels"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
