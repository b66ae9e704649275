"""Pictures for the docs: PNG files, made small."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

_COLOURS = 256


class Pictures:
    """A folder of pictures.

    :param folder: made if it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.taken: set[str] = set()

    def take(self, page: Page, name: str) -> None:
        """Store what the window shows as ``<name>.png``."""
        # Airflow moves what comes and goes.
        page.wait_for_timeout(700)
        shot = Image.open(io.BytesIO(page.screenshot(animations="disabled")))
        self._folder.mkdir(parents=True, exist_ok=True)
        # Colours that are rare, as those of states are, stay what they are.
        shot.convert("RGB").quantize(_COLOURS, Image.Quantize.MAXCOVERAGE).save(
            self._folder / f"{name}.png", optimize=True
        )
        self.taken.add(name)
