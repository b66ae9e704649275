"""Check whether the template in SOPS still matches a DAG's snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_sops.service.text import log_entry
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from airflow_provider_sops.sops.pipeline_tree.content import content_hash, differences

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.pipeline_tree.snapshot import Snapshot

_MOST_CHANGES = 10


class FlowStart(Protocol):
    """What the two tasks that can start a flow have in common.

    :param snapshot: the template as the DAG was built from it.
    :param on_template_change: ``"warn"`` or ``"fail"`` if the template in SOPS is no longer like that.
    """

    snapshot: Snapshot
    template_id: Any
    template_source: str
    on_template_change: str

    @property
    def hook(self) -> SopsHook:
        """The connection to SOPS."""

    @property
    def log(self) -> Any:
        """The log of the task."""


def tell_template_change(start: FlowStart) -> None:
    """Compare a flow's template with its snapshot, and report the changes.

    Calls get_template_info.

    :raises SopsInvalidParameterError: the template has changed and ``on_template_change`` is ``"fail"``.
    """
    source = start.template_source
    template = start.hook.get_template_info(start.template_id, template_source=source, unfold_subprocess=True)
    tree = PipelineTree(template.pipeline_tree)
    if content_hash(tree) == start.snapshot.content_hash:
        return
    changes = differences(start.snapshot.tree, tree)
    shown = "; ".join(changes[:_MOST_CHANGES]) or "a password"
    text = f"template {start.template_id} has changed since its snapshot: {shown}"
    if start.on_template_change == "fail":
        raise SopsInvalidParameterError(text, advice="Write the snapshot again with `airflow-sops snapshot`.")
    start.log.warning("%s", log_entry(text))
