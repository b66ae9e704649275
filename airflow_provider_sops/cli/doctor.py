"""``airflow-sops doctor``: what works, what does not, and what to do about it. Only reads."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.cli.commands import JSON, NOT_SO, SUCCESS
from airflow_provider_sops.cli.server import open_hook
from airflow_provider_sops.cli.terminal import console_for, one_line, results, write, write_json
from airflow_provider_sops.hooks.diagnosis import first_call
from airflow_provider_sops.service.errors import ConnectionFailedError, UnusableAnswerError, code_number
from airflow_provider_sops.service.reading import read_id, read_list, read_mapping, read_text
from airflow_provider_sops.service.text import log_entry
from airflow_provider_sops.sops.answer import BAD_CREDENTIALS_CODE
from airflow_provider_sops.sops.errors import SopsAuthError, SopsError, SopsGatewayError, SopsNotFoundError
from airflow_provider_sops.sops.gateway import ApiGateway

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.connection import SopsConnection

#: What SOPS calls the permission to make tasks of a template, and how many templates are named that lack it.
_CREATE_ACTIONS = frozenset({"flow_create_task", "common_flow_create_task"})
_MOST_NAMED = 5

_CREDENTIALS = "Check login and password of the connection, and bk_username, bk_token or access_token of its extra."
_ACTIONS = (
    "If SOPS names an action, such as project_view, apply for it for this user in BlueKing's permission centre. "
    "Otherwise see docs/connection.md."
)
#: The greatest id that SOPS's database could hold; no task has it.
_NO_ID = 2**31 - 1
#: Calls that only newer servers have, with harmless parameters, and the first age that has each; the newest first.
_SINCE: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("3.32", "get_task_operate_record", {"task_id": _NO_ID, "project_id": _NO_ID}),
    ("3.25", "get_tasks_status", {"task_id_list": [_NO_ID]}),
    ("2020", "get_user_project_list", {}),
)
_LACKING = {
    "3.32": "",
    "3.25": "logs of nodes, who did what, execution schemes, and the inside of subprocesses in snapshots",
    "2020": "shared polls: each wait sends its own requests; before 2021 also get_task_list, without which operators"
    " cannot create tasks",
    "2019": "projects by their own id, shared polls, and get_task_list, without which operators cannot create tasks",
}
_UNTIL = {"3.32": "3.32 or newer", "3.25": "3.25 to 3.28", "2020": "2020 to 2021", "2019": "2019"}


class Mark(StrEnum):
    """How a check came out."""

    GOOD = "ok"
    UNSURE = "note"
    BAD = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check.

    :param found: what was found.
    :param advice: what to do; empty if nothing is to be done.
    """

    check: str
    mark: Mark
    found: str
    advice: str = ""


def run(options: argparse.Namespace) -> int:
    """Write the outcome of each check, and return the exit code."""
    with open_hook(options) as hook:
        if options.output == JSON:
            findings = list(examine(hook))
            write_json([asdict(finding) for finding in findings])
        else:
            findings = [_write(finding) for finding in examine(hook)]
    return NOT_SO if any(finding.mark == Mark.BAD for finding in findings) else SUCCESS


def examine(hook: SopsHook) -> Iterator[Finding]:
    """Yield what each check finds; the first that rules out the others is the last."""
    try:
        connection = hook.connection
    except SopsError as error:
        yield Finding("connection", Mark.BAD, error.reason, error.advice or "Correct this field of the connection.")
        return
    yield _connection(hook, connection)
    try:
        templates = first_call(hook, connection)
    except SopsError as error:
        yield from _refused(hook, error)
        return
    yield Finding("gateway", Mark.GOOD, f"{connection.gateway.root} leads to SOPS")
    yield _tenant(connection)
    yield Finding("app and user", Mark.GOOD, f"accepted: {_identity(connection)}")
    yield _business(connection, templates)
    if connection.bk_biz_id is not None:
        yield _templates(templates)
        yield from _tasks(hook)
        yield _age(hook)


