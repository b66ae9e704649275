"""Calls about templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.reading import read_list, read_mapping
from airflow_provider_sops.sops.calls.base import SopsCalls
from airflow_provider_sops.sops.calls.parameters import asked, comma_separated
from airflow_provider_sops.sops.models import Template, TemplateListItem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class TemplateCalls(SopsCalls):
    """Calls about templates of a business, and about the common ones, which all businesses share."""

    def get_template_list(
        self,
        *,
        template_source: str | None = None,
        id_in: Iterable[int | str] | None = None,
        name_keyword: str | None = None,
        expected_timezone: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> list[TemplateListItem]:
        """List templates, newest first.

        :param template_source: ``business`` (default) or ``common``.
        :param id_in: only these.
        :param name_keyword: a part of the name, upper and lower case alike.
        """
        answer = self.call(
            "get_template_list",
            template_source=template_source,
            id_in=comma_separated(id_in),
            name_keyword=name_keyword,
            expected_timezone=expected_timezone,
            limit=limit,
            offset=offset,
        )
        return [TemplateListItem.read(item) for item in read_list(answer.data)]

    def get_template_info(
        self,
        template_id: int | str,
        *,
        template_source: str | None = None,
        include_subprocess: bool = False,
        include_constants: bool = False,
        include_executor_proxy: bool = False,
        include_notify: bool = False,
        include_labels: bool = False,
        unfold_subprocess: bool = False,
    ) -> Template:
        """Read a template and its tree.

        :param template_source: ``business`` (default) or ``common``.
        :param unfold_subprocess: put the tree of each subprocess into it as ``pipeline``. SOPS then leaves
            out ``constants``.
        """
        return Template.read(
            self.call(
                "get_template_info",
                template_id=template_id,
                template_source=template_source,
                include_subprocess=asked(include_subprocess),
                include_constants=asked(include_constants),
                include_executor_proxy=asked(include_executor_proxy),
                include_notify=asked(include_notify),
                include_labels=asked(include_labels),
                unfold_subprocess=asked(unfold_subprocess),
            ).data
        )

    def get_common_template_list(self, *, expected_timezone: str | None = None) -> list[TemplateListItem]:
        """List the common templates."""
        answer = self.call("get_common_template_list", expected_timezone=expected_timezone)
        return [TemplateListItem.read(item) for item in read_list(answer.data)]

    def get_common_template_info(
        self,
        template_id: int | str,
        *,
        include_subprocess: bool = False,
        include_constants: bool = False,
        include_notify: bool = False,
    ) -> Template:
        """Read a common template and its tree."""
        return Template.read(
            self.call(
                "get_common_template_info",
                template_id=template_id,
                include_subprocess=asked(include_subprocess),
                include_constants=asked(include_constants),
                include_notify=asked(include_notify),
            ).data
        )

    def get_template_schemes(self, template_id: int | str, *, with_constants: bool = False) -> list[Any]:
        """List a template's execution schemes as they come; ``data`` of each is a JSON *text* of node ids.

        :param with_constants: also the constants that are left under each scheme.
        """
        answer = self.call("get_template_schemes", template_id=template_id, with_constants=asked(with_constants))
        return read_list(answer.data)

    def preview_task_tree(
        self,
        template_id: int | str,
        *,
        version: str | None = None,
        exclude_task_nodes_id: Sequence[str] | None = None,
    ) -> Mapping[str, Any]:
        """Read the tree that a task would get: ``pipeline_tree`` and ``constants_not_referred``.

        :param version: of the template; default: the latest.
        :param exclude_task_nodes_id: ids of optional nodes to leave out.
        """
        answer = self.call(
            "preview_task_tree",
            template_id=template_id,
            version=version,
            exclude_task_nodes_id=exclude_task_nodes_id,
        )
        return read_mapping(answer.data)

    def import_project_template(self, template_data: str) -> Any:
        """Import templates into the project. Only for apps that SOPS trusts.

        :param template_data: the content of a file that SOPS exported.
        """
        return self.call("import_project_template", template_data=template_data).data

    def modify_template_notify(
        self,
        template_id: int | str,
        notify_type: Mapping[str, Any],
        notify_receivers: Mapping[str, Any],
        *,
        common: bool = False,
    ) -> Mapping[str, Any]:
        """Set whom the tasks of a template notify.

        :param notify_type: ways by event, ``{"success": ["mail"], "fail": ["mail"]}``.
        :param notify_receivers: ``{"receiver_group": [...], "more_receiver": "...", "extra_info": {...}}``.
        :param common: whether it is a common template.
        """
        answer = self.call(
            "modify_template_notify",
            template_id=template_id,
            notify_type=notify_type,
            notify_receivers=notify_receivers,
            common=asked(common),
        )
        return read_mapping(answer.data)

    def modify_template_executor_proxy(self, template_id: int | str, executor_proxy: str) -> Mapping[str, Any]:
        """Set as whom the tasks of a template run.

        :param executor_proxy: the calling user's own name, or an empty text for nobody.
        """
        answer = self.call("modify_template_executor_proxy", template_id=template_id, executor_proxy=executor_proxy)
        return read_mapping(answer.data)
