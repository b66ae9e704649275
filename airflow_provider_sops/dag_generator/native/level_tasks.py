"""The tasks at the borders of a flow and of its subprocesses: what goes in, what comes out."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import SkipMixin

from airflow_provider_sops.dag_generator.flow_xcom import pull
from airflow_provider_sops.dag_generator.native.piece import MomentaryPieceOperator
from airflow_provider_sops.dag_generator.params import EXCLUDE_PARAM, constants_from_params
from airflow_provider_sops.dag_generator.template_change import tell_template_change
from airflow_provider_sops.operators.sops.base import SopsBaseOperator
from airflow_provider_sops.service.reading import read_mapping
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.models import is_password, variable_name
from airflow_provider_sops.sops.pipeline_tree.nodes import Activity
from airflow_provider_sops.sops.pipeline_tree.regions import cut_values
from airflow_provider_sops.sops.pipeline_tree.rendering import can_render, render
from airflow_provider_sops.task_instance.sops_errors import airflow_errors
from airflow_provider_sops.task_instance.xcom import CONSTANTS_XCOM_KEY, EXCLUDED_XCOM_KEY, VARIABLES_XCOM_KEY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_sops.dag_generator.native.level_values import LevelValues
    from airflow_provider_sops.sops.pipeline_tree import NodeKey, PipelineTree
    from airflow_provider_sops.sops.pipeline_tree.snapshot import Snapshot


class FlowBeginOperator(SopsBaseOperator):
    """Begin a flow that Airflow runs: work out its constants once, for all its tasks, and which nodes to leave out.

    Nothing runs in SOPS yet. XCom has ``sops_constants`` and ``sops_excluded``.

    Calls get_template_info.

    :param snapshot: the template as the DAG was built from it.
    :param template_id: id of the template in SOPS.
    :param constants: values for the flow's constants, passwords left out. (templated)
    :param exclude_task_nodes_id: optional nodes to leave out, unless the run's params say otherwise. (templated)
    :param param_constants: constants whose value comes from a DAG param: ``{"${key}": "param"}``.
    :param on_template_change: ``"warn"`` or ``"fail"`` if the template in SOPS is no longer as in the snapshot.
    """

    template_fields: Sequence[str] = (
        *SopsBaseOperator.template_fields,
        "template_id",
        "template_source",
        "constants",
        "exclude_task_nodes_id",
    )
    template_fields_renderers = {"constants": "json"}  # noqa: RUF012 - Airflow's own form
    shallow_copy_attrs: Sequence[str] = ("_snapshot",)

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
        self._snapshot = snapshot
        self.template_id = template_id
        self.template_source = template_source
        self.constants: Any = constants
        self.exclude_task_nodes_id: Any = exclude_task_nodes_id
        self.param_constants = dict(param_constants)
        self.on_template_change = on_template_change

    def execute(self, context: Context) -> None:
        """Check and hand on what the run was given."""
        tree, params, ti = self._snapshot.tree, context["params"], context["ti"]
        excluded = list(params.get(EXCLUDE_PARAM, self.exclude_task_nodes_id) or ())
        with airflow_errors():
            _check_excluded(tree, excluded)
            tell_template_change(
                self.hook,
                self._snapshot,
                self.template_id,
                self.template_source,
                fail=self.on_template_change == "fail",
                log=self.log,
            )
        constants = {**constants_from_params(tree, self.param_constants, params), **(self.constants or {})}
        pushing: Any = ti
        pushing.xcom_push(key=CONSTANTS_XCOM_KEY, value=constants)
        pushing.xcom_push(key=EXCLUDED_XCOM_KEY, value=excluded)


class ValuesOperator(MomentaryPieceOperator):
    """Render values of a level; use one of its subclasses. Only what Airflow cannot render itself is left to SOPS.

    :param path: the level.
    :param values: where its variables come from.
    """

    shallow_copy_attrs: Sequence[str] = (*MomentaryPieceOperator.shallow_copy_attrs, "values")

    def __init__(self, *, path: NodeKey, values: LevelValues, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.path = path
        self.values = values

    @abstractmethod
    def wanted(self, tree: PipelineTree) -> Mapping[str, Any]:
        """Return the values to render, by any names."""

    @abstractmethod
    def hand_on(self, context: Context, rendered: Mapping[str, Any]) -> Any:
        """Push what was rendered, and return what this task returns."""

    def execute(self, context: Context) -> Any:
        """Render the values, by SOPS if need be."""
        tree = self._snapshot.tree
        level, wanted = tree.levels[self.path], self.wanted(tree)
        with airflow_errors():
            known = self.values.read(context, self.constants or {})
            if all(can_render(value, level, known.given) for value in wanted.values()):
                return self.hand_on(context, {name: render(value, level, known) for name, value in wanted.items()})
        return super().execute(context)

    def cut(self, tree: PipelineTree, context: Context) -> dict[str, Any]:
        """Return a tree that does nothing but render the values."""
        known = self.values.read(context, self.constants or {})
        return cut_values(tree.levels[self.path], self.wanted(tree), known)[0]

    def take(self, context: Context, sops_task_id: int, outputs: Mapping[str, Any]) -> Any:
        """Take the rendered values from the piece's outputs."""
        tree = self._snapshot.tree
        wanted = self.wanted(tree)
        names = cut_values(tree.levels[self.path], wanted, self.values.read(context))[1]
        # A value that SOPS could not render stays the text that it was.
        rendered = {name: outputs.get(variable_name(key), wanted[name]) for name, key in names.items()}
        return self.hand_on(context, rendered)


