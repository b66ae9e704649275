"""Web trees (``pipeline_tree`` as the API speaks it): pure functions from dict to dict."""

from __future__ import annotations

from typing import Any

Tree = dict[str, Any]
"""A ``pipeline_tree`` as in get_template_info, create_task and get_task_detail."""


class InvalidTreeError(Exception):
    """A tree that cannot become a task; the text is SOPS's."""
