"""Templates in a file that SOPS exported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree.exports import MOST_BYTES, read_export

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_sops.sops.pipeline_tree.exports import Export


def open_export(path: Path) -> Export:
    """Read an export.

    :raises FileNotFoundError: there is no such file.
    :raises SopsInvalidParameterError: it is not an export; the error names the file.
    """
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    try:
        return read_export(content)
    except SopsInvalidParameterError as error:
        raise SopsInvalidParameterError(f"{path}: {error.reason}", advice=error.advice) from error
