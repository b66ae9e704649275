"""Property tests draw the same examples in every run, however slow the machine."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("same-everywhere", derandomize=True, database=None, deadline=None)
settings.load_profile("same-everywhere")
