"""Read the SQLite databases of running programs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def read_rows(path: Path, query: str, *parameters: str) -> list[tuple[Any, ...]]:
    """Return the rows of a read-only query."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as database:
        return database.execute(query, parameters).fetchall()


def epoch_seconds(text: str) -> float:
    """Read a time in UTC: Airflow and local_sops store it without a zone, Airflow's API writes it with one."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
