"""The options of ``SopsDag`` and ``SopsTaskGroup``, and their defaults."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from os import PathLike
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from airflow_provider_sops.dag_generator.params import check_excluded
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from airflow_provider_sops.sops.pipeline_tree.snapshot import Snapshot
from airflow_provider_sops.sops.site import Site

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_sops.dag_generator.converters.registry import ConverterRegistry
    from airflow_provider_sops.hooks.configuration import NodeDetails
    from airflow_provider_sops.service.durations import Duration
    from airflow_provider_sops.sops.wait_result import OnFailed

#: How a flow can be passed: a snapshot or its path, a tree, or any answer of SOPS that contains one.
Pipeline = Snapshot | PipelineTree | Mapping[str, Any] | str | PathLike[str]
Mode = Literal["watch", "native"]
Pace = Literal["flow", "free"]
OnTemplateChange = Literal["warn", "fail"]

_WEEK_SECONDS = 7 * 24 * 3600.0


class _NotGiven:
    """The type of ``NOT_GIVEN``."""

    def __repr__(self) -> str:
        return "NOT_GIVEN"


#: Marks an argument that was not passed, since ``None`` is a value.
NOT_GIVEN: Final[Any] = _NotGiven()

#: Options that SOPS operators have too, so ``default_args`` apply to both.
SHARED_WITH_OPERATORS = (
    "sops_conn_id",
    "bk_biz_id",
    "scope",
    "constants",
    "on_failed",
    "poll_interval_seconds",
    "timeout_seconds",
    "max_outage_seconds",
)


@dataclass(frozen=True, kw_only=True)
class FlowOptions:
    """The options of ``SopsDag``; described there.

    :param deferrable: for ``mode="native"``: whether tasks wait for SOPS in the triggerer. Taken from ``default_args``
        only.
    """

    mode: Mode
    template_id: int | str | None
    template_source: str
    exclude: Sequence[str]
    node_args: Mapping[str, Mapping[str, Any]]
    converters: ConverterRegistry | None
    subprocess_as_task: Sequence[str]
    pace: Pace
    stages: bool
    on_template_change: OnTemplateChange
    node_details: NodeDetails | None = None
    sops_conn_id: str = "sops_default"
    bk_biz_id: int | str | None = None
    scope: str | None = None
    constants: Mapping[str, Any] = field(default_factory=dict)
    on_failed: OnFailed = "fail"
    poll_interval_seconds: Duration | None = None
    timeout_seconds: Duration | None = _WEEK_SECONDS
    max_outage_seconds: Duration | None = None
    deferrable: bool = True

    @classmethod
    def of(cls, given: Mapping[str, Any], default_args: Mapping[str, Any], snapshot: Snapshot) -> FlowOptions:
        """Return the options of a flow: as passed, or else from ``default_args``, or else the defaults.

        For the template, the snapshot comes before ``default_args``.

        :param given: the arguments, by name; ``NOT_GIVEN`` for those not passed.
        :param default_args: of the DAG and the task group.
        :raises SopsInvalidParameterError: an option has an invalid value, or options contradict each other.
        """
        known = {name: default_args[name] for name in (*SHARED_WITH_OPERATORS, "deferrable") if name in default_args}
        known |= {name: value for name, value in given.items() if value is not NOT_GIVEN}
        fallback = default_args if snapshot.template_id is None else {}
        # Operators, and so default_args, have it by another name.
        known["exclude"] = known.get("exclude") or default_args.get("exclude_task_nodes_id")
        for name in ("template_id", "template_source"):
            known[name] = known.get(name) or fallback.get(name) or getattr(snapshot, name)
        # For options without a None value, None has always meant "not passed".
        empty: dict[str, Any] = {"constants": {}, "exclude": (), "node_args": {}, "subprocess_as_task": ()}
        options = cls(**{**known, **{name: known.get(name) or nothing for name, nothing in empty.items()}})
        options.check()
        check_excluded(snapshot.tree, [node_id for node_id in options.exclude if not _may_be_template(node_id)])
        return options

    def check(self) -> None:
        """Validate the options.

        :raises SopsInvalidParameterError: an option has an invalid value, or options contradict each other.
        """
        if self.template_id is None:
            raise SopsInvalidParameterError(
                "template_id is missing: only a tree was passed",
                advice="Pass template_id, or a snapshot written by `airflow-sops snapshot`.",
            )
        for name, kind in (("mode", Mode), ("on_template_change", OnTemplateChange), ("pace", Pace)):
            value, allowed = getattr(self, name), get_args(kind)
            if value not in allowed:
                raise SopsInvalidParameterError(f"{name} is {value!r}; it must be one of {', '.join(allowed)}")
        if not isinstance(self.constants, Mapping):
            raise SopsInvalidParameterError(
                f"constants must be a dict of ${{key}} to value, not {type(self.constants).__name__}",
                advice='Its values may be outputs of other tasks and arguments of mapped groups: {"${key}": output}.',
            )
        for name in ("exclude", "subprocess_as_task"):
            _check_texts(name, getattr(self, name))
        _check_node_args(self.node_args)
        if self.mode == "watch" and (self.converters is not None or self.subprocess_as_task):
            raise SopsInvalidParameterError('converters and subprocess_as_task are for mode="native"')
        if self.converters is not None:
            _check_converters(self.converters)
        if self.mode == "native" and self.pace != "flow":
            raise SopsInvalidParameterError('pace is for mode="watch"; in mode="native" Airflow orders the tasks')
        if self.mode == "native" and self.node_details is not None:
            raise SopsInvalidParameterError('node_details is for mode="watch"')

    @property
    def site(self) -> Site:
        """Where the flow's SOPS tasks live."""
        return Site(self.sops_conn_id, self.bk_biz_id, self.scope)

    @property
    def template(self) -> dict[str, Any]:
        """The arguments of operators that create SOPS tasks."""
        return {"template_id": self.template_id, "template_source": self.template_source}

    @property
    def waiting(self) -> dict[str, Any]:
        """The arguments of operators that wait for SOPS."""
        return {
            "on_failed": self.on_failed,
            "poll_interval_seconds": self.poll_interval_seconds,
            "timeout_seconds": self.timeout_seconds,
            "max_outage_seconds": self.max_outage_seconds,
        }


