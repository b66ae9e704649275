"""One version of a bundle: the flows of that moment, and the options that make DAGs of them.

A flow is a snapshot, as ``airflow-sops snapshot`` writes it, or what says why there is none. All of it is JSON: names
and texts of SOPS never become code. Runs keep their version as long as Airflow keeps the runs, so what is written here
is read by later versions of this package.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_sops.bundles.options import BundleOptions
from airflow_provider_sops.service.storable import storable
from airflow_provider_sops.sops.errors import SopsInvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_sops.sops.pipeline_tree.snapshot import Snapshot

FORMAT_VERSION: Final = 1
#: Instead of a snapshot.
UNREADABLE: Final = "airflow-sops unreadable template"
MANIFEST: Final = "bundle.json"
_DIGITS = 32


@dataclass(frozen=True)
class Flow:
    """One flow.

    :param content: its file: a snapshot as JSON, or an ``unreadable`` template.
    """

    content: bytes = field(repr=False)

    @classmethod
    def of(cls, snapshot: Snapshot) -> Flow:
        """Make a flow of a snapshot."""
        return cls(_json_bytes(storable(snapshot.to_dict())))

    @classmethod
    def unreadable(cls, template_id: int, name: str, reason: str) -> Flow:
        """Make a flow of what is known of a template that has no snapshot.

        :param reason: for people.
        """
        template = {"id": template_id, "name": name}
        return cls(_json_bytes(storable({"format": UNREADABLE, "template": template, "reason": reason})))

    @cached_property
    def data(self) -> Mapping[str, Any]:
        """What the file says."""
        data: Mapping[str, Any] = json.loads(self.content)
        return data

    def makes_the_same_dag_as(self, other: Flow) -> bool:
        """Tell whether two flows differ in nothing but the time of the last change or the editor's layout."""
        return bool(self._identity == other._identity)

    @property
    def _identity(self) -> Any:
        if self.data.get("format") == UNREADABLE:
            return self.content
        # The hash of the content stands for the tree.
        template = {key: value for key, value in self.data["template"].items() if key != "edit_time"}
        return (template, self.data["content_hash"], self.data["format_version"])

    @cached_property
    def digest(self) -> str:
        """A hash of the file."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True)
class BundleContent:
    """One version.

    :param flows: by template id.
    """

    options: BundleOptions
    flows: Mapping[int, Flow]

    @cached_property
    def manifest(self) -> bytes:
        """The bytes of ``bundle.json``: the options, and the digest of each flow."""
        return _json_bytes(
            {
                "format_version": FORMAT_VERSION,
                "options": self.options.to_dict(),
                "flows": {str(number): self.flows[number].digest for number in sorted(self.flows)},
            }
        )

    @cached_property
    def version(self) -> str:
        """The version's name in Airflow: the same content has the same one."""
        return version_of(self.manifest)

    def to_archive(self) -> bytes:
        """Pack the version into a ZIP file, whose bytes are always the same: two processors may write it."""
        files = {MANIFEST: self.manifest} | {flow_file(number): flow.content for number, flow in self.flows.items()}
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as packed:
            for name, content in sorted(files.items()):
                # Without the time of writing.
                packed.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
        return archive.getvalue()

    @classmethod
    def from_archive(cls, archive: bytes) -> BundleContent:
        """Unpack ``to_archive``.

        :raises ValueError: it is damaged.
        """
        try:
            with zipfile.ZipFile(io.BytesIO(archive)) as packed:
                manifest = Manifest.read(packed.read(MANIFEST))
                flows = {number: Flow(packed.read(flow_file(number))) for number in manifest.digests}
        except (zipfile.BadZipFile, KeyError) as error:
            raise ValueError(f"not an archive of a bundle's version: {error}") from error
        return cls(manifest.options, flows)


@dataclass(frozen=True)
class Manifest:
    """What ``bundle.json`` says.

    :param digests: of the flows, by template id.
    """

    options: BundleOptions
    digests: Mapping[int, str]

    @classmethod
    def read(cls, content: bytes) -> Manifest:
        """Read the file.

        :raises SopsInvalidParameterError: a later version of this package has written it.
        """
        read = json.loads(content)
        if read["format_version"] > FORMAT_VERSION:
            raise SopsInvalidParameterError(
                f"this version of a DAG bundle has the format {read['format_version']}",
                advice="Update airflow-provider-sops on this machine.",
            )
        digests = {int(number): digest for number, digest in read["flows"].items()}
        return cls(BundleOptions.from_dict(read["options"]), digests)


def version_of(manifest: bytes) -> str:
    """Return the version whose manifest this is."""
    return hashlib.sha256(manifest).hexdigest()[:_DIGITS]


def flow_file(template_id: int) -> str:
    """Return where a flow is, in an archive and in a folder."""
    return f"flows/{template_id}.json"


def _json_bytes(value: Any) -> bytes:
    return f"{json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True)}\n".encode()
