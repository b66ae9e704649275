"""Replace nodes of a SOPS flow with Airflow operators, for DAGs with ``mode="native"``.

Names are imported on first use: a registry needs neither the standard provider nor the HTTP provider.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_sops.service.lazy_names import lazy_names

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

__getattr__ = lazy_names(
    __name__,
    {
        "ConverterRegistry": f"{__name__}.registry",
        "ConvertibleNode": f"{__name__}.convertible_node",
        "NodeConverter": f"{__name__}.registry",
        "NodeInput": f"{__name__}.convertible_node",
        "bk_notify_converter": f"{__name__}.messages",
        "shipped_converters": f"{__name__}.shipped",
    },
)
