"""``SopsDag`` and ``SopsTaskGroup``: a SOPS flow as Airflow tasks."""

from __future__ import annotations

import sys
from os import PathLike
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import DAG, TaskGroup

from airflow_provider_sops.dag_generator.building import without_garbage_collection
from airflow_provider_sops.dag_generator.descriptions import flow_description
from airflow_provider_sops.dag_generator.options import (
    NOT_GIVEN,
    FlowOptions,
    Mode,
    OnTemplateChange,
    Pace,
    Pipeline,
    given_options,
)
from airflow_provider_sops.dag_generator.params import flow_params
from airflow_provider_sops.dag_generator.snapshot_files import load_snapshot
from airflow_provider_sops.service.storable import storable
from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from airflow_provider_sops.sops.pipeline_tree.snapshot import Snapshot, read_snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_sops.dag_generator.converters.registry import ConverterRegistry
    from airflow_provider_sops.dag_generator.native.builder import NativeBuilder
    from airflow_provider_sops.dag_generator.watch.builder import WatchBuilder
    from airflow_provider_sops.hooks.configuration import NodeDetails
    from airflow_provider_sops.service.durations import Duration
    from airflow_provider_sops.sops.wait_result import OnFailed


def _read(pipeline: Pipeline) -> Snapshot:
    if isinstance(pipeline, Snapshot):
        return pipeline
    if isinstance(pipeline, (str, PathLike)):
        return load_snapshot(pipeline)
    return read_snapshot(storable(pipeline.to_dict() if isinstance(pipeline, PipelineTree) else pipeline))


def _builder(snapshot: Snapshot, options: FlowOptions, group_id: str = "") -> WatchBuilder | NativeBuilder:
    if options.mode == "native":
        from airflow_provider_sops.dag_generator.native.builder import NativeBuilder

        return NativeBuilder(snapshot, options, group_id)
    from airflow_provider_sops.dag_generator.watch.builder import WatchBuilder

    return WatchBuilder(snapshot, options, group_id)


class SopsDag(DAG):
    """A DAG that runs a SOPS flow, either as one SOPS task shown node by node, or node by node in Airflow.

    In ``mode="watch"`` SOPS runs the flow.
    ``start`` creates and starts the SOPS task. ``flow`` runs as long as the SOPS task, gives the run its outcome and
    the flow's outputs, and revokes the SOPS task if a person ends the run. Every node of the flow has its own task,
    which runs as long as the node and ends like it; a branch that the flow does not take is skipped. A retry or a clear
    of a failed node's task
    retries the node inside the same SOPS task; clear ``flow`` with it, as Airflow's "clear failed tasks" does.

    In ``mode="native"`` Airflow runs the flow: each node, each deciding gateway and each loop runs as its own SOPS
    task, or as an Airflow operator. Airflow handles order, branches, retries and pools; outputs are XComs.
    ``start`` evaluates the run's constants, ``end`` returns the flow's outputs, subprocesses are task groups.

    Arguments that SOPS operators share default to ``default_args`` of the task group, then of the DAG: connection,
    business, scope, ``constants``, ``on_failed`` and the waiting times.

    The flow's shown constants become params of the DAG, as do its optional nodes (``exclude_task_nodes_id``).
    Nothing here calls SOPS while the DAG file is parsed.

    :param dag_id: id of the DAG.
    :param pipeline: the flow: the path of a snapshot written by ``airflow-sops snapshot``, or the tree that
        ``load_pipeline_tree`` read from one.
    :param mode: ``"watch"`` (default) or ``"native"``.
    :param template_id: id of the SOPS template for new tasks. Default: the snapshot's.
    :param sops_conn_id: the Airflow connection of type ``sops``.
    :param bk_biz_id: the business; default: the connection's.
    :param scope: ``cmdb_biz`` or ``project``; default: the connection's.
    :param template_source: ``business`` or ``common``. Default: the snapshot's.
    :param constants: values for the flow's constants, ``{"${key}": value}``; they do not appear in the trigger form.
        (templated)
    :param exclude: ids of optional nodes to leave out; the run's params override this.
    :param node_args: arguments for the tasks of some nodes (``retries``, ``owner``, ``pool``, callbacks, ...), by the
        node's name (``*`` and ``?`` allowed), id, plugin code or stage.
    :param converters: for ``mode="native"``: which plugins' nodes become which Airflow operators. Default:
        ``shipped_converters()``.
    :param subprocess_as_task: for ``mode="native"``: subprocesses that run as one SOPS task each, by name, id or stage.
    :param pace: for ``mode="watch"``. ``"flow"`` (default): a node's task starts after those before it, so the grid
        shows where the flow is. ``"free"``: all start at once, for long or fast flows, since every hop costs Airflow
        some seconds. In a loop all but the first start at once anyway, since their predecessors end only with the loop.
    :param stages: whether the nodes of each stage form a task group. Default ``False``. From Airflow 3.3 on a stage to
        which the flow comes back has several groups.
    :param on_failed: ``"fail"`` (default) or ``"wait"`` for people to repair a failed node in SOPS.
    :param poll_interval_seconds: time between two polls, each one request for the whole flow. Default: ``[sops]
        poll_interval_seconds`` of Airflow's configuration, or else from 1.5 seconds for a flow that has just begun to
        10 seconds after a few minutes.
    :param timeout_seconds: how long the flow may take before it is revoked. Default 7 days; ``None`` for no limit.
    :param max_outage_seconds: how long SOPS may be unreachable. Default: ``[sops] max_outage_seconds``, 3600.
    :param on_template_change: what a run does if the template in SOPS differs from the snapshot: ``"warn"`` (default)
        logs a warning and continues if the nodes are the same, ``"fail"`` starts nothing.
    :param node_details: for ``mode="watch"``: of which nodes inputs, outputs and log are read at their end, two
        requests for each. ``"failed"``: of those that failed, also if they were skipped or the flow ignores their
        errors. ``"all"``: of all, so that XCom has their outputs. ``"none"``: of none. Some nodes may have another
        value in ``node_args``. Default: ``[sops] node_details`` of Airflow's configuration, ``"failed"``.
    :param dag_kwargs: everything else that a ``DAG`` takes. ``doc_md`` defaults to the flow's template, constants,
        nodes and outputs.
    """

    def __init__(
        self,
        dag_id: str,
        *,
        pipeline: Pipeline,
        mode: Mode = "watch",
        template_id: int | str | None = None,
        sops_conn_id: str = NOT_GIVEN,
        bk_biz_id: int | str | None = NOT_GIVEN,
        scope: str | None = NOT_GIVEN,
        template_source: str | None = None,
        constants: Mapping[str, Any] | None = NOT_GIVEN,
        exclude: Sequence[str] = (),
        node_args: Mapping[str, Mapping[str, Any]] | None = None,
        converters: ConverterRegistry | None = None,
        subprocess_as_task: Sequence[str] = (),
        pace: Pace = "flow",
        stages: bool = False,
        on_failed: OnFailed = NOT_GIVEN,
        poll_interval_seconds: Duration | None = NOT_GIVEN,
        timeout_seconds: Duration | None = NOT_GIVEN,
        max_outage_seconds: Duration | None = NOT_GIVEN,
        on_template_change: OnTemplateChange = "warn",
        node_details: NodeDetails | None = None,
        **dag_kwargs: Any,
    ) -> None:
        given = given_options(locals())
        own_params = dag_kwargs.pop("params", None) or {}
        super().__init__(dag_id, **dag_kwargs)
        # Airflow takes the DAG's file from its caller, which would be this module.
        self.fileloc = sys._getframe(1).f_code.co_filename
        with without_garbage_collection():
            snapshot = _read(pipeline)
            options = FlowOptions.of(given, self.default_args, snapshot)
            if dag_kwargs.get("doc_md") is None:
                self.doc_md = flow_description(snapshot, options.constants)
            asked = flow_params(snapshot.tree, given=tuple(options.constants), exclude=options.exclude)
            with self:
                _builder(snapshot, options).build(asked.constants)
        # Set last, since every task added to a DAG copies all its params.
        self.params.update({**asked.params, **own_params})

    def __hash__(self) -> int:
        # Airflow's own goes through all tasks, and Airflow asks for it twice for each edge.
        return hash(self.dag_id)


