"""Check whether the template in SOPS still matches a DAG's snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from airflow_provider_sops.sops.pipeline_tree.content import content_hash, differences

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.pipeline_tree.snapshot import Snapshot
    from airflow_provider_sops.task_instance.log import TaskLog

_MOST_CHANGES = 10


def tell_template_change(
    hook: SopsHook, snapshot: Snapshot, template_id: int | str, template_source: str, *, fail: bool, log: TaskLog
) -> None:
    """Compare a template with its snapshot, and report the changes.

    Calls get_template_info.

    :param fail: raise an error for a change instead of logging it.
    :raises SopsInvalidParameterError: the template has changed.
    """
    template = hook.get_template_info(template_id, template_source=template_source, unfold_subprocess=True)
    tree = PipelineTree(template.pipeline_tree)
    if content_hash(tree) == snapshot.content_hash:
        return
    changes = differences(snapshot.tree, tree)
    text = (
        f"template {template_id} has changed since its snapshot: {'; '.join(changes[:_MOST_CHANGES]) or 'a password'}"
    )
    if fail:
        raise SopsInvalidParameterError(text, advice="Write the snapshot again with `airflow-sops snapshot`.")
    log.warning("%s", text)
