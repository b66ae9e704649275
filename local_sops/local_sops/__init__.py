"""A BlueKing SOPS for one's own machine: its HTTP API, executed by the engine that SOPS itself runs on."""

from __future__ import annotations

__version__ = "0.1.0"
