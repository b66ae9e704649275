"""One server per data folder: two would both run its tasks."""

from __future__ import annotations

import fcntl
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from pathlib import Path


class DataFolderInUseError(Exception):
    """Another server is using the folder."""


def claim_data_folder(data_folder: Path) -> TextIO:
    """Claim a data folder for this process; it is created if missing.

    :returns: the claim, which lasts until it is closed or the process ends, however it ends.
    :raises DataFolderInUseError: another process has it.
    :raises OSError: it cannot be created or written.
    """
    data_folder.mkdir(parents=True, exist_ok=True)
    claim = (data_folder / "local_sops.lock").open("a")
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        claim.close()
        raise DataFolderInUseError(f"another local-sops is using {data_folder}") from None
    return claim
