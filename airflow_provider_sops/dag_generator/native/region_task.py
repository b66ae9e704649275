"""The tasks that run one region of a flow each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.dag_generator.native.piece import PieceOperator, PieceResult
from airflow_provider_sops.sops.errors import SopsError, SopsGatewayError, SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree.nodes import Activity, SubProcess
from airflow_provider_sops.sops.pipeline_tree.regions import cut_region, marker_id
from airflow_provider_sops.sops.pipeline_tree.rendering import KnownValues
from airflow_provider_sops.task_instance.outputs import read_finished
from airflow_provider_sops.task_instance.xcom import (
    EXCLUDED_XCOM_KEY,
    NODE_XCOM_KEY,
    NODES_XCOM_KEY,
    VARIABLES_XCOM_KEY,
)
from airflow_provider_sops.version_compat import SkipMixin

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from airflow_provider_sops.dag_generator.native.level_values import LevelValues
    from airflow_provider_sops.dag_generator.native.piece import PieceTask
    from airflow_provider_sops.dag_generator.native.region_report import RegionReport
    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.pipeline_tree import PipelineTree
    from airflow_provider_sops.sops.pipeline_tree.nodes import Node
    from airflow_provider_sops.sops.pipeline_tree.regions import Region
    from airflow_provider_sops.sops.pipeline_tree.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionPiece:
    """One region of a flow: an activity, a subprocess or a loop as a whole, or a gateway that decides.

    :param snapshot: the flow.
    :param values: where its variables come from.
    :param flow_start_task_id: the task that knows which nodes the run leaves out; ``None`` if it leaves out none here.
    :param targets: of a region that decides: the ids of the tasks behind its exits by the ids of the flows; filled once
        these are built.
    :param takes_a_moment: whether SOPS only evaluates expressions.
    """

    snapshot: Snapshot = field(repr=False)
    region: Region
    values: LevelValues = field(repr=False)
    flow_start_task_id: str | None = None
    targets: dict[str, str] = field(default_factory=dict)
    takes_a_moment: bool = False

    def without_sops(self, task: PieceTask) -> PieceResult | None:
        """Succeed without doing anything if the run leaves the node out."""
        if self.region.is_loop or self._node.id not in self._excluded(task):
            return None
        task.log.info("This node was left out of the run; the flow goes on behind it.")
        return PieceResult()

    def cut(self, tree: PipelineTree, task: PieceTask) -> dict[str, Any]:
        """Return the region as a web tree that contains the outputs of other tasks."""
        known = self.values.read(task.context, task.constants)
        return cut_region(tree, self.region, known, excluded=self._excluded(task))

    def read_outputs(self, hook: SopsHook, sops_task_id: int) -> dict[str, Any]:
        """Return the outputs as they are: one that holds a password is refused, not hidden."""
        return read_finished(hook, sops_task_id).shown_outputs

    def push_outputs(self, task: PieceTask, sops_task_id: int, outputs: Mapping[str, Any]) -> PieceResult:
        """Push the variables and the ends of the nodes; of a region that decides, also return the branches taken."""
        found = self._report(task, sops_task_id)
        variables = {f"${{{name}}}": value for name, value in outputs.items()}
        # SOPS returns a variable without a value as the variable's own text.
        variables = {key: value for key, value in variables.items() if value != key}
        returned = self._tell_nodes(task, found)
        if not self._is_one_node:
            returned = {key[2:-1]: value for key, value in variables.items()}
        _refuse_secrets(variables, found)
        task.push(VARIABLES_XCOM_KEY, variables)
        return PieceResult(returned, self._ways(found) if self.region.decides else None)

    def tell_failure(self, task: PieceTask, sops_task_id: int) -> None:
        """Report how the nodes have ended; the error gives the reason of the failure."""
        try:
            self._tell_nodes(task, self._report(task, sops_task_id))
        except SopsError as error:
            task.log.debug("The nodes of SOPS task %s cannot be read: %s", sops_task_id, error)

    @property
    def _node(self) -> Node:
        return self.snapshot.tree.nodes[self.region.key]

    @property
    def _is_one_node(self) -> bool:
        return not self.region.is_loop and not isinstance(self._node, SubProcess)

    def _tell_nodes(self, task: PieceTask, found: RegionReport) -> dict[str, Any] | None:
        """Push how the nodes have ended, and return the outputs of a region that is one activity."""
        if not self._is_one_node:
            task.push(NODES_XCOM_KEY, found.of_all(self.region.path))
            return None
        key = self.region.key[-1:]
        task.push(NODE_XCOM_KEY, found.report_node(key))
        return found.outputs_of(key) if isinstance(self._node, Activity) else None

    def _report(self, task: PieceTask, sops_task_id: int) -> RegionReport:
        from airflow_provider_sops.dag_generator.native.region_report import RegionReport

        # Mapping its nodes needs no values of its variables.
        piece = cut_region(self.snapshot.tree, self.region, KnownValues(), excluded=self._excluded(task))
        return RegionReport(task.hook, sops_task_id, piece, task.log)

    def _ways(self, found: RegionReport) -> list[str]:
        taken = [task_id for flow_id, task_id in self.targets.items() if found.has_finished((marker_id(flow_id),))]
        if not taken:
            raise SopsGatewayError(
                f"SOPS task {found.sops_task_id} has FINISHED, but took none of the flow's branches",
                advice="Look at the task in SOPS; the template may have changed.",
            )
        return taken

    def _excluded(self, task: PieceTask) -> Collection[str]:
        if self.flow_start_task_id is None:
            return ()
        return task.pull(self.flow_start_task_id, EXCLUDED_XCOM_KEY).sequence()


def _refuse_secrets(variables: Mapping[str, Any], found: RegionReport) -> None:
    """Refuse to push an output that contains a password.

    :raises SopsInvalidParameterError: a variable contains one.
    """
    leaking = found.leaks(variables)
    if leaking:
        raise SopsInvalidParameterError(
            f"{', '.join(leaking)} of this node would contain a password, which must not be passed between tasks",
            advice='Run the flow in mode="watch", or this part of it as one task: subprocess_as_task.',
        )


class RegionOperator(PieceOperator):
    """Run one region of a flow as a SOPS task: an activity, a subprocess as a whole, or a loop as a whole.

    Returns the outputs of an activity; of a subprocess or a loop the values of its variables, by
    name. XCom also has ``sops_variables`` for the tasks behind it, and ``sops_node``: state, times and retries as SOPS
    gives them; of a subprocess or a loop ``sops_nodes``: the same, and the outputs, of each node in it.

    A node that the run leaves out succeeds without doing anything, so that the flow goes on behind it.
    """


class DecidingRegionOperator(PieceOperator, SkipMixin):
    """Run a region that decides which way the flow goes: a loop with its exits. XCom is that of ``RegionOperator``.

    The tasks behind the exits that SOPS has not taken are skipped.
    """

    inherits_from_skipmixin = True


class GatewayOperator(PieceOperator, SkipMixin):
    """Let SOPS evaluate the expressions of one gateway and follow the ways that it takes.

    It is an exclusive gateway, of which one way is taken, or a conditional parallel one. XCom has ``sops_node``.
    """

    inherits_from_skipmixin = True
