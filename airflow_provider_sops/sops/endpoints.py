"""The calls of SOPS's public API, one row each.

Follows the resources that SOPS registers with the API gateway (``api-resources.yml`` in its source): names,
methods, the order of ids in each path (it differs from call to call) and the closing slash, without which
SOPS redirects. Left out: calls for other parts of BlueKing (``callback``, ``plugin-gateway``, log and file transfers
between systems), and calls that SOPS serves without registering them (``modify_constants_for_task``,
``query_task_count``, ...), which no gateway forwards. ``create_clocked_task`` is registered but not listed: the
gateway's administrator must grant it to the app.

``repeatable`` says whether a call may be sent again if its answer was lost and nobody knows whether it was executed:

- everything that only reads is repeatable, including ``get_tasks_status`` and ``preview_task_tree``, which read by
  POST;
- a call that sets something to a given value is repeatable: enabling, schedule and constants of a periodic
  task, notifications and executor of a template or project. Setting it twice changes nothing;
- calls that create something are not: SOPS has no idempotency key, so the same call twice creates two tasks;
- calls that advance a task or node are not: a second ``start_task`` or ``operate_task`` fails and hides that the first
  one worked, a second ``callback`` or ``retry`` can hit the node's next round. Callers that lost the answer read the
  task's state instead;
- ``dispatch_plugin_query`` is not: it forwards any request. Neither are ``register_project`` and
  ``claim_functionalization_task``.

Since 3.35, SOPS also registers nearly all of them for apps that act without a verified user, under the same paths below
``system/``.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import Formatter
from types import MappingProxyType
from typing import TYPE_CHECKING

from airflow_provider_sops.service.calls import look_up
from airflow_provider_sops.sops.errors import SopsInvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_sops.service.http import Method


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One call of the API.

    :param name: the resource's name, which is also its name in ESB.
    :param method: HTTP method.
    :param path: path below the gateway's stage, with ids in braces.
    :param repeatable: whether the call may be sent again after a lost answer.
    :param doc: what it does.
    """

    name: str
    method: Method
    path: str
    repeatable: bool
    doc: str

    @property
    def path_parameters(self) -> tuple[str, ...]:
        """The names of the ids in the path, in order."""
        return tuple(name for _, name, _, _ in Formatter().parse(self.path) if name)

    @property
    def app_path(self) -> str | None:
        """The path of the same call for apps without a verified user; ``None`` if SOPS has none."""
        return None if self.name in _FOR_USERS_ALONE else f"system/{self.path}"

    @property
    def scoped(self) -> bool:
        """Whether the call concerns one business (or project), so that ``bk_biz_id`` and ``scope`` apply."""
        return "{bk_biz_id}" in self.path


_FOR_USERS_ALONE = frozenset(
    {
        "create_and_start_task",
        "claim_functionalization_task",
        "modify_template_notify",
        "modify_template_executor_proxy",
        "modify_project_executor_proxy",
        "get_clocked_task_list",
    }
)


def _read(path: str, doc: str, *, method: Method = "GET") -> Endpoint:
    return Endpoint(path.partition("/")[0], method, path, repeatable=True, doc=doc)


def _set(path: str, doc: str) -> Endpoint:
    return Endpoint(path.partition("/")[0], "POST", path, repeatable=True, doc=doc)


def _act(path: str, doc: str) -> Endpoint:
    return Endpoint(path.partition("/")[0], "POST", path, repeatable=False, doc=doc)


_TASKS = (
    _act("create_task/{template_id}/{bk_biz_id}/", "Create a task from a template."),
    _act("create_and_start_task/{template_id}/{bk_biz_id}/", "Create a task from a template and start it."),
    _act("fast_create_task/{bk_biz_id}/", "Create a task from a tree, without a template."),
    _act("start_task/{task_id}/{bk_biz_id}/", "Start a task."),
    _act("operate_task/{task_id}/{bk_biz_id}/", "Start, pause, resume or revoke a task."),
    _act("claim_functionalization_task/{task_id}/{bk_biz_id}/", "Claim a task of the function flow."),
    _read("get_task_status/{task_id}/{bk_biz_id}/", "Read the state of a task and of its nodes."),
    _read("get_tasks_status/{bk_biz_id}/", "Read the states of up to 50 tasks.", method="POST"),
    _read("get_task_detail/{task_id}/{bk_biz_id}/", "Read a task's outputs, constants and tree."),
    _read("get_task_list/{bk_biz_id}/", "List tasks."),
    _read("get_task_effective_time/{task_id}/{bk_biz_id}/", "Read how long a task worked, not counting waits."),
    _read("get_task_operate_record/{task_id}/{project_id}/", "Read who did what to a task."),
    _read("get_functionalization_task_list/", "List tasks of the function flow."),
)

