"""SOPS's limits for one call."""

from __future__ import annotations

#: The most tasks that one ``get_tasks_status`` accepts.
BATCH_SIZE = 50
#: The most tasks that one ``get_task_list`` returns.
PAGE_SIZE = 200
