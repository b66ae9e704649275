"""Templates: JSON files in folders, reloaded when they change."""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
import threading
import zlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local_sops.ages import CURRENT, Age
from local_sops.trees import InvalidTreeError, Tree
from local_sops.trees.constants import without_unreferenced
from local_sops.trees.drawing import with_drawing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SHIPPED_TEMPLATES = Path(__file__).parent / "templates"
COMMON = "common"
"""Name of the sub-folder for common templates, and SOPS's word for them."""
MAX_SUBPROCESS_DEPTH = 200
FIRST_CREATED_ID = 2000


class TemplateFileError(Exception):
    """An invalid template file; the text names the file and the problem."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """An execution scheme of a template: the nodes to keep.

    :param id: unique; ``"<template id>-<name>"`` unless the template was imported.
    :param node_ids: the optional nodes to execute.
    """

    id: str
    name: str
    node_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Template:
    """A flow from which tasks are created.

    :param project_id: None for a common template.
    :param tree: its ``pipeline_tree``; not to be changed.
    :param independent_subprocess: whether its subprocesses run as separate tasks.
    """

    id: int
    name: str
    project_id: int | None
    creator: str
    category: str
    description: str
    edit_time: datetime
    tree: Tree
    schemes: tuple[Scheme, ...]
    independent_subprocess: bool = False

    @property
    def version(self) -> str:
        """A digest of the tree, as SOPS identifies a template's state."""
        text = json.dumps(self.tree, sort_keys=True, ensure_ascii=False)
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    @property
    def internal_id(self) -> str:
        """The ``template_id`` of a task's SubProcess nodes: stable, and different from the API's."""
        source = "common" if self.project_id is None else "project"
        digest = hashlib.md5(f"{source} {self.id}".encode(), usedforsecurity=False).hexdigest()
        return "n" + digest[1:]


