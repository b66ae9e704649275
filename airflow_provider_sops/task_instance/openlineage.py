"""The SOPS task of an operator or a sensor in OpenLineage, where Airflow's provider for it is installed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.sops import SopsHook

log = logging.getLogger(__name__)


class _HasHook(Protocol):
    """An operator or a sensor for SOPS."""

    @property
    def hook(self) -> SopsHook:
        """The connection to SOPS."""


def get_openlineage_facets_on_complete(operator: _HasHook, task_instance: Any) -> Any:
    """Return the facets ``externalQuery``, which names the SOPS task, and ``sops_task``, which describes it.

    Operators and sensors have it as a method. Airflow's provider for OpenLineage calls it where a task has ended, well
    or not, in a process of its own that has ten seconds.

    Calls get_task_detail and get_task_status; without an answer there is the first facet alone.

    :param operator: the operator or sensor.
    :param task_instance: the one that has ended.
    :return: an ``OperatorLineage``; ``None`` if it had no SOPS task.
    """
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.facet_v2 import RunFacet, external_query_run

    sops_task_id = _pushed_task_id(task_instance)
    if sops_task_id is None:
        return None
    query = external_query_run.ExternalQueryRunFacet(str(sops_task_id), source=source_of(operator.hook))
    facts = _read_facts(operator.hook, sops_task_id)
    described = {} if facts is None else {"sops_task": RunFacet().with_additional_properties(**facts)}
    return OperatorLineage(run_facets={"externalQuery": query, **described})


def asset_as_dataset(asset: Any, _lineage_context: Any) -> Any:
    """Return an asset with the scheme ``sops`` as a dataset: the namespace is ``sops://host``, the name the path.

    Airflow's provider for OpenLineage calls it for inlets and outlets.

    :param asset: with an address as ``sops.asset_uri`` gives it.
    """
    from openlineage.client.event_v2 import Dataset

    parts = urlsplit(asset.uri)
    return Dataset(namespace=f"{parts.scheme}://{parts.netloc}", name=parts.path.removeprefix("/"))


def source_of(hook: SopsHook) -> str:
    """Return where the tasks of a hook are, in the form of asset addresses: ``sops://host/business``."""
    connection = hook.connection
    return f"sops://{urlsplit(connection.transport.root).netloc.rpartition('@')[2]}/{connection.bk_biz_id or ''}"


def _pushed_task_id(ti: Any) -> int | None:
    """Return the SOPS task that the task instance itself has announced."""
    from airflow_provider_sops.service.reading import read_id
    from airflow_provider_sops.task_instance.xcom import TASK_ID_XCOM_KEY

    return read_id(ti.xcom_pull(task_ids=ti.task_id, key=TASK_ID_XCOM_KEY, map_indexes=ti.map_index))


def _read_facts(hook: SopsHook, sops_task_id: int) -> dict[str, Any] | None:
    """Return what there is to tell of a task; ``None`` if SOPS does not answer within seconds."""
    from airflow_provider_sops.service.errors import ServiceError
    from airflow_provider_sops.sops.calls.tasks import get_task_detail, get_task_status
    from airflow_provider_sops.sops.lineage import task_facts

    try:
        # Over sessions of their own: the process may be a fork, whose connections belong to its parent too.
        detail = hook.do_at_once(get_task_detail(sops_task_id, fresh=True))
        status = hook.do_at_once(get_task_status(sops_task_id, with_ex_data=True, fresh=True))
    except ServiceError as error:
        log.warning("SOPS task %s is not described to OpenLineage: %s", sops_task_id, error)
        return None
    return task_facts(detail, status)
