"""A version as files on this machine, where Airflow finds its DAGs.

``bundle.json`` and ``flows/<id>.json`` are the version, and ``flows_<number>.py`` is always the same few lines, which
read them. There are several of these, so that Airflow parses many flows side by side, each file well within its time.
"""

from __future__ import annotations

import shutil
import uuid
from typing import TYPE_CHECKING, Final

from airflow_provider_sops.bundles.content import MANIFEST, Manifest, flow_file, version_of
from airflow_provider_sops.bundles.store import write_at_once

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from airflow_provider_sops.bundles.content import BundleContent

#: Old runs look for their DAG in the file that had it, so neither this number nor the names of the files change.
_LOADERS: Final = 16
_LOADER = b'''"""Airflow DAGs of SOPS flows. The flows are in the JSON files beside this one; do not edit any."""

from airflow_provider_sops.bundles.flow_dags import flow_dags

globals().update(flow_dags(__file__))
'''


def loader_file(template_id: int) -> str:
    """Return the name of the file that has a template's DAG."""
    return f"flows_{template_id % _LOADERS:02}.py"


def shown_version(folder: Path) -> str | None:
    """Return which version a folder shows; ``None`` if it shows none."""
    try:
        return version_of((folder / MANIFEST).read_bytes())
    except FileNotFoundError:
        return None


def add_folder(folder: Path, content: BundleContent) -> None:
    """Make a folder of a version, whole from its first moment; leave it alone if another process was faster."""
    new = folder.with_name(f".{uuid.uuid4().hex}.partial")
    try:
        update_folder(new, content)
        # Fails if the folder is there and not empty.
        new.rename(folder)
    except OSError:
        if shown_version(folder) != content.version:
            raise
    finally:
        shutil.rmtree(new, ignore_errors=True)


def update_folder(folder: Path, content: BundleContent) -> None:
    """Make a folder show a version in place of another one, while Airflow reads it.

    One process at a time may do this.
    """
    manifest = folder / MANIFEST
    before = Manifest.read(manifest.read_bytes()) if manifest.exists() else None
    known = {} if before is None else before.digests
    changed = {number for number, flow in content.flows.items() if known.get(number) != flow.digest}
    for number in sorted(changed):
        write_at_once(folder / flow_file(number), content.flows[number].content)
    loaders = {loader_file(number) for number in content.flows}
    for name in sorted(loaders):
        if not (folder / name).exists():
            write_at_once(folder / name, _LOADER)
    write_at_once(manifest, content.manifest)
    gone = known.keys() - content.flows.keys()
    _remove(folder / flow_file(number) for number in gone)
    _remove(folder / loader_file(number) for number in gone if loader_file(number) not in loaders)
    everything = before is None or before.options != content.options
    for name in sorted(loaders if everything else loaders & {loader_file(number) for number in changed | gone}):
        # Airflow reads a file with a new time before its turn comes.
        (folder / name).touch()


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
