"""The DAGs of one file of a bundle. Files that earlier versions of this package have written call ``flow_dags`` too."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import DAG, AirflowFailException, BaseOperator

from airflow_provider_sops.bundles.content import MANIFEST, UNREADABLE, Manifest, flow_file
from airflow_provider_sops.bundles.folder import loader_file
from airflow_provider_sops.dag_generator.dag import SopsDag
from airflow_provider_sops.service.reading import read_mapping, read_text
from airflow_provider_sops.service.storable import storable_text
from airflow_provider_sops.service.text import log_entry, shortened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_sops.bundles.options import BundleOptions

log = logging.getLogger(__name__)

#: Finds the DAGs of templates that cannot become one.
UNUSABLE_TAG = "unusable SOPS template"
_LONGEST_NAME = 250


def flow_dags(file: str) -> dict[str, DAG]:
    """Return the DAGs that a DAG file of a bundle has, by id; while a task runs, only that task's.

    :param file: the DAG file, ``__file__``. The flows are beside it.
    """
    from airflow.sdk import get_parsing_context

    path = Path(file)
    manifest = Manifest.read((path.parent / MANIFEST).read_bytes())
    asked = get_parsing_context().dag_id
    dags = {}
    for number in sorted(manifest.digests):
        dag_id = manifest.options.dag_id(number)
        if loader_file(number) != path.name or asked not in (None, dag_id):
            continue
        flow = path.parent / flow_file(number)
        try:
            content = flow.read_bytes()
        except FileNotFoundError:
            # The folder of the newest version is updated in place, and this flow is gone since its manifest was read.
            continue
        dags[dag_id] = _dag(dag_id, content, manifest.options)
    return dags


def _dag(dag_id: str, content: bytes, options: BundleOptions) -> DAG:
    data: Mapping[str, Any] = {}
    try:
        data = read_mapping(json.loads(content))
        if data.get("format") == UNREADABLE:
            return _unusable(dag_id, data, read_text(data.get("reason")), options)
        # Airflow would take a DAG that is half built.
        return SopsDag(
            dag_id,
            pipeline=data,
            schedule=None,
            auto_register=False,
            is_paused_upon_creation=True,
            dag_display_name=_display_name(dag_id, data),
            **options.flow_args,
        )
    except Exception as error:
        # One template must not cost the DAGs of all others.
        log.exception("The flow of %s cannot become a DAG", dag_id)
        return _unusable(dag_id, data, str(error) or type(error).__name__, options)


def _display_name(dag_id: str, data: Mapping[str, Any]) -> str:
    name = read_text(read_mapping(data.get("template")).get("name")).strip()
    return shortened(" ".join(storable_text(name).split()), _LONGEST_NAME) if name else dag_id


def _unusable(dag_id: str, data: Mapping[str, Any], reason: str, options: BundleOptions) -> DAG:
    """Return a DAG that says why a template cannot become one."""
    reason = log_entry(storable_text(reason))
    text = f"SOPS template {read_mapping(data.get('template')).get('id')} cannot become a DAG"
    # Markdown shows indented lines as they are.
    shown = "\n".join(f"    {line}" for line in reason.splitlines())
    own = {name: value for name, value in options.dag_args.items() if name in ("access_control", "owner_links")}
    dag = DAG(
        dag_id,
        schedule=None,
        auto_register=False,
        is_paused_upon_creation=True,
        dag_display_name=_display_name(dag_id, data),
        doc_md=f"{text}:\n\n{shown}\n",
        tags=[*options.dag_args.get("tags", ()), UNUSABLE_TAG],
        **own,
    )
    UnusableFlowOperator(task_id="reason", reason=f"{text}: {reason}", dag=dag)
    return dag


class UnusableFlowOperator(BaseOperator):
    """The only task of a DAG whose template cannot become one: it fails with the reason.

    :param reason: for people.
    """

    def __init__(self, *, reason: str, **kwargs: Any) -> None:
        super().__init__(**{"retries": 0, **kwargs})
        self.reason = reason

    def execute(self, context: Context) -> None:
        """Fail.

        :raises AirflowFailException: always.
        """
        raise AirflowFailException(
            f"{self.reason.rstrip('.')}. Once the cause is gone, the DAG follows with a refresh of its bundle."
        )
