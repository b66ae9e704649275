"""Passwords in what is said when SOPS refuses a call: it may quote a constant, an input or a rendered text.

Every such text is searched for the passwords of the task or template that the call is about, as far as this process
knows them (``sops.known_passwords``). Where SOPS itself speaks of what it does with values, and not all of them are
known, the task or the template is read first; if that is not possible, SOPS's words are withheld. What a proxy answers
may echo the request, so whatever values the request has are hidden in it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.calls import Call
from airflow_provider_sops.service.reading import read_mapping
from airflow_provider_sops.service.secrets import Secrets, secret_texts
from airflow_provider_sops.sops.calls import tasks, templates
from airflow_provider_sops.sops.constants import is_password
from airflow_provider_sops.sops.errors import (
    SopsAuthError,
    SopsConnectionError,
    SopsGatewayError,
    SopsNotFoundError,
    SopsRateLimitError,
)
from airflow_provider_sops.sops.known_passwords import (
    COMMON_TEMPLATE,
    PERIODIC_TASK,
    TASK,
    memory,
    parameters,
    subjects,
)
from airflow_provider_sops.sops.models import TaskDetail, Template
from airflow_provider_sops.sops.task_secrets import WITHHELD, TaskSecrets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_sops.service.http import HttpRequest
    from airflow_provider_sops.sops.errors import SopsError

#: What is given to these decides, with the template or a tree that is given too, which passwords there are.
_CREATIONS = frozenset(
    {
        "create_task",
        "create_and_start_task",
        "fast_create_task",
        "create_periodic_task",
        "create_clocked_task",
        "preview_task_tree",
    }
)
#: Who cannot make one of these has no other way to the passwords.
_SOURCES = frozenset({"get_task_detail", "get_template_info", "get_common_template_info", "get_periodic_task_info"})
#: Parameters that hold values of variables.
_VALUES = ("constants", "inputs", "data", "callback_data", "task_params")
#: More values than these cannot be looked for in a moment.
_MOST_TEXTS, _LONGEST_TEXT = 200, 5_000
#: Errors that are not SOPS's own words about values.
_NOT_ABOUT_VALUES = (SopsAuthError, SopsConnectionError, SopsNotFoundError, SopsRateLimitError)
_SERVER_ERROR = 500


def source_of_passwords(place: str, request: HttpRequest, error: SopsError) -> Call[TaskDetail] | Call[Template] | None:
    """Return the call that tells which passwords the error may quote; ``None`` if there is no need or no such call.

    :param place: the address of the gateway.
    """
    about, given = subjects(place, request), parameters(request)
    # To read each task of a batch would take too long; the batch's caller asks for each alone.
    if not _may_quote_values(error) or len(about) != 1 or request.api in _SOURCES or "pipeline_tree" in given:
        return None
    (subject,) = about
    known = memory.of(subject)
    if request.api not in _CREATIONS and known is not None and known.are_all is not None:
        return None
    call: Call[TaskDetail] | Call[Template]
    if subject.kind == TASK:
        call = tasks.get_task_detail(subject.id)
    elif subject.kind == PERIODIC_TASK:
        call = Call("get_periodic_task_info", {"task_id": subject.id}, lambda answer: TaskDetail.read(answer.data))
    else:
        source = "common" if subject.kind == COMMON_TEMPLATE else None
        call = templates.get_template_info(subject.id, template_source=source, unfold_subprocess=True)
    where = {"bk_biz_id": request.ids.get("bk_biz_id"), "scope": given.get("scope")}
    return replace(call, parameters={**call.parameters, **where})


def without_passwords(
    place: str,
    request: HttpRequest,
    error: SopsError,
    source: TaskDetail | Template | None,
    read_again: Callable[[Secrets], SopsError | None],
) -> SopsError:
    """Return an error with the passwords hidden in it that belong to what its call was about.

    :param place: the address of the gateway.
    :param source: the answer to the call of ``source_of_passwords``; ``None`` if there is no such call, or no answer.
    :param read_again: reads the answer again and hides secrets in it before anything is cut; returns ``None`` if there
        was no answer.
    """
    given, about = parameters(request), subjects(place, request)
    is_creation = request.api in _CREATIONS
    made = _told_by(source, given if is_creation else {})
    if made is not None and not is_creation:
        memory.add(about[0], made.known_texts, are_all=made.are_all_known)
    known = [memory.of(subject) for subject in about]
    sought = set[str]().union(*(each.texts for each in known if each), made.known_texts if made else ())
    if not about:
        sought |= memory.newest_of(place)
    if isinstance(error, (SopsConnectionError, SopsGatewayError)) or (sought and not is_creation):
        sought |= {text for name in _VALUES for text in secret_texts(given.get(name))}
    if is_creation:
        are_all = made is not None and made.are_all_known
    else:
        are_all = all(each is not None and each.are_all for each in known)
    takes_long = len(sought) > _MOST_TEXTS or any(len(text) > _LONGEST_TEXT for text in sought)
    if sought and not takes_long:
        secrets = Secrets(sought)
        error = read_again(secrets) or _searched(error, secrets)
    if error.server_message and (takes_long or (_may_quote_values(error) and not are_all)):
        error.server_message = WITHHELD
    return error


def _told_by(source: TaskDetail | Template | None, given: Mapping[str, Any]) -> TaskSecrets | None:
    """Return the passwords that a source tells, and for a creation also what was given for its passwords."""
    if source is None and "pipeline_tree" in given:
        source = Template.read({})
    if source is None:
        return None
    return TaskSecrets([_as_made(source, given) if isinstance(source, Template) else source])


def _may_quote_values(error: SopsError) -> bool:
    """Whether SOPS itself may speak, of what it does with values."""
    if isinstance(error, SopsGatewayError):
        # Python's page about an error shows what it was working on.
        return not error.temporary and error.http_status is not None and error.http_status >= _SERVER_ERROR
    return not isinstance(error, _NOT_ABOUT_VALUES)


def _searched(error: SopsError, secrets: Secrets) -> SopsError:
    """Hide secrets in an error that nothing has been cut from."""
    error.reason = secrets.hide_in(error.reason)
    error.args = (error.reason,)
    error.trace = secrets.hide(error.trace)
    return error


def _as_made(template: Template, given: Mapping[str, Any]) -> TaskDetail:
    """Return what a template's task would tell, had it been created with what was given."""
    tree = read_mapping(given.get("pipeline_tree")) or template.pipeline_tree
    values = read_mapping(given.get("constants"))
    constants = {
        key: {**read_mapping(raw), "value": values[key]} if key in values and is_password(raw) else raw
        for key, raw in read_mapping(tree.get("constants")).items()
    }
    whole = {**tree, "constants": constants}
    return TaskDetail.read({"constants": constants, "pipeline_tree": whole})
