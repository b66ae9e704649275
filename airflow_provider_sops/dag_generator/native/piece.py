"""The operator that runs a piece of a flow, cut out of the flow's tree, as a SOPS task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from airflow.providers.common.compat.sdk import conf

from airflow_provider_sops.operators.sops.base import key_of
from airflow_provider_sops.operators.sops.create import SopsTemplateOperator
from airflow_provider_sops.operators.sops.run_settings import (
    START_TIMEOUT_SECONDS,
    WEEK_SECONDS,
    RunSettings,
    check_choices,
)
from airflow_provider_sops.service.durations import Duration, poll_interval, seconds, seconds_or_none
from airflow_provider_sops.service.reading import read_mapping
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from airflow_provider_sops.sops.pipeline_tree.content import content_hash
from airflow_provider_sops.task_instance.flow_xcom import pull
from airflow_provider_sops.task_instance.sops_errors import airflow_errors
from airflow_provider_sops.version_compat import mask_secret

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.operators.sops.person_needed import OnNodeFailed
    from airflow_provider_sops.operators.sops.run_settings import OnClear, RetryMode
    from airflow_provider_sops.operators.sops.task_run import SopsTaskRun
    from airflow_provider_sops.sops.models import CreatedTask, TaskDetail
    from airflow_provider_sops.sops.next_steps import NextSteps
    from airflow_provider_sops.sops.pipeline_tree.snapshot import Snapshot
    from airflow_provider_sops.sops.wait_result import OnFailed, WaitResult
    from airflow_provider_sops.task_instance.flow_xcom import Pulled
    from airflow_provider_sops.task_instance.log import TaskLog

#: How often a worker asks about a piece that only evaluates expressions, which takes SOPS a moment.
_MOMENT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class PieceTask:
    """What a piece needs of its running Airflow task.

    :param constants: passwords that the DAG's author gives; the rest travels as XCom.
    """

    hook: SopsHook
    log: TaskLog
    context: Context
    constants: Mapping[str, Any]

    def pull(self, task_id: str, key: str) -> Pulled:
        """Pull from another task of the flow."""
        return pull(self.context["ti"], task_id, key)

    def push(self, key: str, value: Any) -> None:
        """Push for other tasks of the flow."""
        ti: Any = self.context["ti"]
        ti.xcom_push(key=key, value=value)


@dataclass(frozen=True, slots=True)
class PieceResult:
    """What the task of a piece returns and which tasks run next.

    :param returned: what it returns.
    :param ways: ids of the downstream tasks to run, all others are skipped; ``None`` for all.
    """

    returned: Any = None
    ways: Sequence[str] | None = None


class Piece(Protocol):
    """The work of one task of a flow."""

    @property
    def snapshot(self) -> Snapshot:
        """The flow. Where it holds emptied passwords that the piece needs, the template is read."""

    @property
    def takes_a_moment(self) -> bool:
        """Whether a worker waits for it; then a retry and a clear run it again, with the values at that time."""

    def without_sops(self, task: PieceTask) -> PieceResult | None:
        """Run the piece without SOPS; ``None`` if SOPS is needed."""

    def cut(self, tree: PipelineTree, task: PieceTask) -> dict[str, Any]:
        """Return the piece as a web tree.

        :param tree: the flow.
        """

    def read_outputs(self, hook: SopsHook, sops_task_id: int) -> dict[str, Any]:
        """Return the outputs of the piece's finished SOPS task, by name."""

    def push_outputs(self, task: PieceTask, sops_task_id: int, outputs: Mapping[str, Any]) -> PieceResult:
        """Push the outputs of the finished piece."""

    def tell_failure(self, task: PieceTask, sops_task_id: int) -> None:
        """Report what is known of a piece that did not finish; must not raise."""