class TemplateFolder:
    """The templates of some folders; sub-folders ``common`` hold common templates.

    A file holds the ``data`` of a get_template_info answer, the whole answer, or just ``name`` and
    ``pipeline_tree``. Its ``id`` is the template's; a file without one gets a stable id from its name.
    ``project_id`` sets the project, default 1. ``schemes`` maps scheme names to lists of node ids,
    and ``independent_subprocess`` true runs the subprocesses of its tasks as separate tasks.

    :param folders: for equal ids the later folder wins.
    :param made: generated templates; a file with the same id wins.
    :param created: the folder to which :meth:`add` writes templates; created on demand.
    :param age: of the server: an old one has no independent subprocesses.
    :raises TemplateFileError: a file is not a template. If a file becomes invalid later, its last valid version stays.
    """

    def __init__(
        self,
        folders: Iterable[Path],
        made: Iterable[Template] = (),
        *,
        created: Path | None = None,
        age: Age = CURRENT,
    ) -> None:
        self.age = age
        self._folders = tuple(folders)
        self._made = tuple(made)
        self._created = created
        self._adding = threading.Lock()
        self._files: dict[Path, tuple[tuple[int, int], Template]] = {}
        self._refresh(strict=True)

    def project_templates(self, project_id: int) -> list[Template]:
        """List the templates of a project, newest id first."""
        return [template for template in self._all().values() if template.project_id == project_id]

    def common_templates(self) -> list[Template]:
        """List the common templates, newest id first."""
        return [template for template in self._all().values() if template.project_id is None]

    def find(self, template_id: int, *, common: bool = False) -> Template | None:
        """Find a template by id, among the common ones or those of all projects."""
        template = self._all().get((common, template_id))
        return copy.deepcopy(template) if template else None

    def add(self, *, tree: Tree, **fields: Any) -> Template:
        """Add a template to a project permanently, with the first free id from 2000 on.

        :param fields: name, project_id, creator, category, description and schemes, as in a file.
        """
        if self._created is None:
            raise ValueError("this folder accepts no new templates")
        with self._adding:
            taken = {template_id for common, template_id in self._all() if not common}
            template_id = next(number for number in itertools.count(FIRST_CREATED_ID) if number not in taken)
            content = json.dumps({"id": template_id, **fields, "pipeline_tree": tree}, ensure_ascii=False)
            self._created.mkdir(parents=True, exist_ok=True)
            path = self._created / f"{template_id}.json"
            unfinished = path.with_suffix(".unfinished")
            unfinished.write_text(content, encoding="utf-8")
            unfinished.rename(path)
            return self._all()[False, template_id]

    def name_of(self, internal_id: str) -> str:
        """Return the name of the template with this node ``template_id``; ``""`` if there is none."""
        return next((one.name for one in self._all().values() if one.internal_id == internal_id), "")

    def expanded(self, tree: Tree) -> Tree:
        """Copy a tree with each SubProcess node's child as ``pipeline``, its variables replaced by the parent's.

        Of the child's variables those go that nothing in it refers to. A SubProcess that already carries a ``pipeline``
        keeps it.

        :param tree: not changed.
        :raises InvalidTreeError: a child template is missing, or they form a cycle.
        """
        return self._expanded(copy.deepcopy(tree), MAX_SUBPROCESS_DEPTH)

    def _expanded(self, tree: Tree, depth: int) -> Tree:
        if not depth:
            raise InvalidTreeError(f"subprocesses are nested deeper than {MAX_SUBPROCESS_DEPTH}")
        for activity in tree["activities"].values():
            if activity["type"] == "SubProcess" and "pipeline" not in activity:
                common = activity.get("template_source") == COMMON
                child = self.find(int(activity["template_id"]), common=common)
                if child is None:
                    raise InvalidTreeError(f"subprocess template(id={activity['template_id']}) does not exist")
                pipeline = with_drawing(child.tree)
                for key, passed in (activity.pop("constants", None) or {}).items():
                    pipeline["constants"][key] = {name: value for name, value in passed.items() if name != "form"}
                pruned = without_unreferenced(pipeline, keep_outputs=True)
                activity["pipeline"] = {**self._expanded(pruned, depth - 1), "id": activity["id"]}
        return tree

    def _all(self) -> dict[tuple[bool, int], Template]:
        self._refresh(strict=False)
        read = [template for _, template in list(self._files.values())]
        templates = {(one.project_id is None, one.id): one for one in (*self._made, *read)}
        return dict(sorted(templates.items(), key=lambda item: -item[0][1]))

    def _refresh(self, *, strict: bool) -> None:
        current: dict[Path, tuple[tuple[int, int], Template]] = {}
        for path, common in self._paths():
            try:
                status = path.stat()
                stamp = (status.st_mtime_ns, status.st_size)
                known = self._files.get(path)
                current[path] = known if known and known[0] == stamp else (stamp, self._read(path, common))
            except (OSError, TemplateFileError):
                if strict:
                    raise
                if path in self._files:
                    current[path] = self._files[path]
        self._files = current

    def _paths(self) -> Iterator[tuple[Path, bool]]:
        for folder in self._folders:
            for common in (False, True):
                place = folder / COMMON if common else folder
                yield from ((path, common) for path in sorted(place.glob("*.json")))

    def _read(self, path: Path, common: bool) -> Template:
        template = _read(path, common)
        return template if self.age.has_independent_subprocesses else replace(template, independent_subprocess=False)


def _read(path: Path, common: bool) -> Template:
    try:
        content = json.loads(path.read_bytes())
        content = content.get("data", content)
        tree = content["pipeline_tree"]
        edit_time = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        template_id = int(content.get("id") or 100_000 + zlib.crc32(path.stem.encode()) % 900_000)
        return Template(
            id=template_id,
            name=content["name"],
            project_id=None if common else int(content.get("project_id") or 1),
            creator=content.get("creator") or "admin",
            category=content.get("category") or "Default",
            description=content.get("description") or "",
            edit_time=edit_time,
            tree={key: tree[key] for key in tree if key != "id"},
            schemes=_schemes(template_id, content.get("schemes") or {}),
            independent_subprocess=bool(content.get("independent_subprocess")),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TemplateFileError(f"{path} is not a SOPS template: {type(error).__name__}: {error}") from error


def _schemes(template_id: int, schemes: Mapping[str, Any]) -> tuple[Scheme, ...]:
    """Read the schemes by name: the ids of their nodes, or an object that has the scheme's own id too."""
    objects = {
        name: one if isinstance(one, dict) else {"id": f"{template_id}-{name}", "node_ids": one}
        for name, one in schemes.items()
    }
    return tuple(Scheme(str(one["id"]), name, tuple(one["node_ids"])) for name, one in objects.items())
