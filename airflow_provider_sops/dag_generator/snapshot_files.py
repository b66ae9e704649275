"""Snapshots: JSON files next to DAG files, compared with the template in SOPS before a run."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_sops.service.json_text import read_json
from airflow_provider_sops.service.text import log_entry
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree import PipelineTree
from airflow_provider_sops.sops.pipeline_tree.content import differences
from airflow_provider_sops.sops.pipeline_tree.snapshot import Snapshot, read_snapshot

if TYPE_CHECKING:
    from airflow_provider_sops.hooks.sops import SopsHook

_MOST_CHANGES = 10


def load_pipeline_tree(path: str | os.PathLike[str]) -> PipelineTree:
    """Read the tree in a JSON file, without any network call.

    :param path: a snapshot written by ``airflow-sops snapshot``, or any other JSON file that contains a tree. Relative
        paths start at the working directory, which in Airflow is not the DAG file's folder: use
        ``Path(__file__).with_name(...)``.
    :raises FileNotFoundError: there is no such file.
    :raises SopsInvalidParameterError: it contains no tree; the error names the file.
    """
    return load_snapshot(path).tree


def load_snapshot(path: str | os.PathLike[str]) -> Snapshot:
    """Read a snapshot file.

    :raises FileNotFoundError: there is no such file.
    :raises SopsInvalidParameterError: it contains no tree; the error names the file.
    """
    content = Path(path).read_bytes()
    try:
        return read_snapshot(read_json(content))
    except SopsInvalidParameterError as error:
        raise SopsInvalidParameterError(f"{os.fspath(path)}: {error.reason}", advice=error.advice) from error
    except ValueError as error:
        raise SopsInvalidParameterError(f"{os.fspath(path)}: not a JSON file: {error}") from error


def write_snapshot(snapshot: Snapshot, path: str | os.PathLike[str]) -> bool:
    """Write a snapshot file atomically; return whether its content changed.

    The same snapshot always gives the same bytes: keys are sorted, texts stay readable. Missing folders are created.
    """
    target = Path(path)
    text = json.dumps(snapshot.to_dict(), ensure_ascii=False, indent=2, sort_keys=True)
    # JSON can contain a lone surrogate, which UTF-8 cannot encode.
    content = f"{text}\n".encode(errors="backslashreplace")
    if target.exists() and target.read_bytes() == content:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own for each file, and never too long for the file system.
    partial = target.with_name(f".{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]}.partial")
    partial.write_bytes(content)
    partial.replace(target)
    return True


class FlowStart(Protocol):
    """What the two tasks that can start a flow have in common.

    :param snapshot: the template as the DAG was built from it.
    :param on_template_change: ``"warn"`` or ``"fail"`` if the template in SOPS has changed since.
    """

    snapshot: Snapshot
    template_id: Any
    template_source: str
    on_template_change: str

    @property
    def hook(self) -> SopsHook:
        """The connection to SOPS."""

    @property
    def log(self) -> Any:
        """The log of the task."""


def tell_template_change(start: FlowStart) -> None:
    """Compare a flow's template with its snapshot, and report the changes.

    Calls get_template_info.

    :raises SopsInvalidParameterError: the template has changed and ``on_template_change`` is ``"fail"``.
    """
    source = start.template_source
    template = start.hook.get_template_info(start.template_id, template_source=source, unfold_subprocess=True)
    changes = differences(start.snapshot.tree, PipelineTree(template.pipeline_tree))
    if not changes:
        return
    shown = "; ".join(changes[:_MOST_CHANGES])
    text = f"template {start.template_id} has changed since its snapshot: {shown}"
    if start.on_template_change == "fail":
        raise SopsInvalidParameterError(text, advice="Write the snapshot again with `airflow-sops snapshot`.")
    start.log.warning("%s", log_entry(text))
