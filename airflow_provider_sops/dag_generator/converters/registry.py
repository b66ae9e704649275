"""Which plugins of SOPS are replaced by which Airflow operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.sops.errors import SopsInvalidParameterError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator

    from airflow_provider_sops.dag_generator.converters.convertible_node import ConvertibleNode

#: What stands for every version of a plugin.
ANY_VERSION = "*"

#: What SOPS adds to the outputs of every node; a node that Airflow runs has succeeded, and runs once.
SOPS_OUTPUTS: Mapping[str, Any] = {"_result": True, "_loop": 1, "_inner_loop": 1}

Build = Callable[["ConvertibleNode"], "BaseOperator | None"]
"""Makes the operator for a node; ``None`` leaves the node to SOPS."""

Outputs = Mapping[str, Callable[[Any], Any]]
"""What each output of a plugin is, as a function of what the operator returns."""


@dataclass(frozen=True)
class NodeConverter:
    """How nodes of one plugin become operators.

    :param build: makes the operator.
    :param outputs: the plugin's outputs by name. Without them they are what the operator returns, if that is a dict,
        and nobody can tell before a run which ones there are.
    """

    build: Build
    outputs: Outputs | None = None

    def outputs_of(self, returned: Any) -> dict[str, Any]:
        """Return the outputs of a node by name, those that SOPS itself adds among them.

        :param returned: what the operator returned: its XCom ``return_value``.
        :raises SopsInvalidParameterError: a function for an output failed; the failure is its cause.
        """
        if self.outputs is None:
            found = dict(returned) if isinstance(returned, Mapping) else {}
        else:
            found = {name: _taken(name, take, returned) for name, take in self.outputs.items()}
        return {**SOPS_OUTPUTS, **found}


def _taken(name: str, take: Callable[[Any], Any], returned: Any) -> Any:
    try:
        return take(returned)
    except Exception as error:
        raise SopsInvalidParameterError(
            f"the converter's function for the output {name} raised {type(error).__name__} on what the operator"
            f" returned, a {type(returned).__name__}: {error}",
            advice="Repair the function in the converter's outputs.",
        ) from error


class ConverterRegistry:
    """Converters by plugin code and version.

    Where two fit a node, the one for just its version does; among equals the one that was registered last.
    """

    def __init__(self) -> None:
        self._converters: dict[str, dict[str, NodeConverter]] = {}

    def register(
        self, plugin: str, version: str = ANY_VERSION, *, outputs: Outputs | None = None
    ) -> Callable[[Build], Build]:
        """Register the decorated function as the converter of a plugin.

        The function takes a ``ConvertibleNode`` and returns an operator made with ``**node.task_args``, or ``None`` to
        leave the node to SOPS. It is called while the DAG file is parsed: let it only make the operator.

        :param plugin: the plugin's code, ``bk_http_request``.
        :param version: the plugin's version as the tree has it; a node without one has the version ``legacy``. ``"*"``
            (default) is for every version, and replaces what was registered for the plugin before.
        :param outputs: the plugin's outputs by name, each as a function of what the operator returns. Without it, what
            the operator returns is the outputs by name, if it is a dict.
        """
        _check_texts(plugin, version)

        def decorate(build: Build) -> Build:
            self.add(plugin, version, NodeConverter(build, outputs))
            return build

        return decorate

    def add(self, plugin: str, version: str, converter: NodeConverter) -> None:
        """Register a converter that is made already; plugin and version are as of ``register``."""
        _check_texts(plugin, version)
        if version == ANY_VERSION:
            self._converters[plugin] = {}
        self._converters.setdefault(plugin, {})[version] = converter

    def find(self, plugin: str, version: str) -> NodeConverter | None:
        """Return the converter for a node; ``None`` if its plugin has none.

        :param version: the version that the node has.
        """
        versions = self._converters.get(plugin, {})
        return versions.get(version) or versions.get(ANY_VERSION)


def _check_texts(plugin: Any, version: Any) -> None:
    if not isinstance(plugin, str) or not isinstance(version, str) or not plugin or not version:
        raise SopsInvalidParameterError(
            "a converter is registered by the plugin's code and its version, both texts",
            advice='Write @converters.register("my_plugin", "v1.0").',
        )
