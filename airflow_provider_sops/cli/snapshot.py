"""``airflow-sops snapshot``: write templates into files."""

from __future__ import annotations

import hashlib
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_sops.cli.commands import SUCCESS
from airflow_provider_sops.cli.export import open_export
from airflow_provider_sops.cli.server import open_server
from airflow_provider_sops.cli.terminal import write
from airflow_provider_sops.dag_generator.snapshot_files import load_snapshot, write_snapshot
from airflow_provider_sops.dag_generator.task_ids import readable_part
from airflow_provider_sops.dag_generator.template_reader import BUSINESS, TemplateFilter
from airflow_provider_sops.service.text import quoted, shortened
from airflow_provider_sops.sops.errors import SopsError, SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree.nodes import COMMON

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

    from airflow_provider_sops.sops.pipeline_tree.snapshot import Snapshot

#: A file system takes 255 bytes; the id and the ending have their place beside this.
_LONGEST_NAME = 160
#: How many templates of one name, in a file that gives them no ids, find a file name.
_MOST_NAMESAKES = 1000

Identity = tuple[str, str, int | str]
"""What tells templates apart: source, business, and the id, or the name where there is none."""


@dataclass(frozen=True)
class _Listed:
    """A template to be written.

    :param label: its id and name, for people.
    :param read: reads it.
    """

    label: str
    read: Callable[[], Snapshot]


def run(options: argparse.Namespace) -> int:
    """Write the snapshots requested on the command line, and return the exit code.

    :raises SopsError: templates could not be read or written; all others have been written.
    """
    if options.output is not None and options.folder is not None:
        raise SopsInvalidParameterError("--output is for a single template; --all takes the folder itself")
    with _listed(options) as (wanted, one):
        if not one:
            _write_all(wanted, options.folder or Path())
            return SUCCESS
        snapshot = wanted[0].read()
        if options.output is None:
            path = _Folder(Path(), {}).path_for(snapshot)
        else:
            path = options.output
            _check_owner(path, snapshot)
        _write(snapshot, path)
    return SUCCESS


@contextmanager
def _listed(options: argparse.Namespace) -> Iterator[tuple[Sequence[_Listed], bool]]:
    """Open what the command line names; yield its templates, and whether one alone is meant."""
    one = options.template_id is not None
    if options.from_export:
        found = _in_export(options)
        yield found, options.folder is None and len(found) == 1
        return
    source = COMMON if options.common else BUSINESS
    with open_server(options) as server:
        if one:
            yield [_Listed("", partial(server.linked_snapshot, int(options.template_id), source))], True
            return
        found = [
            _Listed(f"{item.id} {quoted(item.name)}", partial(server.linked_snapshot, item.id or 0, source))
            for item in server.templates(source, TemplateFilter(options.name or "", options.category or ""))
        ]
        yield found, False


def _in_export(options: argparse.Namespace) -> list[_Listed]:
    export = open_export(options.from_export)
    keyword = (options.name or "").lower()
    chosen = [export.find(options.template_id)] if options.template_id is not None else export.templates
    found = [_Listed(each.label, partial(export.snapshot, each)) for each in chosen if keyword in each.name.lower()]
    if options.output is not None and len(found) > 1:
        raise SopsInvalidParameterError(
            f"--output is for a single template; {options.from_export} has {len(found)}",
            advice="Name one by its id, or write all with --all FOLDER.",
        )
    return found


def _write_all(wanted: Sequence[_Listed], path: Path) -> None:
    folder = _Folder(path, _known_files(path))
    failed: list[str] = []
    for listed in wanted:
        try:
            snapshot = listed.read()
            _write(snapshot, folder.path_for(snapshot))
        except (SopsError, OSError) as error:
            failed.append(f"template {listed.label}: {error}")
    if failed:
        reasons = "".join(f"\n  {reason}" for reason in failed)
        raise SopsInvalidParameterError(f"{len(failed)} of {len(wanted)} templates were not written:{reasons}")


def _write(snapshot: Snapshot, path: Path) -> None:
    changed = write_snapshot(snapshot, path)
    words = "written" if changed else "up to date"
    number = "" if snapshot.template_id is None else f" {snapshot.template_id}"
    write(f"{path}: template{number} {quoted(snapshot.template_name)} {words}\n")
    for finding in snapshot.tree.findings:
        sys.stderr.write(f"{path}: SOPS would refuse this template: {shortened(str(finding))}\n")


class _Folder:
    """Chooses the files of templates in one folder, never that of another template.

    :param known: the snapshot files that are there, by template; a template keeps its file, whatever it is called.
    """

    def __init__(self, path: Path, known: dict[Identity, list[Path]]) -> None:
        self._path = path
        self._known = known
        self._taken: set[Path] = set()

    def path_for(self, snapshot: Snapshot) -> Path:
        """Return the file for a template.

        :raises SopsInvalidParameterError: other files have all the names that it could have.
        """
        identity = _identity(snapshot)
        for path in self._candidates(snapshot, identity):
            if path not in self._taken and (not os.path.lexists(path) or _owner(path) == identity):
                self._taken.add(path)
                return path
        raise SopsInvalidParameterError(
            f"{self._path / _file_names(snapshot)[0]} and {_file_names(snapshot)[-1]} are not files of this template",
            advice="Move them, or write the template with --output.",
        )

    def _candidates(self, snapshot: Snapshot, identity: Identity) -> Iterator[Path]:
        yield from self._known.get(identity, ())
        yield from (self._path / name for name in _file_names(snapshot))


def _known_files(folder: Path) -> dict[Identity, list[Path]]:
    """Return the snapshot files of a folder by template; other files are ignored."""
    known: dict[Identity, list[Path]] = {}
    for path in sorted(folder.glob("*.json")):
        owner = _owner(path)
        if owner is not None:
            known.setdefault(owner, []).append(path)
    return known


def _owner(path: Path) -> Identity | None:
    """Return the template whose snapshot a file is; ``None`` if it is something else."""
    try:
        snapshot = load_snapshot(path)
    except (SopsError, OSError):
        return None
    return _identity(snapshot) if snapshot.recorded_hash else None


def _check_owner(path: Path, snapshot: Snapshot) -> None:
    owner = _owner(path)
    if owner is not None and owner != _identity(snapshot):
        raise SopsInvalidParameterError(
            f"{path} is the snapshot of another template: {owner[0]} template {owner[2]!r} of business {owner[1]!r}",
            advice="Choose another file, or delete this one first.",
        )


def _identity(snapshot: Snapshot) -> Identity:
    project = "" if snapshot.template_source == COMMON else snapshot.bk_biz_id
    number = snapshot.template_id
    return snapshot.template_source, project, snapshot.template_name if number is None else number


def _file_names(snapshot: Snapshot) -> list[str]:
    """Return the names that a template's file may have, the best first."""
    name = readable_part(snapshot.template_name) or "template"
    if len(name) > _LONGEST_NAME:
        digest = hashlib.sha256(snapshot.template_name.encode(errors="surrogatepass")).hexdigest()[:8]
        name = f"{name[:_LONGEST_NAME]}_{digest}"
    if snapshot.template_id is None:
        return [f"{name}.json", *(f"{name}_{number}.json" for number in range(2, _MOST_NAMESAKES))]
    name = f"{name}_{snapshot.template_id}"
    other = COMMON if snapshot.template_source == COMMON else f"{snapshot.scope}_{snapshot.bk_biz_id}"
    return [f"{name}.json", f"{name}_{readable_part(other)[:32]}.json"]