def _connection(hook: SopsHook, connection: SopsConnection) -> Finding:
    gateway = connection.gateway
    kind = f"API gateway, stage {one_line(gateway.stage)}" if isinstance(gateway, ApiGateway) else "ESB"
    found = f"{hook.sops_conn_id}: {gateway.root} ({kind})"
    if connection.unused_extra:
        keys = ", ".join(map(one_line, connection.unused_extra))
        return Finding("connection", Mark.UNSURE, f"{found}; unknown keys in extra: {keys}", "Correct or remove them.")
    if connection.transport.is_plain_text:
        advice = "Use https:// if the gateway has it: the app secret crosses the network in plain text."
        return Finding("connection", Mark.UNSURE, found, advice)
    return Finding("connection", Mark.GOOD, found)


def _refused(hook: SopsHook, error: SopsError) -> Iterator[Finding]:
    """Yield what the refusal of the first call means, in the words of the connection form's test."""
    words = hook.test_connection()[1]
    root = hook.connection.gateway.root
    if isinstance(error, ConnectionFailedError) or (isinstance(error, UnusableAnswerError) and not error.http_status):
        advice = "Check host, port and proxy, and that this machine may reach the gateway: curl -v shows more."
        yield Finding("gateway", Mark.BAD, words, error.advice or advice)
    elif isinstance(error, SopsNotFoundError):
        yield Finding("gateway", Mark.GOOD, f"{root} leads to SOPS")
        yield Finding("business", Mark.BAD, words, "Check bk_biz_id and scope: cmdb_biz or project.")
    elif isinstance(error, SopsAuthError):
        yield Finding("gateway", Mark.GOOD, f"{root} answers")
        is_credentials = code_number(error.code) == BAD_CREDENTIALS_CODE
        check, advice = ("app and user", _CREDENTIALS) if is_credentials else ("permissions", error.advice or "")
        # The form's test has no second line for it.
        yield Finding(check, Mark.BAD, words.replace(f" ({advice.rstrip('.')})", ""), advice)
    elif error.http_status == HTTPStatus.OK and not isinstance(error, (SopsGatewayError, UnusableAnswerError)):
        yield Finding("gateway", Mark.GOOD, f"{root} leads to SOPS")
        yield Finding("permissions", Mark.BAD, words, error.advice or _ACTIONS)
    else:
        yield Finding("gateway", Mark.BAD, words, error.advice or "See docs/connection.md.")


def _tenant(connection: SopsConnection) -> Finding:
    tenant = connection.credentials.tenant_id
    if tenant:
        return Finding("tenant", Mark.GOOD, f"{one_line(tenant)} is sent")
    return Finding("tenant", Mark.GOOD, "none is sent; only platforms with several tenants need one")


def _identity(connection: SopsConnection) -> str:
    credentials, gateway = connection.credentials, connection.gateway
    app = one_line(credentials.bk_app_code or "the access token's app")
    if isinstance(gateway, ApiGateway) and gateway.identity == "app":
        return f"{app}, as the app alone"
    user = "the user of the token" if credentials.has_token else one_line(credentials.bk_username or "nobody")
    return f"{app}, for {user}"


def _business(connection: SopsConnection, templates: list[Any]) -> Finding:
    if connection.bk_biz_id is None:
        advice = "Set bk_biz_id in its extra, or the argument bk_biz_id of each operator."
        return Finding("business", Mark.UNSURE, "the connection has none", advice)
    names = {read_text(read_mapping(template).get("project_name")) for template in templates}
    name = f": {one_line(names.pop())}" if len(names) == 1 else ""
    return Finding("business", Mark.GOOD, f"{connection.scope} {connection.bk_biz_id}{name}")


