"""How much SOPS takes and gives in one call."""

from __future__ import annotations

#: Tasks that one ``get_tasks_status`` may ask about.
BATCH_SIZE = 50
#: Tasks that one ``get_task_list`` gives at most.
PAGE_SIZE = 200
