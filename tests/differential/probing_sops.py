"""A local_sops with the plugin that the drawn flows use."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from demo.local_sops import start_local_sops

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.local_sops import LocalSops

_PLUGINS = Path(__file__).with_name("plugins")


@contextmanager
def run_probing_sops(command: str, folder: Path) -> Iterator[LocalSops]:
    """Run one for as long as the context lasts.

    :param command: path of the program ``local-sops``.
    :param folder: gets its data and its log.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sops = start_local_sops(
        command,
        data_folder=folder / "data",
        log_path=folder / "local_sops.log",
        environment=os.environ,
        options=("--plugins", str(_PLUGINS)),
    )
    try:
        yield sops
        sops.process.check()
    finally:
        sops.process.stop()
