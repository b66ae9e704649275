"""Read complete templates from SOPS: what snapshots are made of."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_sops.service.reading import read_text
from airflow_provider_sops.sops.endpoints import PAGE_SIZE
from airflow_provider_sops.sops.errors import SopsError, SopsInvalidParameterError
from airflow_provider_sops.sops.models import Template
from airflow_provider_sops.sops.paging import Pages
from airflow_provider_sops.sops.pipeline_tree.nodes import COMMON
from airflow_provider_sops.sops.pipeline_tree.snapshot import Snapshot, take_snapshot
from airflow_provider_sops.sops.pipeline_tree.unfolding import Unfolder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_sops.hooks.sops import SopsHook
    from airflow_provider_sops.sops.models import TemplateListItem

BUSINESS: Final = "business"

#: A task's page: SOPS's address, and the project's own id.
_TASK_PAGE = re.compile(r"(https?://[^?#]+/)taskflow/execute/([0-9]+)/\?")
#: A field of the items of get_task_list since 3.25. Before, SOPS had other pages for templates.
_SINCE_3_25 = "auth_actions"


@dataclass(frozen=True, slots=True)
class TemplateFilter:
    """Which templates of a list are wanted. Both conditions must hold; an empty one always does.

    :param name: a part of the name, in any case: whether a server's own filter minds the case depends on its database.
    :param category: the category, in any case.
    """

    name: str = ""
    category: str = ""

    def accepts(self, item: TemplateListItem) -> bool:
        """Tell whether a template is wanted."""
        if self.name.lower() not in item.name.lower():
            return False
        return not self.category or self.category.lower() == read_text(item.raw.get("category")).lower()


EVERY_TEMPLATE: Final = TemplateFilter()


class TemplateReader:
    """Reads complete templates.

    :param hook: the hook that calls SOPS.
    """

    def __init__(self, hook: SopsHook) -> None:
        self._hook = hook
        self._unfolder = Unfolder(self._tree_of_called)

    def snapshot(self, template_id: int, template_source: str) -> Snapshot:
        """Read a template, its subprocesses included.

        :param template_source: ``business`` or ``common``.
        :raises SopsNotFoundError: there is no such template.
        :raises SopsError: the call failed.
        """
        template = self._read(template_id, template_source)
        connection = self._hook.connection
        return take_snapshot(
            template, template_source=template_source, bk_biz_id=connection.bk_biz_id, scope=connection.scope
        )

    def linked_snapshot(self, template_id: int, template_source: str) -> Snapshot:
        """Do as ``snapshot``, and add the address of the template's page if SOPS tells where its pages are."""
        snapshot = self.snapshot(template_id, template_source)
        if self._pages is None:
            return snapshot
        root, project_id = self._pages
        kind = "common/view" if template_source == COMMON else "view"
        return replace(snapshot, template_url=f"{root}template/{kind}/{project_id}/?template_id={template_id}")

    def templates(self, template_source: str, wanted: TemplateFilter = EVERY_TEMPLATE) -> list[TemplateListItem]:
        """List templates, by id.

        :param template_source: ``business`` or ``common``.
        """
        pages: Pages[TemplateListItem] = Pages("get_template_list", lambda item: item.id or 0)
        while not pages.is_over:
            page = self._hook.get_template_list(
                template_source=template_source,
                name_keyword=wanted.name or None,
                limit=PAGE_SIZE,
                offset=pages.offset or 0,
            )
            pages.add(page)
        # Old servers ignore the name filter, and none has one for the category.
        return [item for number, item in sorted(pages.found.items()) if number and wanted.accepts(item)]

    @cached_property
    def _pages(self) -> tuple[str, str] | None:
        """SOPS's address and the project's own id; ``None`` if they are not known.

        No answer about a template has them, but each about a task.
        """
        try:
            tasks = self._hook.get_task_list(limit=1)
            if tasks and _SINCE_3_25 in tasks[0].raw:
                found = _TASK_PAGE.match(self._hook.get_task_detail(tasks[0].id).task_url)
                return (found[1], found[2]) if found else None
        except SopsError as error:
            # Without the permission for these calls, or on a server that lacks them, there is no link.
            if error.temporary:
                raise
        return None

    def _read(self, template_id: int, template_source: str) -> Template:
        template = self._hook.get_template_info(
            template_id, template_source=template_source if template_source == COMMON else None, unfold_subprocess=True
        )
        if not template.pipeline_tree:
            raise SopsInvalidParameterError(f"template {template_id} has no pipeline_tree")
        # Old servers cannot unfold.
        tree = self._unfolder.unfold(template.pipeline_tree)
        return Template(template.id, template.name, tree, template.raw)

    def _tree_of_called(self, is_common: bool, template_id: str) -> Mapping[str, Any]:
        return self._hook.get_template_info(template_id, template_source=COMMON if is_common else None).pipeline_tree