def _check_texts(name: str, value: Any) -> None:
    if isinstance(value, str) or not isinstance(value, Collection) or not all(isinstance(each, str) for each in value):
        raise SopsInvalidParameterError(f"{name} is {value!r}; it must be a list of texts")


def _check_node_args(value: Any) -> None:
    how = 'Write node_args={"deploy *": {"retries": 2}}.'
    if not isinstance(value, Mapping):
        raise SopsInvalidParameterError(
            f"node_args must be a dict of pattern to arguments, not {type(value).__name__}", advice=how
        )
    for pattern, arguments in value.items():
        if not isinstance(pattern, str):
            raise SopsInvalidParameterError(f"node_args has the key {pattern!r}; keys must be strings", advice=how)
        if not isinstance(arguments, Mapping) or not all(isinstance(name, str) for name in arguments):
            raise SopsInvalidParameterError(
                f"node_args of {pattern!r} are {arguments!r}; they must be a dict of arguments by name", advice=how
            )


def _check_converters(value: Any) -> None:
    # Only DAG files that have one need it.
    from airflow_provider_sops.dag_generator.converters.registry import ConverterRegistry

    if not isinstance(value, ConverterRegistry):
        raise SopsInvalidParameterError(
            f"converters must be a ConverterRegistry, not {type(value).__name__}",
            advice="Begin with shipped_converters() or ConverterRegistry(), and register() yours.",
        )


def _may_be_template(text: str) -> bool:
    return "{{" in text or "{%" in text


def given_options(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options among a function's arguments, ``locals()``."""
    names = {each.name for each in fields(FlowOptions)}
    return {name: value for name, value in arguments.items() if name in names}
