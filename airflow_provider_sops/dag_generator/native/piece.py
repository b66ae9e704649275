"""Running a piece of a flow, cut out of its tree, as a SOPS task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import mask_secret

from airflow_provider_sops.operators.sops.run import SopsRunTaskOperator
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from airflow_provider_sops.sops.pipeline_tree.content import content_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_sops.sops.models import CreatedTask
    from airflow_provider_sops.sops.next_steps import NextSteps
    from airflow_provider_sops.sops.pipeline_tree.snapshot import Snapshot
    from airflow_provider_sops.sops.wait_result import WaitPolicy, WaitResult

#: How often a worker asks about a piece that only evaluates expressions, which takes SOPS a moment.
_MOMENT_SECONDS = 1.0


class PieceOperator(SopsRunTaskOperator):
    """Run a piece of a flow as a SOPS task; use one of its subclasses.

    The same rules as of ``SopsRunTaskOperator``: at most one started SOPS task for each generation of the task
    instance, whatever crashes.

    :param snapshot: the flow. Where it holds emptied passwords that the piece needs, the template is read.
    """

    shallow_copy_attrs: Sequence[str] = ("_snapshot",)

    def __init__(self, *, snapshot: Snapshot, **kwargs: Any) -> None:
        super().__init__(check_constants=False, **kwargs)
        self._snapshot = snapshot
        self._context: Context | None = None

    def cut(self, tree: PipelineTree, context: Context) -> dict[str, Any]:
        """Return the piece as a web tree.

        :param tree: the flow.
        """
        raise NotImplementedError

    def take(self, context: Context, sops_task_id: int, outputs: Mapping[str, Any]) -> Any:
        """Hand on what the piece has put out, and return what this task returns.

        :param outputs: the outputs of the piece's tree, by name.
        """
        raise NotImplementedError

    def _run(self, context: Context) -> Any:
        self._context = context
        # All that such a task is given itself are passwords; the rest travels as XCom.
        for value in (self.constants or {}).values():
            mask_secret(value)
        return super()._run(context)

    def check_against_template(self) -> None:
        """Do nothing: the start of the flow checks what the flow was given."""

    def create_task(self, name: str) -> CreatedTask:
        """Create a SOPS task of the piece."""
        if self._context is None:
            raise AssertionError("a task is created while this task runs")
        tree = self.cut(self._snapshot.tree, self._context)
        if _has_emptied_password(tree):
            tree = self.cut(self._template_tree(), self._context)
        return self.hook.create_task(
            self.template_id,
            name,
            pipeline_tree=tree,
            template_source=self.template_source,
            flow_type=self.flow_type,
        )

    def _template_tree(self) -> PipelineTree:
        """Return the flow as SOPS has it, with the passwords that a snapshot does not hold."""
        source = self.template_source
        template = self.hook.get_template_info(self.template_id, template_source=source, unfold_subprocess=True)
        tree = PipelineTree(template.pipeline_tree)
        if content_hash(tree) != self._snapshot.content_hash:
            raise SopsInvalidParameterError(
                f"template {self.template_id} has changed since its snapshot, so that its passwords cannot be used",
                advice="Write the snapshot anew with `airflow-sops snapshot`.",
            )
        return tree

    def _conclude(self, context: Context, sops_task_id: int, task_url: str, result: WaitResult) -> Any:
        try:
            outputs = super()._conclude(context, sops_task_id, task_url, result)
        except Exception:
            self.take_failure(context, sops_task_id)
            raise
        return self.take(context, sops_task_id, outputs)

    def take_failure(self, context: Context, sops_task_id: int) -> None:
        """Tell what there is to tell of a piece that has not come to its end; must not raise."""


class MomentaryPieceOperator(PieceOperator):
    """A piece that takes SOPS a moment, so that a worker waits for it.

    A retry and a clear run it anew, with the values of then.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            **{
                **kwargs,
                "deferrable": False,
                "poll_interval_seconds": _MOMENT_SECONDS,
                "retry_mode": "new",
                "on_clear": "new",
            }
        )

    def next_steps(self, context: Context) -> NextSteps:
        """Return what a clear and a retry do, which are the same here whatever the outcome."""
        anew = "A retry or a clear of this task revokes the SOPS task and runs this piece of the flow anew."
        return replace(super().next_steps(context), failed=anew, unreachable=anew)

    def _policy(self, context: Context, overcome: tuple[str, ...]) -> WaitPolicy:
        return replace(super()._policy(context, overcome), always_fresh=True)


def _has_emptied_password(tree: Any) -> bool:
    waiting = [tree]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Mapping):
            if each.get("value_emptied") is True and "key" in each:
                return True
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
    return False
