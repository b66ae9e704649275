"""The server's own tables, in addition to the engine's."""

from __future__ import annotations
