"""A local_sops with the plugin that the drawn flows use."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.aged_sops import DEFAULT_AGE, run_local_sops

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.local_sops import LocalSops

_PLUGINS = Path(__file__).with_name("plugins")


@dataclass(frozen=True)
class ProbingSops:
    """A local_sops with the plugin.

    :param templates: its folder of templates: what is written there, it has.
    """

    sops: LocalSops
    templates: Path


@contextmanager
def run_probing_sops(folder: Path, age: str = DEFAULT_AGE) -> Iterator[ProbingSops]:
    """Run one for as long as the context lasts.

    :param folder: gets its data, its templates and its log.
    :param age: of SOPS.
    """
    templates = folder / "templates"
    templates.mkdir(parents=True, exist_ok=True)
    with run_local_sops(folder, "--plugins", str(_PLUGINS), "--templates", str(templates), "--server", age) as sops:
        yield ProbingSops(sops, templates)
