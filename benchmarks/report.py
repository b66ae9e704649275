"""A benchmark's results, as text for people and as JSON for programs."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

#: Cells by heading.
Row = Mapping[str, str | float]

_DISTRIBUTIONS = (
    "apache-airflow",
    "airflow-provider-sops",
    "apache-airflow-providers-http",
    "aiohttp",
)


@dataclass(frozen=True)
class Table:
    """Figures.

    :param rows: all have the same headings, which name the units.
    :param notes: explanations of the figures.
    """

    title: str
    rows: Sequence[Row]
    notes: Sequence[str] = ()

    def __str__(self) -> str:
        headings = list(self.rows[0])
        lines = [headings, *([_cell(row[heading]) for heading in headings] for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        text = [self.title, ""]
        for line in lines:
            first, *others = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            text.append("  " + "  ".join([first, *(other.strip().rjust(len(other)) for other in others)]).rstrip())
        return "\n".join([*text, *(f"  {note}" for note in self.notes)])


@dataclass(frozen=True)
class Target:
    """A target, and whether this run met it.

    :param limit: what ``value`` must not exceed.
    """

    promise: str
    value: float
    limit: float

    @property
    def is_met(self) -> bool:
        """Whether the value is within the limit; one that is not a number is not."""
        return self.value <= self.limit

    def __str__(self) -> str:
        verdict = "met" if self.is_met else "MISSED"
        return f"  {verdict:6}  {self.promise}: {_cell(self.value)} (at most {_cell(self.limit)})"


@dataclass(frozen=True)
class Result:
    """What one benchmark found.

    :param details: everything that the tables are made of, as plain JSON data.
    """

    tables: Sequence[Table]
    targets: Sequence[Target] = ()
    details: Any = None

    def __str__(self) -> str:
        parts = [str(table) for table in self.tables]
        if self.targets:
            parts.append("\n".join(["Targets", "", *map(str, self.targets)]))
        return "\n\n".join(parts)


@dataclass(frozen=True)
class Circumstances:
    """Where and when figures were taken.

    :param load_average: of the minute before: how busy other programs kept the machine.
    """

    date: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    machine: str = field(default_factory=lambda: _machine())
    load_average: float = field(default_factory=lambda: os.getloadavg()[0])
    system: str = field(default_factory=lambda: f"{platform.system()} {platform.release()}")
    python: str = field(default_factory=platform.python_version)
    distributions: Mapping[str, str] = field(default_factory=lambda: {name: version(name) for name in _DISTRIBUTIONS})

    def __str__(self) -> str:
        versions = ", ".join(f"{name} {number}" for name, number in self.distributions.items())
        where = f"{self.machine} (load average before {self.load_average:.1f}), {self.system}"
        return f"{self.date}; {where}\nPython {self.python}, {versions}"


def medians_of(repeats: int) -> str:
    """Return how often the figures of a table were measured, as the beginning of a note."""
    return f"Medians of {repeats}" if repeats > 1 else "Measured once"


def write_json(path: Path, circumstances: Circumstances, results: Mapping[str, Result]) -> None:
    """Write all that was found to a file; its folder is made if missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"circumstances": asdict(circumstances), "results": {name: asdict(one) for name, one in results.items()}}
    path.write_text(json.dumps(_json_values(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def _json_values(value: Any) -> Any:
    """Return the same with null for what is not a number, which JSON cannot say."""
    if isinstance(value, Mapping):
        return {str(key): _json_values(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_values(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _cell(value: str | float) -> str:
    """Return a number with three significant digits, a text as it is."""
    if isinstance(value, str):
        return value
    if math.isnan(value):
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    models = [line for line in _read_lines("/proc/cpuinfo") if line.startswith("model name")]
    model = models[0].partition(":")[2].strip() if models else platform.machine()
    return f"{os.cpu_count()} cores of {model}, {memory:.0f} GiB"


def _read_lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
