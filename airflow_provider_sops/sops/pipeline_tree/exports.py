"""Exports: the files that SOPS's template list gives people, which hold templates and those that they call.

SOPS exports base64 of JSON (``.dat``) with a digest, and YAML. The JSON inside a ``.dat`` file is read too. The digest
depends on a salt of the server and is not checked. A file is data: nothing in it is ever executed.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.service.json_text import read_json
from airflow_provider_sops.service.reading import read_id, read_mapping, read_text
from airflow_provider_sops.service.text import quoted
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.models import Template
from airflow_provider_sops.sops.pipeline_tree.exports_yaml import read_documents
from airflow_provider_sops.sops.pipeline_tree.nodes import COMMON, SUBPROCESS
from airflow_provider_sops.sops.pipeline_tree.snapshot import take_snapshot
from airflow_provider_sops.sops.pipeline_tree.unfolding import Unfolder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_sops.sops.pipeline_tree.snapshot import Snapshot

#: How large a file may be.
MOST_BYTES = 32 * 1024 * 1024

_BASE64 = re.compile(rb"[A-Za-z0-9+/\s]+=*\s*")
_ADVICE = "Pass a .dat or YAML file that SOPS exported, or the JSON in a .dat file."


@dataclass(frozen=True, slots=True)
class ExportedTemplate:
    """One template of an export.

    :param key: what subprocesses in the file call it by, and people on the command line where it has no id.
    :param id: the template's id in the SOPS that exported it; ``None`` in YAML.
    :param is_common: whether it is a common template.
    :param tree: its tree; subprocesses call other templates of the file by their keys.
    :param facts: what else the file says about it.
    """

    key: str
    id: int | None
    name: str
    is_common: bool
    tree: Mapping[str, Any] = field(repr=False)
    facts: Mapping[str, Any] = field(repr=False)

    @property
    def label(self) -> str:
        """Its id, or else its key, and its name, whatever characters they have."""
        return f"{quoted(self.key)[1:-1] if self.id is None else self.id} {quoted(self.name)}"


class Export:
    """The templates of one file.

    :param templates: all of them, in the order of the file.
    """

    def __init__(self, templates: Iterable[ExportedTemplate]) -> None:
        self.templates = tuple(templates)
        self._by_key = {template.key: template for template in self.templates}
        self._unfolder = Unfolder(self._tree_of_called)

    def find(self, name: str) -> ExportedTemplate:
        """Return the template with an id or a key.

        :raises SopsInvalidParameterError: there is none, or several have the id; the error lists what there is.
        """
        found = [each for each in self.templates if name in (each.key, str(each.id))]
        if len(found) == 1:
            return found[0]
        known = ", ".join(each.label for each in self.templates)
        problem = "several templates" if found else "no template"
        raise SopsInvalidParameterError(f"the export has {problem} {name!r}", advice=f"It has: {known}.")

    def snapshot(self, exported: ExportedTemplate) -> Snapshot:
        """Return the snapshot of a template, with the subprocesses that the file has.

        :raises SopsInvalidParameterError: the template contains itself, or is too large as a whole.
        """
        tree = self._with_ids(self._unfolder.unfold(exported.tree))
        project = exported.facts.get("project_id")
        return take_snapshot(
            Template(exported.id, exported.name, tree, exported.facts),
            template_source=COMMON if exported.is_common else "business",
            # Before 3.3 templates belonged to businesses.
            bk_biz_id=exported.facts.get("business_id") if project is None else project,
            scope="cmdb_biz" if project is None else "project",
        )

    def _tree_of_called(self, _: bool, key: str) -> Mapping[str, Any] | None:
        # An export does not say of a called template that it is a common one.
        found = self._by_key.get(key)
        return found.tree if found else None

    def _with_ids(self, tree: dict[str, Any]) -> dict[str, Any]:
        """Name called templates by their ids and sources, as SOPS's API does."""
        waiting = [tree]
        while waiting:
            for activity in read_mapping(waiting.pop().get("activities")).values():
                if isinstance(activity, dict) and activity.get("type") == SUBPROCESS:
                    called = self._by_key.get(read_text(activity.get("template_id")))
                    if called and called.id is not None:
                        activity["template_id"] = str(called.id)
                    if called and called.is_common:
                        activity["template_source"] = COMMON
                    if isinstance(activity.get("pipeline"), dict):
                        waiting.append(activity["pipeline"])
        return tree


def read_export(content: bytes) -> Export:
    """Read an export.

    :param content: of the file.
    :raises SopsInvalidParameterError: it is too large, or not an export.
    """
    if len(content) > MOST_BYTES:
        raise SopsInvalidParameterError(f"the file is larger than {MOST_BYTES >> 20} MiB")
    # What stands before the first line counts in YAML.
    text = content.removeprefix(b"\xef\xbb\xbf")
    if _BASE64.fullmatch(text):
        text = _decoded(text)
    if not text.lstrip().startswith((b"{", b"[")):
        return Export(_of_documents(read_documents(text.decode(errors="replace"))))
    try:
        answer = read_json(text)
    except ValueError as error:
        raise SopsInvalidParameterError(f"the file is not valid JSON: {error}", advice=_ADVICE) from None
    return Export(_of_json(answer))


def _decoded(text: bytes) -> bytes:
    try:
        decoded = base64.b64decode(text).strip()
    except binascii.Error as error:
        raise SopsInvalidParameterError(f"the file is not valid base64: {error}", advice=_ADVICE) from None
    if not decoded.startswith(b"{"):
        raise SopsInvalidParameterError("the base64 in the file does not hold a JSON object", advice=_ADVICE)
    return decoded


def _of_json(answer: Any) -> list[ExportedTemplate]:
    holder = read_mapping(answer)
    data = read_mapping(holder.get("template_data", holder))
    flows = read_mapping(read_mapping(data.get("pipeline_template_data")).get("template"))
    if not flows:
        raise SopsInvalidParameterError("the file holds no exported templates", advice=_ADVICE)
    facts = {read_text(each.get("pipeline_template_id")): each for each in _mappings(data.get("template"))}
    all_common = data.get("template_source") == COMMON
    return [_of_flow(key, read_mapping(flow), facts.get(key, {}), all_common=all_common) for key, flow in flows.items()]


def _of_flow(key: str, flow: Mapping[str, Any], facts: Mapping[str, Any], *, all_common: bool) -> ExportedTemplate:
    tree = read_mapping(flow.get("tree"))
    if not read_mapping(tree.get("activities")):
        raise SopsInvalidParameterError(f"the exported template {key!r} has no activities", advice=_ADVICE)
    owned = facts.get("project_id") is not None or facts.get("business_id") is not None
    return ExportedTemplate(
        key=key,
        id=read_id(facts.get("id")),
        name=read_text(flow.get("name")),
        is_common=all_common or (bool(facts) and not owned),
        tree=tree,
        facts={**facts, "edit_time": flow.get("edit_time")},
    )


def _of_documents(documents: Iterable[tuple[str, str, Mapping[str, Any]]]) -> list[ExportedTemplate]:
    return [ExportedTemplate(key, None, name, is_common=False, tree=tree, facts={}) for key, name, tree in documents]


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [read_mapping(each) for each in read_mapping(value).values()]
