"""What the server keeps beside the engine's own tables."""

from __future__ import annotations
