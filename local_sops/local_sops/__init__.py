"""A BlueKing SOPS for your own machine: its HTTP API on the engine that SOPS itself uses."""

from __future__ import annotations

__version__ = "0.1.0"
