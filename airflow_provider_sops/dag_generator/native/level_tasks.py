"""The first and last tasks of a flow and of its subprocesses: they render constants and outputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_sops.dag_generator.native.piece import PieceOperator, PieceResult
from airflow_provider_sops.dag_generator.params import EXCLUDE_PARAM, check_excluded, constants_from_params
from airflow_provider_sops.dag_generator.snapshot_files import tell_template_change
from airflow_provider_sops.operators.sops.base import SopsBaseOperator
from airflow_provider_sops.service.reading import read_mapping
from airflow_provider_sops.sops.constants import is_password, variable_name
from airflow_provider_sops.sops.pipeline_tree.region_variables import outputs_of_task
from airflow_provider_sops.sops.pipeline_tree.regions import cut_values
from airflow_provider_sops.sops.pipeline_tree.rendering import can_render, render
from airflow_provider_sops.task_instance.outputs import read_outputs
from airflow_provider_sops.task_instance.sops_errors import airflow_errors
from airflow_provider_sops.task_instance.xcom import CONSTANTS_XCOM_KEY, EXCLUDED_XCOM_KEY, VARIABLES_XCOM_KEY
from airflow_provider_sops.version_compat import SkipMixin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_sops.dag_generator.native.level_values import LevelValues
    from airflow_provider_sops.dag_generator.native.piece import PieceTask
    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.pipeline_tree import NodeKey, PipelineTree
    from airflow_provider_sops.sops.pipeline_tree.snapshot import Snapshot


class FlowBeginOperator(SopsBaseOperator):
    """Begin a flow that Airflow runs: evaluate its constants once for all its tasks, and which nodes to leave out.

    Nothing runs in SOPS yet. XCom has ``sops_constants`` and ``sops_excluded``.

    Calls get_template_info.

    :param snapshot: the template as the DAG was built from it.
    :param template_id: id of the template in SOPS.
    :param constants: values for the flow's constants, passwords left out. (templated)
    :param exclude_task_nodes_id: optional nodes to leave out, unless the run's params say otherwise. (templated)
    :param param_constants: constants whose value comes from a DAG param: ``{"${key}": "param"}``.
    :param on_template_change: ``"warn"`` or ``"fail"`` if the template in SOPS differs from the snapshot.
    """

    template_fields: Sequence[str] = (
        *SopsBaseOperator.template_fields,
        "template_id",
        "template_source",
        "constants",
        "exclude_task_nodes_id",
    )
    template_fields_renderers = {"constants": "json"}  # noqa: RUF012 - Airflow's own form
    shallow_copy_attrs: Sequence[str] = ("snapshot",)

    def __init__(
        self,
        *,
        snapshot: Snapshot,
        template_id: int | str,
        template_source: str,
        constants: Mapping[str, Any],
        exclude_task_nodes_id: Sequence[str],
        param_constants: Mapping[str, str],
        on_template_change: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.snapshot = snapshot
        self.template_id = template_id
        self.template_source = template_source
        self.constants: Any = constants
        self.exclude_task_nodes_id: Any = exclude_task_nodes_id
        self.param_constants = dict(param_constants)
        self.on_template_change = on_template_change

    def execute(self, context: Context) -> None:
        """Check and push what the run was given."""
        tree, params, ti = self.snapshot.tree, context["params"], context["ti"]
        excluded = list(params.get(EXCLUDE_PARAM, self.exclude_task_nodes_id) or ())
        self.bear_outages()
        with airflow_errors(self.log):
            check_excluded(tree, excluded)
            tell_template_change(self)
        constants = {**constants_from_params(tree, self.param_constants, params), **(self.constants or {})}
        pushing: Any = ti
        pushing.xcom_push(key=CONSTANTS_XCOM_KEY, value=constants)
        pushing.xcom_push(key=EXCLUDED_XCOM_KEY, value=excluded)


class Rendering(Protocol):
    """Which values of a level a task renders, and where it pushes them."""

    def left_out(self, task: PieceTask) -> PieceResult | None:
        """Return what to do if the run leaves the level out; ``None`` if it does not."""

    def wanted(self, task: PieceTask, tree: PipelineTree) -> Mapping[str, Any]:
        """Return the values to render, by any names."""

    def push(self, task: PieceTask, tree: PipelineTree, rendered: Mapping[str, Any]) -> Any:
        """Push what was rendered, and return what the task returns."""


@dataclass(frozen=True, slots=True)
class ValuesPiece:
    """Values of a level to render. Only what Airflow cannot render itself is left to SOPS.

    :param snapshot: the flow.
    :param path: the level.
    :param values: where its variables come from.
    """

    snapshot: Snapshot = field(repr=False)
    path: NodeKey
    values: LevelValues = field(repr=False)
    rendering: Rendering
    takes_a_moment: bool = field(default=True, init=False)

    def without_sops(self, task: PieceTask) -> PieceResult | None:
        """Render the values, if Airflow can."""
        left_out = self.rendering.left_out(task)
        if left_out is not None:
            return left_out
        tree = self.snapshot.tree
        level, wanted = tree.levels[self.path], self.rendering.wanted(task, tree)
        known = self.values.read(task.context, task.constants)
        if not all(can_render(value, level, known.given) for value in wanted.values()):
            return None
        rendered = {name: render(value, level, known) for name, value in wanted.items()}
        return PieceResult(self.rendering.push(task, tree, rendered))

    def cut(self, tree: PipelineTree, task: PieceTask) -> dict[str, Any]:
        """Return a tree that does nothing but render the values."""
        known = self.values.read(task.context, task.constants)
        return cut_values(tree.levels[self.path], self.rendering.wanted(task, tree), known)[0]

    def read_outputs(self, hook: SopsHook, sops_task_id: int) -> dict[str, Any]:
        """Return the rendered values, without passwords."""
        return read_outputs(hook, sops_task_id)

    def push_outputs(self, task: PieceTask, sops_task_id: int, outputs: Mapping[str, Any]) -> PieceResult:
        """Take the rendered values from the piece's outputs."""
        tree = self.snapshot.tree
        wanted = self.rendering.wanted(task, tree)
        names = cut_values(tree.levels[self.path], wanted, self.values.read(task.context))[1]
        # A value that SOPS could not render stays the text that it was.
        rendered = {name: outputs.get(variable_name(key), wanted[name]) for name, key in names.items()}
        return PieceResult(self.rendering.push(task, tree, rendered))

    def tell_failure(self, task: PieceTask, sops_task_id: int) -> None:
        """Do nothing: the piece has no nodes of the flow."""


