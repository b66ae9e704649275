"""The ages of SOPS that a local SOPS can play: which calls, parameters and fields each knows.

Read from the server's public source: 3.25.13, 3.28.17, 3.32.12, 3.34.17 and 3.35.4; 2020 is 3.6.4 and 2019 is 3.3.30,
where the API documents of these years are silent. Inferred, because no source was read for it: that 3.35 answers as
3.34 wherever no tenant is concerned.

Two liberties, without which nothing could be run on the two oldest ages: they know ``get_task_list`` (SOPS has it since
3.6.5x, 2021), and 2019 also knows ``operate_node`` (since 3.5, 2020). Their flows run on today's engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

AGE_NAMES = ("2019", "2020", "3.25", "3.28", "3.32", "3.34", "3.35")
"""All ages, oldest first."""

_FIRST_WITH_CALL = {
    "create_and_start_task": "3.25",
    "create_clocked_task": "3.25",
    "create_template": "3.32",
    "claim_functionalization_task": "3.25",
    "fast_create_task": "2020",
    "get_clocked_task_list": "3.32",
    "get_plugin_detail": "3.25",
    "get_plugin_list": "2020",
    "get_task_node_data": "2020",
    "get_task_node_log": "3.32",
    "get_task_operate_record": "3.32",
    # 3.6.4 had it already, but the documents of 2020 do not: it came in the course of that year.
    "get_tasks_status": "3.25",
    "get_template_schemes": "2020",
    "get_user_project_detail": "2020",
    "get_user_project_list": "2020",
    "import_project_template": "2020",
    "preview_task_tree": "2020",
}
"""Call -> the first age that has it; all others have always existed."""

_FIRST_WITH_PARAMETER = {
    "get_task_status": {
        "with_ex_data": "2020",
        "subprocess_id": "2020",
        "with_failed_node_info": "3.32",
        "with_auto_retry_status": "3.34",
    },
    "create_task": {
        "pipeline_tree": "2020",
        "simplify_vars": "3.25",
        "execute_task_nodes_id": "3.25",
        "callback_url": "3.25",
        "callback_version": "3.32",
        "template_schemes_id": "3.32",
    },
    "create_and_start_task": {"callback_url": "3.32", "template_schemes_id": "3.32"},
    "get_task_list": {
        "executor": "3.25",
        **dict.fromkeys(
            (
                "create_method",
                "create_time_end",
                "create_time_start",
                "is_child_taskflow",
                "template_id",
                "template_ids",
                "without_count",
            ),
            "3.32",
        ),
    },
    "get_template_info": dict.fromkeys(
        ("unfold_subprocess", "include_executor_proxy", "include_subprocess", "include_constants", "include_notify"),
        "3.32",
    ),
}
"""Call -> parameter -> the first age that reads it; older ones ignore it silently."""
_SCOPE_SINCE = "2020"

_FIRST_WITH_FIELD = {
    "get_template_list": {"auth_actions": "3.25", "description": "3.32"},
    "get_common_template_list": {"auth_actions": "3.25", "description": "3.32"},
    "get_template_info": {"description": "3.32"},
    "get_common_template_info": {"description": "3.32"},
    "get_task_list": {"auth_actions": "3.25", "is_child_taskflow": "3.32"},
    "get_task_node_detail": {"auto_retry_info": "3.34"},
    "create_task": {"function_task_claim_url": "3.32"},
}
"""Call -> field of its data, or of each item -> the first age that answers it."""


@dataclass(frozen=True, slots=True)
class Age:
    """One age of SOPS.

    :param name: one of :data:`AGE_NAMES`.
    """

    name: str

    def is_at_least(self, name: str) -> bool:
        """Whether it is this age or a later one."""
        return AGE_NAMES.index(self.name) >= AGE_NAMES.index(name)

    @property
    def changes_enabled_plans(self) -> bool:
        """Whether a periodic task may be changed while it is enabled."""
        return self.is_at_least("3.25")

    @property
    def caches(self) -> bool:
        """Whether its web processes cache answers."""
        return self.is_at_least("3.25")

    @property
    def retries_and_times_out(self) -> bool:
        """Whether it heeds ``auto_retry`` and ``timeout_config`` of a node: SOPS does since 3.13 and 3.14."""
        return self.is_at_least("3.25")

    @property
    def retries_what_it_started_at_once(self) -> bool:
        """Whether it retries nodes of create_and_start_task automatically."""
        return self.is_at_least("3.28")

    @property
    def marks_origins(self) -> bool:
        """Whether a task's nodes name those of the template (``template_node_id``), and subprocesses their template."""
        return self.is_at_least("3.28")

    @property
    def has_independent_subprocesses(self) -> bool:
        """Whether a template's subprocesses can run as tasks of their own: since 3.26."""
        return self.is_at_least("3.28")

    @property
    def names_nodes_in_failure_info(self) -> bool:
        """Whether each entry of ``failed_node_info`` repeats its node's id."""
        return self.is_at_least("3.34")

    @property
    def esb_reads_headers(self) -> bool:
        """Whether the ESB beside it takes credentials from the header too. Inferred: ESB has versions of its own."""
        return self.is_at_least("3.25")

    @property
    def has_app_resources(self) -> bool:
        """Whether its gateway has resources for apps without a user, below ``system/``."""
        return self.is_at_least("3.35")

    @property
    def records_by_project(self) -> bool:
        """Whether the id in the path of get_task_operate_record is compared with SOPS's own ids of projects."""
        return self.is_at_least("3.34")

    def has_call(self, call: str) -> bool:
        """Whether it has a call."""
        return self.is_at_least(_FIRST_WITH_CALL.get(call, AGE_NAMES[0]))

    def ignored_parameters(self, call: str) -> Collection[str]:
        """List the parameters of a call that it ignores."""
        scope = () if self.is_at_least(_SCOPE_SINCE) else ("scope",)
        return {*scope, *self._later(_FIRST_WITH_PARAMETER.get(call, {}))}

    def missing_fields(self, call: str) -> Collection[str]:
        """List the fields that a call does not answer yet."""
        return self._later(_FIRST_WITH_FIELD.get(call, {}))

    def _later(self, first: Mapping[str, str]) -> set[str]:
        return {name for name, since in first.items() if not self.is_at_least(since)}


CURRENT = Age("3.34")
"""The age that is played by default, and that everything was measured on."""
