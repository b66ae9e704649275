"""Checks of what a task is to be created with, against its template, before anything is created.

SOPS itself ignores constants that the template does not have, silently, and so runs a flow with values that nobody
meant. Servers before mid-2026 ignore execution schemes in the same way, and so would run all nodes: what a scheme
leaves out is worked out here.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.json_text import read_json
from airflow_provider_sops.service.reading import read_mapping, read_text
from airflow_provider_sops.service.text import quoted
from airflow_provider_sops.sops.errors import SopsInvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from airflow_provider_sops.sops.models import Template


def check_constants(template: Template, constants: Mapping[str, Any]) -> None:
    """Refuse constants that the template does not have.

    :raises SopsInvalidParameterError: names the unknown keys, what they may be meant for, and the known ones.
    """
    known = sorted(template.constants)
    unknown = [key for key in constants if key not in template.constants]
    if not unknown:
        return
    raise SopsInvalidParameterError(
        f"template {template.id} ({quoted(template.name)}) has no constant "
        + ", ".join(_with_suggestion(key, known) for key in unknown),
        advice=f"It has: {', '.join(known) or 'none'}. Keys are written ${{name}}. "
        "SOPS ignores unknown constants without a warning; an operator with check_constants=False does not check them.",
    )


def check_excluded_nodes(template: Template, node_ids: Collection[str]) -> None:
    """Refuse ``exclude_task_nodes_id`` that the template's top level does not have or that are not optional.

    :raises SopsInvalidParameterError: names the nodes and lists the optional ones.
    """
    _check_nodes("exclude_task_nodes_id", template, node_ids, excluded=node_ids)


def check_executed_nodes(template: Template, node_ids: Collection[str]) -> None:
    """Refuse ``execute_task_nodes_id`` that the template does not have, or that leave out nodes which are a must.

    :raises SopsInvalidParameterError: names the nodes and lists the optional ones.
    """
    chosen = set(node_ids)
    others = [node_id for node_id in template.activities if node_id not in chosen]
    _check_nodes("execute_task_nodes_id", template, node_ids, excluded=others)


def excluded_by_schemes(template: Template, schemes: Iterable[Any], wanted: Sequence[str]) -> list[str]:
    """Return the optional nodes of the template's top level that no wanted scheme keeps, as SOPS itself works it out.

    :param schemes: what get_template_schemes gives.
    :param wanted: ids of schemes.
    :raises SopsInvalidParameterError: names the ids that the template does not have, and the known ones.
    """
    kept = {read_text(read_mapping(scheme).get("id")): _node_ids(scheme) for scheme in schemes}
    unknown = [scheme_id for scheme_id in wanted if kept.get(scheme_id) is None]
    if unknown:
        raise SopsInvalidParameterError(
            f"template_schemes_id: template {template.id} ({quoted(template.name)}) has no execution scheme "
            f"{', '.join(map(repr, unknown))} that can be read",
            advice=f"It has: {', '.join(map(repr, sorted(kept))) or 'none'}.",
        )
    chosen = {node_id for scheme_id in wanted for node_id in kept[scheme_id] or ()}
    return [key for key, node in template.activities.items() if _is_optional(node) and key not in chosen]


def _node_ids(scheme: Any) -> list[str] | None:
    try:
        data = read_json(read_text(read_mapping(scheme).get("data")))
    except ValueError:
        return None
    return [read_text(each) for each in data] if isinstance(data, list) else None


def _check_nodes(parameter: str, template: Template, named: Iterable[str], excluded: Iterable[str]) -> None:
    activities = template.activities
    unknown = [node_id for node_id in named if node_id not in activities]
    fixed = [node_id for node_id in excluded if node_id in activities and not _is_optional(activities[node_id])]
    problems = []
    if unknown:
        problems.append(f"has no node {', '.join(map(repr, unknown))} on its top level")
    if fixed:
        problems.append(f"cannot run without {', '.join(_named(activities, node_id) for node_id in fixed)}")
    if problems:
        optional = [_named(activities, key) for key, node in activities.items() if _is_optional(node)]
        raise SopsInvalidParameterError(
            f"{parameter}: template {template.id} ({quoted(template.name)}) " + " and ".join(problems),
            advice=f"Nodes are named by their ids in the template. Optional ones: {', '.join(optional) or 'none'}.",
        )


def _is_optional(activity: Any) -> bool:
    return bool(read_mapping(activity).get("optional"))


def _named(activities: Mapping[str, Any], node_id: str) -> str:
    return f"{node_id} ({quoted(read_text(read_mapping(activities[node_id]).get('name')))})"


def _with_suggestion(key: str, known: list[str]) -> str:
    # Without what all keys have in common, which would make any two alike.
    bare = {name.strip("${}"): name for name in known}
    close = difflib.get_close_matches(str(key).strip("${}"), bare, n=1)
    return f"{key!r} (did you mean {bare[close[0]]!r}?)" if close else repr(key)
