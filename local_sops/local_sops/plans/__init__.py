"""Plans: tasks that SOPS starts by itself, again and again (periodic) or once (clocked)."""

from __future__ import annotations