def _templates(templates: list[Any]) -> Finding:
    """Say what may be done with the templates; servers before 3.25 do not tell it."""
    read = [read_mapping(template) for template in templates]
    if not read:
        advice = "Create a flow in this project, or let SOPS's administrators grant the user the flows (flow_view)."
        return Finding("templates", Mark.UNSURE, "there is none that this user may see", advice)
    told = [each for each in read if isinstance(each.get("auth_actions"), list)]
    barred = [each for each in told if not _CREATE_ACTIONS.intersection(map(read_text, each["auth_actions"]))]
    if not barred:
        found = f"{len(read)} templates" + ("; the user may create tasks from each" if told else "")
        return Finding("templates", Mark.GOOD, found)
    names = ", ".join(f"{each.get('id')} {one_line(read_text(each.get('name')))}" for each in barred[:_MOST_NAMED])
    more = f" and {len(barred) - _MOST_NAMED} more" if len(barred) > _MOST_NAMED else ""
    advice = "Apply for flow_create_task of these flows in BlueKing's permission centre, if DAGs run them."
    found = f"the user may not create tasks from {len(barred)} of {len(read)} templates: {names}{more}"
    return Finding("templates", Mark.BAD if len(barred) == len(read) else Mark.UNSURE, found, advice)


def _tasks(hook: SopsHook) -> Iterator[Finding]:
    """Yield whether the calls are allowed that operators use to read tasks."""
    try:
        tasks = read_list(hook.call_once("get_task_list", limit=1, offset=0).data)
        task_id = read_id(read_mapping(tasks[0]).get("id")) if tasks else None
        for api in ("get_task_status", "get_task_detail") if task_id else ():
            hook.call_once(api, task_id=task_id)
    except SopsError as error:
        advice = error.advice or "The app needs this call in the gateway, the user task_view in the permission centre."
        yield Finding("tasks", Mark.BAD, f"cannot be read: {error.api}: {error.reason}", advice)
        return
    found = "can be listed and read" if task_id else "can be listed; there is none to read yet"
    yield Finding(
        "tasks",
        Mark.GOOD,
        f"{found}. Whether the app may create, start and operate tasks cannot be checked without doing so",
    )


def _age(hook: SopsHook) -> Finding:
    """Say how old the server is, by the calls that it has."""
    for age, api, parameters in _SINCE:
        has_call = _has(hook, api, parameters)
        if has_call is None:
            found = f"its age cannot be told: the app may not call {api}"
            return Finding("server", Mark.UNSURE, found, f"Let the gateway grant {api} to the app.")
        if has_call:
            return _of_age(age)
    return _of_age("2019")


def _of_age(age: str) -> Finding:
    lacking = _LACKING[age]
    if not lacking:
        return Finding("server", Mark.GOOD, f"SOPS {_UNTIL[age]}")
    mark = Mark.GOOD if age == "3.25" else Mark.UNSURE
    return Finding("server", mark, f"SOPS {_UNTIL[age]}", f"It lacks {lacking}: see docs/servers.md.")


def _has(hook: SopsHook, api: str, parameters: dict[str, Any]) -> bool | None:
    """Return whether the server has a call; ``None`` if it may not be made."""
    try:
        hook.call_once(api, **parameters)
    except SopsGatewayError as error:
        return not error.api_missing
    except SopsAuthError:
        return None
    except SopsError:
        return True
    return True


_STYLES = {Mark.GOOD: "green", Mark.UNSURE: "yellow", Mark.BAD: "bold red"}


def _write(finding: Finding) -> Finding:
    found, advice = log_entry(finding.found), log_entry(finding.advice)
    console = console_for(results())
    if console is None:
        arrow = f"\n{'':<19}-> {advice}" if advice else ""
        write(f"{finding.mark:<6}{finding.check:<13}{found}{arrow}\n")
        return finding
    from rich.table import Table
    from rich.text import Text

    line = Table.grid(padding=(0, 1))
    for width in (5, 12):
        line.add_column(width=width)
    line.add_row(Text(finding.mark, _STYLES[finding.mark]), finding.check, Text(found))
    if advice:
        line.add_row("", "", Text(f"-> {advice}", "bold" if finding.mark == Mark.BAD else "dim"))
    console.print(line)
    return finding
