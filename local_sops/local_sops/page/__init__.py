"""The page for people: the list of tasks at ``/``, and one page for each task, where its ``task_url`` leads.

What it shows and does it gets from the functions that answer the API, so that it can do no more than a caller can.
"""

from __future__ import annotations