class PieceOperator(SopsTemplateOperator):
    """Run a piece of a flow as a SOPS task. Each kind of piece has a subclass, which Airflow shows by name.

    The same rules as of ``SopsRunTaskOperator``, whose arguments the others are: at most one started SOPS task for each
    generation of the task instance, whatever crashes. It always waits, since the next tasks need its outputs.

    :param piece: the piece.
    """

    template_fields: Sequence[str] = (*SopsTemplateOperator.template_fields, "retry_inputs")
    template_fields_renderers = {"constants": "json", "retry_inputs": "json"}  # noqa: RUF012 - Airflow's own form
    shallow_copy_attrs: Sequence[str] = ("piece",)

    def __init__(
        self,
        *,
        piece: Piece,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval_seconds: Duration | None = None,
        timeout_seconds: Duration | None = WEEK_SECONDS,
        start_timeout_seconds: Duration | None = START_TIMEOUT_SECONDS,
        on_failed: OnFailed = "fail",
        retry_mode: RetryMode = "resume",
        retry_inputs: Mapping[str, Mapping[str, Any]] | None = None,
        on_clear: OnClear = "keep_repaired",
        revoke_on_kill: bool = True,
        revoke_wait_seconds: Duration = 300,
        on_node_failed: OnNodeFailed = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{**kwargs, "check_constants": False})
        if piece.takes_a_moment:
            deferrable, poll_interval_seconds, retry_mode, on_clear = False, _MOMENT_SECONDS, "new", "new"
        check_choices(on_failed=on_failed, retry_mode=retry_mode, on_clear=on_clear)
        self.piece = piece
        self.deferrable = deferrable
        self.poll_interval_seconds = poll_interval(poll_interval_seconds)
        self.timeout_seconds = seconds_or_none("timeout_seconds", timeout_seconds, above_zero=True)
        self.start_timeout_seconds = seconds_or_none("start_timeout_seconds", start_timeout_seconds, above_zero=True)
        self.on_failed = on_failed
        self.retry_mode = retry_mode
        self.retry_inputs = retry_inputs
        self.on_clear = on_clear
        self.revoke_on_kill = revoke_on_kill
        self.revoke_wait_seconds = seconds("revoke_wait_seconds", revoke_wait_seconds)
        self.on_node_failed = on_node_failed
        self._run: SopsTaskRun | None = None

    def execute(self, context: Context) -> Any:
        """Run the piece, in SOPS if Airflow cannot, and push its outputs."""
        # All that such a task is given itself are passwords.
        for value in (self.constants or {}).values():
            mask_secret(value)
        task = self._task(context)
        with airflow_errors(self.log):
            done = self.piece.without_sops(task)
        if done is not None:
            return self._go_on(task, done)
        return self._work(self._begin_run(context), task, context)

    def _work(self, run: SopsTaskRun, task: PieceTask, context: Context) -> Any:
        from airflow_provider_sops.operators.sops.obtaining import TaskCreation

        with run.airflow_errors():
            self.check_parameters()
            # The start of the flow checks what the flow was given.
            run.obtain(TaskCreation(self.keyed_name(key_of(context)), lambda name: self._create(task, name)))
            detail = run.announce()
            self._check_tree(detail, task)
            run.start()
            return self._end_run(run, task, run.wait(detail, deferrable=self.deferrable))

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Take over from the trigger once the SOPS task is over, once a person is needed, or after an outage."""
        for value in (self.constants or {}).values():
            mask_secret(value)
        run, task = self._begin_run(context), self._task(context)
        with run.airflow_errors():
            waited = run.take_over(event)
            if waited is not None:
                return self._end_run(run, task, run.resume(waited))
        return self._work(run, task, context)

    def on_kill(self) -> None:
        """Revoke the SOPS task if somebody ended this task in Airflow; otherwise leave it to the next try."""
        if self._run is not None:
            self._run.on_kill()

    def next_steps(self, context: Context) -> NextSteps:
        """Return what a clear and a retry do; where SOPS takes a moment they are the same whatever the outcome."""
        steps = RunSettings.of(self).next_steps(context["ti"])
        if not self.piece.takes_a_moment:
            return steps
        again = "A retry or a clear of this task revokes the SOPS task and runs this piece of the flow again."
        return replace(steps, failed=again, unreachable=again)

    def _begin_run(self, context: Context) -> SopsTaskRun:
        from airflow_provider_sops.operators.sops.task_run import SopsTaskRun

        settings = RunSettings.of(self, always_fresh=self.piece.takes_a_moment)
        self._run = SopsTaskRun.of(self, settings, context, self.next_steps(context))
        return self._run

    def _task(self, context: Context) -> PieceTask:
        return PieceTask(self.hook, self.log, context, self.constants or {})

    def _create(self, task: PieceTask, name: str) -> CreatedTask:
        tree = self.piece.cut(self.piece.snapshot.tree, task)
        if _has_emptied_password(tree):
            tree = self.piece.cut(self._template_tree(), task)
        # Only a running task needs it, not a DAG file.
        from airflow_provider_sops.task_instance.origin import airflow_origin

        return self.hook.create_task(
            self.template_id,
            name,
            pipeline_tree=tree,
            template_source=self.template_source,
            flow_type=self.flow_type,
            description=airflow_origin(),
        )

    def _check_tree(self, detail: TaskDetail, task: PieceTask) -> None:
        """Check that a new SOPS task is this piece and not the whole flow: a SOPS of 2019 ignores its tree."""
        made = detail.pipeline_tree
        if not made or detail.start_time is not None:
            return
        if _parts(made) != _parts(self.piece.cut(self.piece.snapshot.tree, task)):
            raise SopsInvalidParameterError(
                f"SOPS task {detail.id} has another tree than the one that was sent; it is not started",
                advice='SOPS took the template\'s tree instead. An old SOPS does so: use mode="watch" there.',
            )

    def _template_tree(self) -> PipelineTree:
        """Return the flow as SOPS has it, with the passwords that a snapshot does not hold."""
        source = self.template_source
        template = self.hook.get_template_info(self.template_id, template_source=source, unfold_subprocess=True)
        tree = PipelineTree(template.pipeline_tree)
        if content_hash(tree) != self.piece.snapshot.content_hash:
            raise SopsInvalidParameterError(
                f"template {self.template_id} has changed since its snapshot, so that its passwords cannot be used",
                advice="Write the snapshot again with `airflow-sops snapshot`.",
            )
        return tree

    def _end_run(self, run: SopsTaskRun, task: PieceTask, result: WaitResult) -> Any:
        try:
            outputs = run.conclude(result, self.piece.read_outputs)
        except Exception:
            self.piece.tell_failure(task, run.sops_task_id)
            raise
        done = self.piece.push_outputs(task, run.sops_task_id, outputs)
        run.remember_outputs_taken()
        return self._go_on(task, done)

    def _go_on(self, task: PieceTask, done: PieceResult) -> Any:
        """Skip the branches not taken, and return the piece's return value; Airflow 3 skips by raising an exception."""
        if done.ways is not None:
            if done.returned:
                # A task that ends by skipping others pushes no return value itself.
                task.push("return_value", done.returned)
            # Only those of Airflow's SkipMixin have pieces that decide.
            deciding: Any = self
            deciding.skip_all_except(task.context["ti"], done.ways)
        return done.returned


def _parts(tree: Mapping[str, Any]) -> tuple[int, int, frozenset[str]]:
    """Count the nodes of a tree and list its constants, which SOPS leaves as they are in a tree that it was sent."""
    return (
        len(read_mapping(tree.get("activities"))),
        len(read_mapping(tree.get("gateways"))),
        frozenset(read_mapping(tree.get("constants"))),
    )


def _has_emptied_password(tree: Any) -> bool:
    waiting = [tree]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Mapping):
            if each.get("value_emptied") is True:
                return True
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
    return False
