"""``airflow-sops check``: compare snapshots with the server."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from airflow_provider_sops.cli.commands import NOT_SO, SUCCESS
from airflow_provider_sops.cli.server import open_server
from airflow_provider_sops.cli.terminal import write
from airflow_provider_sops.dag_generator.snapshot_files import load_snapshot
from airflow_provider_sops.service.text import quoted, shortened
from airflow_provider_sops.sops.errors import SopsInvalidParameterError, SopsNotFoundError
from airflow_provider_sops.sops.pipeline_tree.content import differences

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from airflow_provider_sops.sops.pipeline_tree.snapshot import Snapshot


def run(options: argparse.Namespace) -> int:
    """Compare all snapshots, print each result, and return the exit code.

    :raises SopsError: a file is not a snapshot, or the server could not be read.
    """
    all_agree = True
    for path in _files(options.paths):
        snapshot = load_snapshot(path)
        if snapshot.template_id is None:
            raise SopsInvalidParameterError(
                f"{path} has no template id: it is a bare tree, or from a YAML export",
                advice="Write it with `airflow-sops snapshot` from SOPS, or from a .dat export.",
            )
        found = _differences(snapshot, snapshot.template_id, options)
        name = f"{path}: template {snapshot.template_id} {quoted(snapshot.template_name)}"
        if not found:
            write(f"{name}: the same\n")
            continue
        all_agree = False
        write(f"{name} differs:\n")
        for words in found:
            write(f"  {shortened(words)}\n")
    return SUCCESS if all_agree else NOT_SO


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            found = sorted(path.glob("*.json"))
            if not found:
                raise SopsInvalidParameterError(f"{path}: no snapshots in this folder")
            yield from found
        else:
            yield path


def _differences(snapshot: Snapshot, template_id: int, options: argparse.Namespace) -> list[str]:
    # A snapshot records its origin; the command line overrides it.
    where = argparse.Namespace(
        conn_id=options.conn_id,
        bk_biz_id=options.bk_biz_id or snapshot.bk_biz_id or None,
        scope=options.scope or snapshot.scope or None,
    )
    with open_server(where) as server:
        try:
            current = server.snapshot(template_id, snapshot.template_source)
        except SopsNotFoundError:
            return ["the template no longer exists"]
    if snapshot.was_edited:
        return [
            "the snapshot was edited by hand: its content does not match its hash",
            *differences(snapshot.tree, current.tree),
        ]
    return differences(snapshot.tree, current.tree)
