"""A SOPS flow that Airflow runs: every region of its tree is a task that runs as a SOPS task of its own.

``builder`` turns a tree into tasks. ``region_task`` runs a region, ``deciding_region`` one that decides which way the
flow goes, ``level_tasks`` are the tasks at the borders of the flow and of its subprocesses, and ``level_values`` tells
where a task finds what others have put out.
"""