_NODES = (
    _act("operate_node/{bk_biz_id}/{task_id}/", "Retry, skip, call back, pause, resume or fail a node."),
    _act("node_callback/{task_id}/{bk_biz_id}/", "Send data to a node that waits for it."),
    _read("get_task_node_detail/{task_id}/{bk_biz_id}/", "Read a node's state, data and earlier tries."),
    _read("get_task_node_data/{bk_biz_id}/{task_id}/", "Read a node's inputs and outputs."),
    _read("get_task_node_log/{task_id}/{bk_biz_id}/", "Read the log of a node's plugin."),
)

_TEMPLATES = (
    _read("get_template_list/{bk_biz_id}/", "List the templates of a business."),
    _read("get_template_info/{template_id}/{bk_biz_id}/", "Read a template and its tree."),
    _read("get_common_template_list/", "List the common templates."),
    _read("get_common_template_info/{template_id}/", "Read a common template and its tree."),
    _read("get_template_schemes/{bk_biz_id}/{template_id}/", "List a template's execution schemes."),
    _read("preview_task_tree/{bk_biz_id}/{template_id}/", "Read the tree that a task would get.", method="POST"),
    _act("import_project_template/{bk_biz_id}/", "Import exported templates into a project."),
    _set("modify_template_notify/{template_id}/{bk_biz_id}/", "Set who is notified about a template's tasks, and how."),
    _set(
        "modify_template_executor_proxy/{template_id}/{bk_biz_id}/", "Set the user under whom a template's tasks run."
    ),
)

_SCHEDULES = (
    _act("create_periodic_task/{template_id}/{bk_biz_id}/", "Create a periodic task."),
    _read("get_periodic_task_list/{bk_biz_id}/", "List the periodic tasks."),
    _read("get_periodic_task_info/{task_id}/{bk_biz_id}/", "Read a periodic task."),
    _set("set_periodic_task_enabled/{task_id}/{bk_biz_id}/", "Enable or disable a periodic task."),
    _set("modify_cron_for_periodic_task/{task_id}/{bk_biz_id}/", "Set a periodic task's schedule."),
    _set("modify_constants_for_periodic_task/{task_id}/{bk_biz_id}/", "Set a periodic task's constants."),
    _act(
        "create_clocked_task/{template_id}/{bk_biz_id}/",
        "Create a task that SOPS starts once, at a given time.",
    ),
    _read("get_clocked_task_list/{bk_biz_id}/", "List the clocked tasks."),
)

_PROJECTS = (
    _read("get_user_project_list/", "List the projects that the user may see."),
    _read("get_user_project_detail/{bk_biz_id}/", "Read a project."),
    _act("register_project/", "Register a business of the configuration platform with SOPS."),
    _set("modify_project_executor_proxy/{bk_biz_id}/", "Set the user under whom a project's tasks run."),
    _read("get_mini_app_list/{bk_biz_id}/", "List the mini apps of a business."),
)

_PLUGINS = (
    _read("get_plugin_list/{bk_biz_id}/", "List the plugins that a business may use."),
    _act("dispatch_plugin_query/", "Forward a plugin form's request to SOPS."),
)

#: Every call by its name.
ENDPOINTS: Mapping[str, Endpoint] = MappingProxyType(
    {row.name: row for row in (*_TASKS, *_NODES, *_TEMPLATES, *_SCHEDULES, *_PROJECTS, *_PLUGINS)}
)


def endpoint(name: str) -> Endpoint:
    """Return the row of a call.

    :param name: the call's name, for example ``get_task_status``.
    :raises SopsInvalidParameterError: there is no such call; the text names similar ones.
    """
    return look_up(name, ENDPOINTS, service="SOPS", error=SopsInvalidParameterError)


#: For ``operate_task``.
TASK_ACTIONS = ("start", "pause", "resume", "revoke")
#: For ``operate_node``.
NODE_ACTIONS = (
    "retry",
    "skip",
    "callback",
    "skip_exg",
    "skip_cpg",
    "pause",
    "resume",
    "pause_subproc",
    "resume_subproc",
    "forced_fail",
    "retry_subprocess",
)


#: The most tasks that one ``get_tasks_status`` accepts.
BATCH_SIZE = 50
#: The most tasks that one ``get_task_list`` returns.
PAGE_SIZE = 200
