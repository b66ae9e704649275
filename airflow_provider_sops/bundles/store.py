"""Where the versions of a bundle are kept for all machines: a folder, or object storage.

``versions/<version>.zip`` holds a version and is written once. ``latest.json`` names the newest one, and what SOPS said
of its templates, so that a refresh asks only for what has changed. Two processors that refresh at once do no harm: each
writes a version that is whole before it names it, and the next refresh repairs what the slower one has missed.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.bundles.content import BundleContent
from airflow_provider_sops.bundles.options import BundleOptions
from airflow_provider_sops.service.text import quoted
from airflow_provider_sops.sops.errors import SopsInvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

_LATEST = "latest.json"


@dataclass(frozen=True, slots=True)
class FlowRecord:
    """What is known of a template that has been read.

    :param name: as the list gave it.
    :param edit_time: likewise.
    :param called: the edit times of the templates in its subprocesses, ``{"business 12": "..."}``.
    :param read_again_at: when to read it again even if nothing has changed, in seconds since the epoch.
    """

    name: str
    edit_time: str
    called: Mapping[str, str]
    read_again_at: float


@dataclass(frozen=True)
class Latest:
    """The newest version.

    :param records: of its templates, by id.
    """

    version: str
    options: BundleOptions
    records: Mapping[int, FlowRecord]

    def to_json(self) -> bytes:
        """Return it as JSON."""
        records = {str(number): asdict(record) for number, record in self.records.items()}
        content = {"version": self.version, "options": self.options.to_dict(), "records": records}
        return json.dumps(content, ensure_ascii=True, indent=1, sort_keys=True).encode()

    @classmethod
    def from_json(cls, content: bytes) -> Latest:
        """Read ``to_json``."""
        read = json.loads(content)
        names = FlowRecord.__dataclass_fields__
        records = {
            int(number): FlowRecord(**{name: value for name, value in record.items() if name in names})
            for number, record in read["records"].items()
        }
        return cls(str(read["version"]), BundleOptions.from_dict(read["options"]), records)


class VersionStore:
    """Reads and writes versions.

    :param bundle: the bundle's name, for errors.
    :param address: a folder, or an address that ``ObjectStoragePath`` takes, as ``s3://connection@bucket/flows``.
    """

    def __init__(self, bundle: str, address: str) -> None:
        self._bundle = bundle
        self.address = address

    def latest(self) -> Latest | None:
        """Return what is known of the newest version; ``None`` if there is none, or somebody has deleted it."""
        content = _read(self._root / _LATEST)
        latest = None if content is None else Latest.from_json(content)
        return latest if latest and self._archive(latest.version).exists() else None

    def version(self, version: str) -> BundleContent:
        """Read a version.

        :raises SopsInvalidParameterError: it is not there, or damaged.
        """
        path = self._archive(version)
        content = _read(path)
        if content is None:
            raise SopsInvalidParameterError(
                f"DAG bundle {quoted(self._bundle)}: version {version} is not in {self.address}",
                advice="If that folder is of one machine, let storage_path name one that all machines share. If the"
                " version was deleted, its runs cannot go on: trigger the DAG again.",
            )
        try:
            found = BundleContent.from_archive(content)
        except ValueError as error:
            raise SopsInvalidParameterError(f"DAG bundle {quoted(self._bundle)}: {path} is damaged: {error}") from error
        if found.version != version:
            raise SopsInvalidParameterError(
                f"DAG bundle {quoted(self._bundle)}: {path} is damaged: it holds version {found.version}"
            )
        return found

    def add(self, content: BundleContent) -> None:
        """Keep a version."""
        self._write(self._archive(content.version), content.to_archive())

    def name_latest(self, latest: Latest) -> None:
        """Make a version, which has been added, the newest one."""
        self._write(self._root / _LATEST, latest.to_json())

    def _archive(self, version: str) -> Any:
        return self._root / "versions" / f"{version}.zip"

    @property
    def _root(self) -> Any:
        folder = self.address.removeprefix("file://")
        if "://" not in folder:
            return Path(folder)
        # Needs Airflow, and is slow to import.
        from airflow.sdk import ObjectStoragePath

        return ObjectStoragePath(self.address)

    def _write(self, path: Any, content: bytes) -> None:
        if isinstance(path, Path):
            write_at_once(path, content)
            return
        # An object store shows an object when it is whole.
        try:
            path.write_bytes(content)
        except FileNotFoundError:
            # Not every store does without folders.
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def write_at_once(path: Path, content: bytes) -> None:
    """Write a file so that nobody ever reads a part of it. Missing folders are created."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{uuid.uuid4().hex}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _read(path: Any) -> bytes | None:
    try:
        # With read_bytes s3fs asks for the object's tag first, and fails if another processor writes it in between.
        content: bytes = path.read_bytes() if isinstance(path, Path) else path.fs.cat_file(path.path)
    except FileNotFoundError:
        return None
    return content
