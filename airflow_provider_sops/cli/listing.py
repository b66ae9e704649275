"""``airflow-sops list``: the templates of a project."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from airflow_provider_sops.cli.commands import JSON, SUCCESS
from airflow_provider_sops.cli.server import open_server
from airflow_provider_sops.cli.terminal import one_line, write_json, write_table
from airflow_provider_sops.dag_generator.template_reader import BUSINESS, TemplateFilter
from airflow_provider_sops.service.reading import read_text
from airflow_provider_sops.sops.pipeline_tree.nodes import COMMON

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from airflow_provider_sops.sops.models import TemplateListItem

_FIELDS = ("category", "creator", "editor", "edit_time")


def run(options: argparse.Namespace) -> int:
    """Write the templates named on the command line, and return the exit code.

    :raises SopsError: they cannot be read.
    """
    with open_server(options) as server:
        found = server.templates(COMMON if options.common else BUSINESS)
    chosen = [item for item in found if _is_wanted(item, options)]
    if options.output == JSON:
        write_json([{"id": item.id, "name": item.name, **_details(item)} for item in chosen])
        return SUCCESS
    write_table(
        ("ID", "NAME", "CATEGORY", "CREATOR", "EDITOR", "EDITED"),
        [(str(item.id), one_line(item.name), *map(one_line, _details(item).values())) for item in chosen],
    )
    if not chosen:
        sys.stderr.write(_nothing_found(found, options))
    return SUCCESS


def _is_wanted(item: TemplateListItem, options: argparse.Namespace) -> bool:
    if not TemplateFilter(options.name or "", options.category or "").accepts(item):
        return False
    details = _details(item)
    return not options.user or options.user in (details["creator"], details["editor"])


def _details(item: TemplateListItem) -> dict[str, str]:
    return {name: read_text(item.raw.get(name)) for name in _FIELDS}


def _nothing_found(found: Sequence[TemplateListItem], options: argparse.Namespace) -> str:
    kind = "common template" if options.common else "template"
    if not found:
        return f"There is no {kind} that this connection may see; `airflow-sops doctor` says more.\n"
    categories = ", ".join(sorted({one_line(_details(item)["category"]) for item in found})) or "none"
    hint = f" Categories: {categories}." if options.category else ""
    return f"No {kind} matches.{hint}\n"
