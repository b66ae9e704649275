"""The web page: the list of tasks at ``/``, and one page for each task, at its ``task_url``.

It uses the functions that answer the API, so it can do no more than an API caller.
"""

from __future__ import annotations
