"""Plans: tasks that SOPS starts automatically, repeatedly (periodic) or once (clocked)."""

from __future__ import annotations
