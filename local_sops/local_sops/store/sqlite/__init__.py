"""Django's SQLite backend, tuned for the many threads of one server."""

from __future__ import annotations
