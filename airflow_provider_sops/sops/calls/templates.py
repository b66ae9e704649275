"""Calls for templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.calls import as_it_is, call, list_of, needed_list, needed_object, object_of
from airflow_provider_sops.service.reading import read_mapping
from airflow_provider_sops.sops.calls.parameters import asked, comma_separated
from airflow_provider_sops.sops.models import Template, TemplateListItem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_provider_sops.service.calls import Call


def get_template_list(
    *,
    template_source: str | None = None,
    id_in: Iterable[int | str] | None = None,
    name_keyword: str | None = None,
    expected_timezone: str | None = None,
    limit: int | None = None,
    offset: int | None = None,
) -> Call[list[TemplateListItem]]:
    """List templates, newest first.

    :param template_source: ``business`` (default) or ``common``.
    :param id_in: only these.
    :param name_keyword: a part of the name, case-insensitive.
    """
    return call(
        "get_template_list",
        list_of(TemplateListItem.read),
        template_source=template_source,
        id_in=comma_separated(id_in),
        name_keyword=name_keyword,
        expected_timezone=expected_timezone,
        limit=limit,
        offset=offset,
    )


def get_template_info(
    template_id: int | str,
    *,
    template_source: str | None = None,
    include_subprocess: bool = False,
    include_constants: bool = False,
    include_executor_proxy: bool = False,
    include_notify: bool = False,
    include_labels: bool = False,
    unfold_subprocess: bool = False,
) -> Call[Template]:
    """Read a template and its tree.

    :param template_source: ``business`` (default) or ``common``.
    :param unfold_subprocess: include the tree of each subprocess as ``pipeline``. SOPS then omits ``constants``.
    """
    return call(
        "get_template_info",
        object_of(Template.read),
        template_id=template_id,
        template_source=template_source,
        include_subprocess=asked(include_subprocess),
        include_constants=asked(include_constants),
        include_executor_proxy=asked(include_executor_proxy),
        include_notify=asked(include_notify),
        include_labels=asked(include_labels),
        unfold_subprocess=asked(unfold_subprocess),
    )


def get_common_template_list(*, expected_timezone: str | None = None) -> Call[list[TemplateListItem]]:
    """List the common templates."""
    return call("get_common_template_list", list_of(TemplateListItem.read), expected_timezone=expected_timezone)


def get_common_template_info(
    template_id: int | str,
    *,
    include_subprocess: bool = False,
    include_constants: bool = False,
    include_notify: bool = False,
) -> Call[Template]:
    """Read a common template and its tree."""
    return call(
        "get_common_template_info",
        object_of(Template.read),
        template_id=template_id,
        include_subprocess=asked(include_subprocess),
        include_constants=asked(include_constants),
        include_notify=asked(include_notify),
    )


def get_template_schemes(template_id: int | str, *, with_constants: bool = False) -> Call[list[Any]]:
    """List a template's execution schemes unchanged; ``data`` of each is a JSON *string* of node ids.

    :param with_constants: include the constants that remain under each scheme.
    """
    return call("get_template_schemes", needed_list, template_id=template_id, with_constants=asked(with_constants))


def preview_task_tree(
    template_id: int | str,
    *,
    version: str | None = None,
    exclude_task_nodes_id: Sequence[str] | None = None,
) -> Call[Mapping[str, Any]]:
    """Read the tree that a task would get: ``pipeline_tree`` and ``constants_not_referred``.

    :param version: of the template; default: the latest.
    :param exclude_task_nodes_id: ids of optional nodes to leave out.
    """
    return call(
        "preview_task_tree",
        needed_object,
        template_id=template_id,
        version=version,
        exclude_task_nodes_id=exclude_task_nodes_id,
    )


def import_project_template(template_data: str) -> Call[Any]:
    """Import templates into the project. Only for apps that SOPS trusts.

    :param template_data: the content of a file that SOPS exported.
    """
    return call("import_project_template", as_it_is, template_data=template_data)


def modify_template_notify(
    template_id: int | str,
    notify_type: Mapping[str, Any],
    notify_receivers: Mapping[str, Any],
    *,
    common: bool = False,
) -> Call[Mapping[str, Any]]:
    """Set who is notified about a template's tasks.

    :param notify_type: channels by event, ``{"success": ["mail"], "fail": ["mail"]}``.
    :param notify_receivers: ``{"receiver_group": [...], "more_receiver": "...", "extra_info": {...}}``.
    :param common: whether it is a common template.
    """
    return call(
        "modify_template_notify",
        read_mapping,
        template_id=template_id,
        notify_type=notify_type,
        notify_receivers=notify_receivers,
        common=asked(common),
    )


def modify_template_executor_proxy(template_id: int | str, executor_proxy: str) -> Call[Mapping[str, Any]]:
    """Set the user under whom a template's tasks run.

    :param executor_proxy: the calling user's own name, or an empty string for nobody.
    """
    return call("modify_template_executor_proxy", read_mapping, template_id=template_id, executor_proxy=executor_proxy)