class SopsTaskGroup(TaskGroup):
    """The tasks of ``SopsDag`` as a task group for your own DAG.

    The flow's constants do not become params of the DAG; pass them as ``constants``, templated or as outputs of other
    tasks. In a mapped task group each map index runs its own flow; ``constants`` may contain the group's arguments. All
    other arguments are those of ``SopsDag``. The flow's documentation is that of its task ``start``.

    :param group_id: id of the group.
    :param group_kwargs: everything else that a ``TaskGroup`` takes. With ``prefix_group_id=False`` only one flow fits
        into the DAG, since each has a task ``start``.
    """

    def __init__(
        self,
        group_id: str,
        *,
        pipeline: Pipeline,
        mode: Mode = "watch",
        template_id: int | str | None = None,
        sops_conn_id: str = NOT_GIVEN,
        bk_biz_id: int | str | None = NOT_GIVEN,
        scope: str | None = NOT_GIVEN,
        template_source: str | None = None,
        constants: Mapping[str, Any] | None = NOT_GIVEN,
        exclude: Sequence[str] = (),
        node_args: Mapping[str, Mapping[str, Any]] | None = None,
        converters: ConverterRegistry | None = None,
        subprocess_as_task: Sequence[str] = (),
        pace: Pace = "flow",
        stages: bool = False,
        on_failed: OnFailed = NOT_GIVEN,
        poll_interval_seconds: Duration | None = NOT_GIVEN,
        timeout_seconds: Duration | None = NOT_GIVEN,
        max_outage_seconds: Duration | None = NOT_GIVEN,
        on_template_change: OnTemplateChange = "warn",
        node_details: NodeDetails | None = None,
        **group_kwargs: Any,
    ) -> None:
        given = given_options(locals())
        super().__init__(group_id, **group_kwargs)
        default_args = {**self.dag.default_args, **self.default_args}
        # Without a prefix the tasks' ids do not contain those of the groups around them either.
        prefix = str(self.group_id) if self.prefix_group_id else ""
        with without_garbage_collection(), self:
            snapshot = _read(pipeline)
            options = FlowOptions.of(given, default_args, snapshot)
            start = _builder(snapshot, options, prefix).build({})
        if start.doc_md is None:
            # A task group has no documentation of its own.
            start.doc_md = flow_description(snapshot, options.constants)
