"""The registry of converters from SOPS plugins to Airflow operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.sops.errors import SopsInvalidParameterError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator

    from airflow_provider_sops.dag_generator.converters.convertible_node import ConvertibleNode

#: Matches every version of a plugin.
ANY_VERSION = "*"

#: The outputs that SOPS adds to every node; a node run by Airflow has succeeded, and runs once.
SOPS_OUTPUTS: Mapping[str, Any] = {"_result": True, "_loop": 1, "_inner_loop": 1}

Build = Callable[["ConvertibleNode"], "BaseOperator | None"]
"""Creates the operator for a node; ``None`` leaves the node to SOPS."""

Outputs = Mapping[str, Callable[[Any], Any]]
"""The outputs of a plugin, each as a function of the operator's return value."""


@dataclass(frozen=True)
class NodeConverter:
    """How nodes of one plugin become operators.

    :param build: creates the operator.
    :param outputs: the plugin's outputs by name. By default the operator's return value, if it is a dict; then the
        names are unknown before a run.
    """

    build: Build
    outputs: Outputs | None = None

    def outputs_of(self, returned: Any) -> dict[str, Any]:
        """Return the outputs of a node by name, including those that SOPS adds.

        :param returned: the operator's XCom ``return_value``.
        :raises SopsInvalidParameterError: an output's function failed; its exception is the cause.
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
            f"the converter's function for the output {name} raised {type(error).__name__} on the operator's"
            f" result, a {type(returned).__name__}: {error}",
            advice="Fix the function in the converter's outputs.",
        ) from error


class ConverterRegistry:
    """Converters by plugin code and version.

    A converter for the exact version wins over one for all versions; otherwise the last one registered wins.
    """

    def __init__(self) -> None:
        self._converters: dict[str, dict[str, NodeConverter]] = {}

    def register(
        self, plugin: str, version: str = ANY_VERSION, *, outputs: Outputs | None = None
    ) -> Callable[[Build], Build]:
        """Register the decorated function as the converter of a plugin.

        The function takes a ``ConvertibleNode`` and returns an operator made with ``**node.task_args``, or ``None`` to
        leave the node to SOPS. It is called while the DAG file is parsed: it should only create the operator.

        :param plugin: the plugin's code, for example ``bk_http_request``.
        :param version: the plugin's version as the tree has it; a node without one has the version ``legacy``. ``"*"``
            (default) matches every version, and replaces earlier registrations of the plugin.
        :param outputs: the plugin's outputs by name, each as a function of the operator's return value. Default: the
            return value itself, if it is a dict.
        """
        _check_texts(plugin, version)

        def decorate(build: Build) -> Build:
            self.add(plugin, version, NodeConverter(build, outputs))
            return build

        return decorate

    def add(self, plugin: str, version: str, converter: NodeConverter) -> None:
        """Register an existing converter; same plugin and version as in ``register``."""
        _check_texts(plugin, version)
        if version == ANY_VERSION:
            self._converters[plugin] = {}
        self._converters.setdefault(plugin, {})[version] = converter

    def find(self, plugin: str, version: str) -> NodeConverter | None:
        """Return the converter for a node; ``None`` if its plugin has none.

        :param version: the node's version.
        """
        versions = self._converters.get(plugin, {})
        return versions.get(version) or versions.get(ANY_VERSION)


def _check_texts(plugin: Any, version: Any) -> None:
    if not isinstance(plugin, str) or not isinstance(version, str) or not plugin or not version:
        raise SopsInvalidParameterError(
            "a converter needs the plugin's code and version, both strings",
            advice='Write @converters.register("my_plugin", "v1.0").',
        )
