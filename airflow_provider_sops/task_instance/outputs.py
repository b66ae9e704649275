"""Reading the outputs of a finished SOPS task."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_list, read_mapping, read_text
from airflow_provider_sops.service.text import quoted
from airflow_provider_sops.sops.errors import SopsError
from airflow_provider_sops.sops.task_secrets import TaskSecrets
from airflow_provider_sops.task_instance.xcom import tell_changed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import TaskDetail
    from airflow_provider_sops.sops.pipeline_tree import TreeIndex

log = logging.getLogger(__name__)


def read_secrets(hook: SopsHook, sops_task_ids: Sequence[int]) -> TaskSecrets:
    """Return what is to be hidden of a task.

    :param sops_task_ids: the task, and before it the tasks around it; none for a flow without passwords.
    """
    try:
        secrets = TaskSecrets([hook.get_task_detail(sops_task_id) for sops_task_id in sops_task_ids])
    except SopsError:
        return TaskSecrets(None)
    if len(sops_task_ids) > 1:
        hook.know_passwords(sops_task_ids[-1], secrets)
    return secrets


#: SOPS caches get_task_detail for 60 seconds per web process.
_STALE_SECONDS = 66.0
_PAUSE_SECONDS = 6.0


def read_outputs(hook: SopsHook, sops_task_id: int, *, sleep: Callable[[float], None] = time.sleep) -> dict[str, Any]:
    """Return the outputs of a FINISHED task as ``{"name": value}``, without password-type ones.

    A password within another output is hidden. A variable that SOPS could not replace stays in an output as the text
    ``${...}``; the log says which node it should have come from.
    """
    detail = read_finished(hook, sops_task_id, sleep=sleep)
    secrets = TaskSecrets([detail])
    for sentence in _unreplaced(detail, secrets.tree()):
        log.warning("SOPS task %s: %s", sops_task_id, sentence)
    return secrets.outputs(detail.shown_outputs)


def _unreplaced(detail: TaskDetail, tree: TreeIndex | None) -> Iterator[str]:
    """Yield a sentence for each variable whose name stands in an output instead of its value."""
    # Only a running task needs it, not a DAG file.
    from airflow_provider_sops.sops.pipeline_tree.variables import references

    for name, value in detail.shown_outputs.items():
        for key in sorted(references(value) & detail.constants.keys()):
            why = " and ".join(_missing(read_mapping(detail.constants[key]), tree)) or "it has no value"
            yield f"output {quoted(name)} is given as it is, with the text {quoted(key)} in it: {why}"


def _missing(constant: Mapping[str, Any], tree: TreeIndex | None) -> Iterator[str]:
    for node_id, fields in read_mapping(constant.get("source_info")).items():
        node = tree.get(node_id) if tree else None
        label = quoted(node.name) if node and node.name else node_id
        yield f"node {label} has no output {' or '.join(quoted(read_text(each)) for each in read_list(fields))}"


def read_finished(hook: SopsHook, sops_task_id: int, *, sleep: Callable[[float], None] = time.sleep) -> TaskDetail:
    """Return what SOPS tells of a FINISHED task, its outputs among it, which may hold passwords.

    The request bypasses SOPS's cache. Should a gateway on the way drop what bypasses it, an answer from before the
    task's end shows by its missing finish time; then the question is asked again for as long as the cache holds.
    """
    waited = 0.0
    detail = hook.get_task_detail(sops_task_id, fresh=True)
    while detail.finish_time is None and waited < _STALE_SECONDS:
        sleep(_PAUSE_SECONDS)
        waited += _PAUSE_SECONDS
        detail = hook.get_task_detail(sops_task_id, fresh=True)
    shown = detail.shown_outputs
    tell_changed(f"outputs of SOPS task {sops_task_id}", (name for name in detail.changed_outputs if name in shown))
    return detail
