"""Replace nodes of a SOPS flow with Airflow operators, for DAGs with ``mode="native"``.

Names are imported on first use: a registry needs neither the standard provider nor the HTTP provider.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_sops.dag_generator.converters.convertible_node import ConvertibleNode, NodeInput
    from airflow_provider_sops.dag_generator.converters.messages import bk_notify_converter
    from airflow_provider_sops.dag_generator.converters.registry import ConverterRegistry, NodeConverter
    from airflow_provider_sops.dag_generator.converters.shipped import shipped_converters

__all__ = [
    "ConverterRegistry",
    "ConvertibleNode",
    "NodeConverter",
    "NodeInput",
    "bk_notify_converter",
    "shipped_converters",
]

_MODULES = {
    "ConverterRegistry": "registry",
    "ConvertibleNode": "convertible_node",
    "NodeConverter": "registry",
    "NodeInput": "convertible_node",
    "bk_notify_converter": "messages",
    "shipped_converters": "shipped",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
