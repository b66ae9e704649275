"""One server per data folder: two would both run what is in it."""

from __future__ import annotations

import fcntl
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from pathlib import Path


class DataFolderInUseError(Exception):
    """Another server runs on the folder."""


def claim_data_folder(data_folder: Path) -> TextIO:
    """Take a data folder, made if missing, for this process.

    :returns: the claim, which lasts until it is closed or the process ends, however it ends.
    :raises DataFolderInUseError: another process has it.
    :raises OSError: it cannot be made or written.
    """
    data_folder.mkdir(parents=True, exist_ok=True)
    claim = (data_folder / "local_sops.lock").open("a")
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        claim.close()
        raise DataFolderInUseError(f"another local-sops runs on {data_folder}") from None
    return claim