@dataclass(frozen=True, slots=True)
class SubprocessConstants:
    """The values that the flow around a subprocess gives to its constants.

    :param subprocess: the node.
    :param flow_start_task_id: the task that knows which nodes the run leaves out; ``None`` if it cannot be left out.
    :param end_task_id: the last task of the subprocess.
    """

    subprocess: NodeKey
    node_id: str
    flow_start_task_id: str | None
    end_task_id: str

    def left_out(self, task: PieceTask) -> PieceResult | None:
        """Skip to the end of the subprocess if the run leaves it out."""
        if self.flow_start_task_id is None:
            return None
        if self.node_id not in task.pull(self.flow_start_task_id, EXCLUDED_XCOM_KEY).sequence():
            return None
        # Its last task runs, and asks for them.
        task.push(CONSTANTS_XCOM_KEY, {})
        task.log.info("This subprocess was left out of the run; the flow goes on behind it.")
        return PieceResult(ways=[self.end_task_id])

    def wanted(self, task: PieceTask, tree: PipelineTree) -> Mapping[str, Any]:
        """Return the values of the subprocess's shown constants."""
        return {key: raw.get("value") for key, raw in self._shown(tree).items() if raw.get("need_render", True)}

    def push(self, task: PieceTask, tree: PipelineTree, rendered: Mapping[str, Any]) -> None:
        """Push the subprocess's constants."""
        shown = self._shown(tree)
        as_they_are = {key: raw.get("value") for key, raw in shown.items() if not raw.get("need_render", True)}
        task.push(CONSTANTS_XCOM_KEY, {**as_they_are, **rendered})

    def _shown(self, tree: PipelineTree) -> dict[str, Mapping[str, Any]]:
        constants = {key: read_mapping(raw) for key, raw in tree.levels[self.subprocess].constants.items()}
        return {key: raw for key, raw in constants.items() if raw.get("show_type") != "hide"}


@dataclass(frozen=True, slots=True)
class LevelOutputs:
    """The outputs of a level, as SOPS gives them: without those that nothing in the flow refers to, and passwords.

    :param path: the level.
    :param flow_start_task_id: the task that knows which nodes the run leaves out.
    :param node_id: the subprocess, if a run may leave it out.
    """

    path: NodeKey
    flow_start_task_id: str
    node_id: str | None = None

    def left_out(self, task: PieceTask) -> PieceResult | None:
        """Return no outputs if the run leaves the subprocess out, as SOPS does."""
        if self.node_id is None or self.node_id not in task.pull(self.flow_start_task_id, EXCLUDED_XCOM_KEY).sequence():
            return None
        task.push(VARIABLES_XCOM_KEY, {})
        return PieceResult({})

    def wanted(self, task: PieceTask, tree: PipelineTree) -> Mapping[str, Any]:
        """Return the level's outputs."""
        level = tree.levels[self.path]
        excluded = () if self.path else task.pull(self.flow_start_task_id, EXCLUDED_XCOM_KEY).sequence()
        keys = outputs_of_task(level, [str(node_id) for node_id in excluded])
        return {key: key for key in keys if not is_password(level.constants[key])}

    def push(self, task: PieceTask, tree: PipelineTree, rendered: Mapping[str, Any]) -> dict[str, Any]:
        """Push and return the outputs."""
        # An output without a value is the variable's own text, as in SOPS.
        task.push(VARIABLES_XCOM_KEY, dict(rendered))
        return {variable_name(key): value for key, value in rendered.items()}


class SubprocessBeginOperator(PieceOperator, SkipMixin):
    """Begin a subprocess: render the values that the flow around it gives to its constants.

    If the run leaves the subprocess out, all its tasks but the last are skipped, and the flow goes on behind it.
    """

    inherits_from_skipmixin = True


class LevelEndOperator(PieceOperator):
    """End a flow or a subprocess: render and return its outputs.

    Returns them as ``{"name": value}`` for ``${name}``, passwords left out. XCom also has ``sops_variables``.
    """