class SubprocessBeginOperator(ValuesOperator, SkipMixin):
    """Begin a subprocess: render what its constants are given by the flow around it.

    If the run leaves the subprocess out, all its tasks but the last are skipped, and the flow goes on behind it.

    :param subprocess: the node.
    :param flow_start_task_id: the task that knows which nodes the run leaves out; ``None`` if it cannot be left out.
    :param end_task_id: the last task of the subprocess.
    """

    inherits_from_skipmixin = True

    def __init__(self, *, subprocess: NodeKey, flow_start_task_id: str | None, end_task_id: str, **kwargs: Any) -> None:
        super().__init__(path=subprocess[:-1], **kwargs)
        self.subprocess = subprocess
        self.flow_start_task_id = flow_start_task_id
        self.end_task_id = end_task_id

    def wanted(self, tree: PipelineTree) -> Mapping[str, Any]:
        """Return what the subprocess's shown constants are given."""
        return {key: raw.get("value") for key, raw in self._shown(tree).items() if raw.get("need_render", True)}

    def execute(self, context: Context) -> Any:
        """Begin the subprocess, or lead the flow around it."""
        ti: Any = context["ti"]
        excluded: Sequence[Any] = ()
        if self.flow_start_task_id is not None:
            with airflow_errors():
                excluded = pull(ti, self.flow_start_task_id, EXCLUDED_XCOM_KEY).sequence()
        if self._snapshot.tree.nodes[self.subprocess].id in excluded:
            # Its last task runs, and asks for them.
            ti.xcom_push(key=CONSTANTS_XCOM_KEY, value={})
            self.log.info("This subprocess was left out of the run; the flow goes on behind it.")
            self.skip_all_except(ti, [self.end_task_id])
            return None
        return super().execute(context)

    def hand_on(self, context: Context, rendered: Mapping[str, Any]) -> None:
        """Push the subprocess's constants."""
        ti: Any = context["ti"]
        as_they_are = {
            key: raw.get("value")
            for key, raw in self._shown(self._snapshot.tree).items()
            if not raw.get("need_render", True)
        }
        ti.xcom_push(key=CONSTANTS_XCOM_KEY, value={**as_they_are, **rendered})

    def _shown(self, tree: PipelineTree) -> dict[str, Mapping[str, Any]]:
        constants = {key: read_mapping(raw) for key, raw in tree.levels[self.subprocess].constants.items()}
        return {key: raw for key, raw in constants.items() if raw.get("show_type") != "hide"}


class LevelEndOperator(ValuesOperator):
    """End a flow or a subprocess: give out its outputs.

    Returns them as ``{"name": value}`` for ``${name}``, passwords left out. XCom also has ``sops_variables``.
    """

    def wanted(self, tree: PipelineTree) -> Mapping[str, Any]:
        """Return the level's outputs."""
        level = tree.levels[self.path]
        return {key: key for key in level.outputs if key in level.constants and not is_password(level.constants[key])}

    def hand_on(self, context: Context, rendered: Mapping[str, Any]) -> dict[str, Any]:
        """Push and return the outputs."""
        ti: Any = context["ti"]
        # Of an output that has no value SOPS gives out the text that stands for it, and so does this.
        ti.xcom_push(key=VARIABLES_XCOM_KEY, value=dict(rendered))
        return {variable_name(key): value for key, value in rendered.items()}


def _check_excluded(tree: PipelineTree, excluded: Sequence[str]) -> None:
    optional = {
        node.id: node.name for node in tree.levels[()].nodes.values() if isinstance(node, Activity) and node.optional
    }
    if odd := [node_id for node_id in excluded if node_id not in optional]:
        names = ", ".join(f"{node_id} ({name})" for node_id, name in optional.items())
        raise SopsInvalidParameterError(
            f"nodes to leave out: the flow has no optional node {', '.join(map(repr, odd))} on its top level",
            advice=f"Nodes are named by their ids in the template. Optional ones: {names or 'none'}.",
        )
