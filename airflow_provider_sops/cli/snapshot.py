"""``airflow-sops snapshot``: write templates into files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_sops.cli.server import BUSINESS, COMMON, open_server
from airflow_provider_sops.dag_generator.snapshot_files import load_snapshot, write_snapshot
from airflow_provider_sops.dag_generator.task_ids import readable_part
from airflow_provider_sops.service.text import quoted, shortened
from airflow_provider_sops.sops.errors import SopsError, SopsInvalidParameterError

if TYPE_CHECKING:
    import argparse

    from airflow_provider_sops.sops.pipeline_tree.snapshot import Snapshot

Identity = tuple[str, str, int | None]


def run(options: argparse.Namespace) -> None:
    """Write the snapshots requested on the command line.

    :raises SopsError: a template could not be read; the others have been written.
    """
    source = COMMON if options.common else BUSINESS
    if options.folder is None:
        with open_server(options) as server:
            snapshot = server.snapshot(options.template_id, source)
        _write(snapshot, options.output or Path(_file_name(snapshot)))
        return
    if options.output is not None:
        raise SopsInvalidParameterError("--output is for a single template; --all takes the folder itself")
    known = _known_files(options.folder)
    failed: list[str] = []
    with open_server(options) as server:
        for item in server.templates(source, options.name):
            try:
                snapshot = server.snapshot(item.id or 0, source)
            except SopsError as error:
                sys.stderr.write(f"template {item.id} {quoted(item.name)}: {error}\n")
                failed.append(str(item.id))
                continue
            _write(snapshot, known.get(_identity(snapshot), options.folder / _file_name(snapshot)))
    if failed:
        raise SopsInvalidParameterError(f"templates that could not be read: {', '.join(failed)}")


def _write(snapshot: Snapshot, path: Path) -> None:
    changed = write_snapshot(snapshot, path)
    words = "written" if changed else "up to date"
    sys.stdout.write(f"{path}: template {snapshot.template_id} {quoted(snapshot.template_name)} {words}\n")
    for finding in snapshot.tree.findings:
        sys.stderr.write(f"{path}: SOPS would refuse this template: {shortened(str(finding))}\n")


def _known_files(folder: Path) -> dict[Identity, Path]:
    """Return the snapshot files of a folder by template; other JSON files are ignored."""
    known = {}
    for path in sorted(folder.glob("*.json")):
        try:
            known[_identity(load_snapshot(path))] = path
        except SopsError:
            continue
    return known


def _identity(snapshot: Snapshot) -> Identity:
    project = "" if snapshot.template_source == COMMON else snapshot.bk_biz_id
    return snapshot.template_source, project, snapshot.template_id


def _file_name(snapshot: Snapshot) -> str:
    return f"{readable_part(snapshot.template_name) or 'template'}_{snapshot.template_id}.json"
