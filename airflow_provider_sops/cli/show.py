"""``airflow-sops show``: a tree as text, or as a picture."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from airflow_provider_sops.cli.outline import outline
from airflow_provider_sops.cli.server import BUSINESS, COMMON, open_server
from airflow_provider_sops.dag_generator.snapshot_files import load_snapshot
from airflow_provider_sops.drawing.tree import draw
from airflow_provider_sops.sops.errors import SopsInvalidParameterError

if TYPE_CHECKING:
    import argparse

    from airflow_provider_sops.sops.pipeline_tree.snapshot import Snapshot


def run(options: argparse.Namespace) -> None:
    """Show the tree named on the command line.

    :raises SopsError: there is no such template or subprocess.
    """
    snapshot = _snapshot(options)
    path = tuple(part for part in options.subprocess.split("/") if part)
    if path not in snapshot.tree.levels:
        known = ", ".join("/".join(each) for each in snapshot.tree.levels if each)
        raise SopsInvalidParameterError(
            f"there is no subprocess {options.subprocess!r}", advice=f"Known subprocesses: {known or 'none'}."
        )
    if options.svg is None:
        sys.stdout.write(outline(snapshot, path))
        return
    name = snapshot.template_name or (options.path.stem if options.path else "")
    title = " > ".join([name, *(snapshot.tree.nodes[path[: depth + 1]].name for depth in range(len(path)))])
    options.svg.write_text(draw(snapshot.tree, path=path, title=title), encoding="utf-8")
    sys.stdout.write(f"{options.svg}: written\n")


def _snapshot(options: argparse.Namespace) -> Snapshot:
    if options.path is not None:
        return load_snapshot(options.path)
    with open_server(options) as server:
        return server.snapshot(options.template, COMMON if options.common else BUSINESS)
