"""The converters shipped with this package."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from airflow_provider_sops.dag_generator.converters.http_request import HTTP_OUTPUTS, HttpRequestConverter
from airflow_provider_sops.dag_generator.converters.messages import display
from airflow_provider_sops.dag_generator.converters.registry import SOPS_OUTPUTS, ConverterRegistry, NodeConverter
from airflow_provider_sops.dag_generator.converters.sleep_timer import sleep_timer
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.version_compat import AIRFLOW_V_3_1_PLUS

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator

    from airflow_provider_sops.dag_generator.converters.convertible_node import ConvertibleNode
    from airflow_provider_sops.dag_generator.converters.http_request import HttpConnId
    from airflow_provider_sops.dag_generator.converters.registry import Build, Outputs


def shipped_converters(*, http_conn_id: HttpConnId | None = None) -> ConverterRegistry:
    """Return a new registry with this package's converters, to which you can add your own.

    ``bk_display``, ``sleep_timer`` with a fixed number of seconds, on Airflow 3.1 and later ``pause_node`` and
    ``bk_approve``, and optionally ``bk_http_request``. A node with outputs that the flow uses and only SOPS can provide
    stays in SOPS.

    :param http_conn_id: the Airflow connection, of type ``http``, through which ``bk_http_request`` nodes send their
        requests, or a function that returns one for a node (``None``: the node stays in SOPS). Default: all stay in
        SOPS, since Airflow's workers may not reach the same hosts. Needs ``apache-airflow-providers-http``.
    :raises SopsInvalidParameterError: ``http_conn_id`` is set, but the HTTP provider is not installed.
    """
    converters = ConverterRegistry()
    for version in ("1.0", "legacy"):
        _register(converters, "bk_display", version, display, {})
    _register(converters, "sleep_timer", "legacy", sleep_timer, {})
    if AIRFLOW_V_3_1_PLUS:
        from airflow_provider_sops.dag_generator.converters import people

        _register(converters, "pause_node", "legacy", people.pause, people.PAUSE_OUTPUTS)
        _register(converters, "bk_approve", "v1.0", people.approve, people.APPROVE_OUTPUTS)
    if http_conn_id is not None:
        _check_http_provider()
        for version in ("legacy", "v1.0"):
            _register(converters, "bk_http_request", version, HttpRequestConverter(http_conn_id), HTTP_OUTPUTS)
    return converters


def _register(converters: ConverterRegistry, plugin: str, version: str, build: Build, outputs: Outputs) -> None:
    converters.add(plugin, version, NodeConverter(_UnlessMoreIsNeeded(build, frozenset(outputs)), outputs))


@dataclass(frozen=True)
class _UnlessMoreIsNeeded:
    """Leaves a node to SOPS if the flow uses an output that only SOPS provides; can be pickled, as tasks hold it."""

    build: Build
    outputs: frozenset[str]

    def __call__(self, node: ConvertibleNode) -> BaseOperator | None:
        return None if set(node.needed_outputs) - {*self.outputs, *SOPS_OUTPUTS} else self.build(node)


def _check_http_provider() -> None:
    if find_spec("airflow.providers.http") is None:
        raise SopsInvalidParameterError(
            "http_conn_id is set, but Airflow's HTTP provider is not installed",
            advice="Install airflow-provider-sops[http], which includes apache-airflow-providers-http.",
        )
