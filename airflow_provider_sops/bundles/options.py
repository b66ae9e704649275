"""What a bundle of flows is given in Airflow's configuration."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, NoReturn, get_args

from airflow_provider_sops.dag_generator.options import FlowOptions, Mode
from airflow_provider_sops.dag_generator.template_reader import BUSINESS, TemplateFilter
from airflow_provider_sops.service.text import quoted
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.gateway import SCOPES
from airflow_provider_sops.sops.pipeline_tree.nodes import COMMON

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What ``dag_args`` may hold for all flows alike: arguments of ``SopsDag``,
FLOW_ARGS: Final = (
    "constants",
    "max_outage_seconds",
    "node_args",
    "on_failed",
    "on_template_change",
    "pace",
    "poll_interval_seconds",
    "stages",
    "subprocess_as_task",
    "timeout_seconds",
)
#: and of every DAG, as far as they are JSON.
DAG_ARGS: Final = (
    "access_control",
    "default_args",
    "fail_fast",
    "max_active_runs",
    "max_active_tasks",
    "owner_links",
    "params",
    "tags",
)
#: Half of what Airflow allows a DAG's id, of which the bundle's name is the beginning.
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,125}")


@dataclass(frozen=True, kw_only=True)
class BundleOptions:
    """Which flows a bundle has, and what DAGs they become.

    :param bundle: the bundle's name; the DAG of template 12 is ``<bundle>_12``.
    :param wanted: which templates.
    :param template_source: ``business`` or ``common``.
    :param mode: of ``SopsDag``.
    :param dag_args: more arguments of ``SopsDag``, the same for each flow.
    """

    bundle: str
    wanted: TemplateFilter
    sops_conn_id: str = "sops_default"
    bk_biz_id: int | str | None = None
    scope: str | None = None
    template_source: str = BUSINESS
    mode: Mode = "watch"
    dag_args: Mapping[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        """Validate the options.

        :raises SopsInvalidParameterError: one is missing or invalid; the error names the bundle.
        """
        if not _NAME.fullmatch(self.bundle):
            self._refuse(
                "its name may have letters, digits, '_', '.' and '-', at most 125: the ids of its DAGs begin with it"
            )
        for name in ("sops_conn_id", "scope", "template_source", "mode"):
            self._check_text(name, getattr(self, name))
        for name, value in (("template_name", self.wanted.name), ("category", self.wanted.category)):
            if not isinstance(value, str):
                self._refuse(f"{name} is {value!r}; it must be a text")
        if not (self.wanted.name or self.wanted.category):
            self._refuse(
                "template_name or category is missing",
                "Whoever may trigger a DAG acts in SOPS as the user of the connection: choose which flows become DAGs.",
            )
        if not isinstance(self.dag_args, dict):
            self._refuse(f"dag_args must be an object, not {type(self.dag_args).__name__}")
        unknown = sorted(set(self.dag_args) - {*FLOW_ARGS, *DAG_ARGS})
        if unknown:
            self._refuse(
                f"dag_args has {', '.join(map(quoted, unknown))}",
                f"It may have {', '.join(sorted((*FLOW_ARGS, *DAG_ARGS)))}.",
            )
        tags = self.dag_args.get("tags", [])
        if not (isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)):
            self._refuse("dag_args: tags must be a list of texts")
        self._check_flow_args()

    def _check_text(self, name: str, value: Any) -> None:
        allowed = {"scope": (None, *SCOPES), "template_source": (BUSINESS, COMMON), "mode": get_args(Mode)}.get(name)
        if allowed is None:
            if not isinstance(value, str) or not value:
                self._refuse(f"{name} is {value!r}; it must be a text")
        elif value not in allowed:
            self._refuse(f"{name} is {value!r}; it must be one of {', '.join(filter(None, allowed))}")

    def _check_flow_args(self) -> None:
        """Let the generator check what it would refuse of every flow."""
        given = {name: value for name, value in self.dag_args.items() if name in FLOW_ARGS}
        defaults: dict[str, Any] = {
            "template_id": 1,
            "template_source": self.template_source,
            "exclude": (),
            "node_args": {},
            "converters": None,
            "subprocess_as_task": (),
            "pace": "flow",
            "stages": False,
            "on_template_change": "warn",
        }
        try:
            FlowOptions(**{**defaults, **given, "mode": self.mode}).check()
        except SopsInvalidParameterError as error:
            self._refuse(f"dag_args: {error.reason}", error.advice)

    def _refuse(self, reason: str, advice: str | None = None) -> NoReturn:
        raise SopsInvalidParameterError(
            f"DAG bundle {quoted(self.bundle)}: {reason}",
            advice=advice or "Correct its kwargs in [dag_processor] dag_bundle_config_list.",
        )

    def dag_id(self, template_id: int) -> str:
        """Return the id of a template's DAG. It lasts: runs are kept under it."""
        return f"{self.bundle}_{template_id}"

    @property
    def flow_args(self) -> dict[str, Any]:
        """The arguments of ``SopsDag`` that all flows share."""
        site = {name: getattr(self, name) for name in ("sops_conn_id", "bk_biz_id", "scope")}
        return {**site, "template_source": self.template_source, "mode": self.mode, **self.dag_args}

    @property
    def origin(self) -> tuple[Any, ...]:
        """Where the templates are; ids of another place are other templates."""
        return (self.sops_conn_id, str(self.bk_biz_id or ""), self.scope or "", self.template_source)

    def to_dict(self) -> dict[str, Any]:
        """Return the options as JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> BundleOptions:
        """Read ``to_dict``; options that a later version of this package has written are ignored."""
        names = {each.name for each in fields(cls)}
        known = {name: each for name, each in value.items() if name in names}
        return cls(**{**known, "wanted": TemplateFilter(**value["wanted"])})
