"""The task that runs one region of a flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import SkipMixin

from airflow_provider_sops.dag_generator.flow_xcom import pull
from airflow_provider_sops.dag_generator.native.piece import MomentaryPieceOperator, PieceOperator
from airflow_provider_sops.dag_generator.native.region_report import RegionReport
from airflow_provider_sops.sops.errors import SopsError, SopsGatewayError, SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree.nodes import Activity, SubProcess
from airflow_provider_sops.sops.pipeline_tree.regions import cut_region, marker_id
from airflow_provider_sops.sops.pipeline_tree.rendering import KnownValues
from airflow_provider_sops.task_instance.outputs import read_finished
from airflow_provider_sops.task_instance.sops_errors import airflow_errors
from airflow_provider_sops.task_instance.xcom import (
    EXCLUDED_XCOM_KEY,
    NODE_XCOM_KEY,
    NODES_XCOM_KEY,
    RETURN_XCOM_KEY,
    VARIABLES_XCOM_KEY,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_sops.dag_generator.native.level_values import LevelValues
    from airflow_provider_sops.sops.pipeline_tree import PipelineTree
    from airflow_provider_sops.sops.pipeline_tree.regions import Region


class RegionOperator(PieceOperator):
    """Run one region of a flow as a SOPS task: an activity, a subprocess as a whole, or a loop as a whole.

    Returns the outputs of an activity; of a subprocess or a loop the values of the variables that it puts out, by
    name. XCom also has ``sops_variables`` for the tasks behind it, and ``sops_node``: state, times and retries as SOPS
    gives them; of a subprocess or a loop ``sops_nodes``: the same, and the outputs, of each node in it.

    A node that the run leaves out succeeds without doing anything, so that the flow goes on behind it.

    :param region: the region.
    :param values: where its variables come from.
    :param flow_start_task_id: the task that knows which nodes the run leaves out; ``None`` if it leaves out none here.
    """

    shallow_copy_attrs: Sequence[str] = (*PieceOperator.shallow_copy_attrs, "region", "values")

    def __init__(
        self,
        *,
        region: Region,
        values: LevelValues,
        flow_start_task_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.region = region
        self.values = values
        self.flow_start_task_id = flow_start_task_id

    def execute(self, context: Context) -> Any:
        """Run the region, unless the run leaves it out."""
        node = self._snapshot.tree.nodes[self.region.key]
        with airflow_errors():
            excluded = self._excluded(context)
        if not self.region.is_loop and node.id in excluded:
            self.log.info("This node was left out of the run; the flow goes on behind it.")
            return None
        return super().execute(context)

    def cut(self, tree: PipelineTree, context: Context) -> dict[str, Any]:
        """Return the region as a web tree, with what other tasks have put out."""
        known = self.values.read(context, self.constants or {})
        return self._cut(tree, known, self._excluded(context))

    def read_outputs(self, sops_task_id: int) -> dict[str, Any]:
        """Return the outputs as they are: one that holds a password is refused, not hidden."""
        return read_finished(self.hook, sops_task_id).shown_outputs

    def take(self, context: Context, sops_task_id: int, outputs: Mapping[str, Any]) -> Any:
        """Hand on the variables and tell how the nodes have ended."""
        return self.hand_on(context, self._report(context, sops_task_id), outputs)

    def hand_on(self, context: Context, found: RegionReport, outputs: Mapping[str, Any]) -> Any:
        """Push the variables and how the nodes have ended, and return what this task returns."""
        ti: Any = context["ti"]
        variables = {f"${{{name}}}": value for name, value in outputs.items()}
        # A variable that has no value yet stays the text that stands for it.
        variables = {key: value for key, value in variables.items() if value != key}
        returned: dict[str, Any] | None = {key[2:-1]: value for key, value in variables.items()}
        if self._is_one_node:
            returned = self._tell_node(context, found)
        else:
            ti.xcom_push(key=NODES_XCOM_KEY, value=found.of_all(self.region.path))
        self._refuse_secrets(variables, found)
        ti.xcom_push(key=VARIABLES_XCOM_KEY, value=variables)
        return returned

    def take_failure(self, context: Context, sops_task_id: int) -> None:
        """Tell how the nodes have ended; the reason of the failure is told by others."""
        ti: Any = context["ti"]
        try:
            found = self._report(context, sops_task_id)
            if self._is_one_node:
                self._tell_node(context, found)
            else:
                ti.xcom_push(key=NODES_XCOM_KEY, value=found.of_all(self.region.path))
        except SopsError as error:
            self.log.debug("The nodes of SOPS task %s cannot be read: %s", sops_task_id, error)

    @property
    def _is_one_node(self) -> bool:
        return not self.region.is_loop and not isinstance(self._snapshot.tree.nodes[self.region.key], SubProcess)

    def _tell_node(self, context: Context, found: RegionReport) -> dict[str, Any] | None:
        ti: Any = context["ti"]
        key = self.region.key[-1:]
        ti.xcom_push(key=NODE_XCOM_KEY, value=found.told_of(key))
        node = self._snapshot.tree.nodes[self.region.key]
        return found.outputs_of(key) if isinstance(node, Activity) else None

    def _report(self, context: Context, sops_task_id: int) -> RegionReport:
        # Which of its nodes is which can be told without the values of its variables.
        piece = self._cut(self._snapshot.tree, KnownValues(), self._excluded(context))
        return RegionReport(self.hook, sops_task_id, piece, self.log)

    def _cut(self, tree: PipelineTree, known: KnownValues, excluded: Collection[str]) -> dict[str, Any]:
        return cut_region(tree, self.region, known, excluded=excluded)

    def _excluded(self, context: Context) -> Collection[str]:
        if self.flow_start_task_id is None:
            return ()
        ti: Any = context["ti"]
        return pull(ti, self.flow_start_task_id, EXCLUDED_XCOM_KEY).sequence()

    def _refuse_secrets(self, variables: Mapping[str, Any], found: RegionReport) -> None:
        """Refuse to hand on a password that a node has put out.

        :raises SopsInvalidParameterError: XCom is no place for it.
        """
        leaking = found.leaks(variables)
        if leaking:
            raise SopsInvalidParameterError(
                f"{', '.join(leaking)} of this node would hold a password, which may not travel from task to task",
                advice='Run the flow in mode="watch", or this part of it as one task: subprocess_as_task.',
            )


class DecidingRegionOperator(RegionOperator, SkipMixin):
    """Run a region that decides which way the flow goes: a loop with its exits.

    The tasks behind the exits that SOPS has not taken are skipped.

    ``targets`` has the ids of the tasks behind the exits by the ids of the flows; it is set once these are built.
    """

    inherits_from_skipmixin = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.targets: Mapping[str, str] = {}

    def hand_on(self, context: Context, found: RegionReport, outputs: Mapping[str, Any]) -> Any:
        """Push what there is to push, and let the flow go on where SOPS did."""
        ti: Any = context["ti"]
        returned = super().hand_on(context, found, outputs)
        taken = [task_id for flow_id, task_id in self.targets.items() if found.has_finished((marker_id(flow_id),))]
        if not taken:
            raise SopsGatewayError(
                f"SOPS task {found.sops_task_id} has FINISHED, but took none of the ways that the flow has",
                advice="Look at the task in SOPS; the template may have changed.",
            )
        if returned:
            # What ends by skipping others returns nothing by itself.
            ti.xcom_push(key=RETURN_XCOM_KEY, value=returned)
        # Airflow 3 ends the task by an exception here.
        self.remember_good_end(context, found.sops_task_id)
        self.skip_all_except(ti, taken)
        return returned


class GatewayOperator(MomentaryPieceOperator, DecidingRegionOperator):
    """Let SOPS evaluate the expressions of one gateway and follow the ways that it takes.

    It is an exclusive gateway, of which one way is taken, or a conditional parallel one. XCom has ``sops_node``.
    """

    def hand_on(self, context: Context, found: RegionReport, outputs: Mapping[str, Any]) -> None:
        """Let the flow go on where SOPS did; there is nothing to return."""
        super().hand_on(context, found, outputs)
