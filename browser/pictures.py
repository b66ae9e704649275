"""Pictures for the docs: PNG files, made small."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import FloatRect, Locator, Page

_COLOURS = 256
_MARGIN = 24


class Pictures:
    """A folder of pictures.

    :param folder: made if it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.taken: set[str] = set()

    def take(self, page: Page, name: str, *, last: Locator | None = None) -> None:
        """Store what the window shows as ``<name>.png``.

        :param last: what comes last in the picture; default: all of the window.
        """
        # Airflow moves what comes and goes.
        page.wait_for_timeout(700)
        shot = Image.open(io.BytesIO(page.screenshot(animations="disabled", clip=_down_to(page, last))))
        self._folder.mkdir(parents=True, exist_ok=True)
        # Colours that are rare, as those of states are, stay what they are.
        shot.convert("RGB").quantize(_COLOURS, Image.Quantize.MAXCOVERAGE).save(
            self._folder / f"{name}.png", optimize=True
        )
        self.taken.add(name)


def _down_to(page: Page, last: Locator | None) -> FloatRect | None:
    """Return the upper part of the window, which ends a little below an element."""
    box, window = last.bounding_box() if last else None, page.viewport_size
    if box is None or window is None:
        return None
    return {"x": 0, "y": 0, "width": window["width"], "height": box["y"] + box["height"] + _MARGIN}
