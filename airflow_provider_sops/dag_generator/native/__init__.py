"""A SOPS flow that Airflow runs: every region of its tree is a task that runs as a SOPS task of its own.

``builder`` turns a tree into tasks. ``region_task`` runs a region, and lets the flow go on where SOPS decides;
``level_tasks`` are the tasks at the borders of the flow and of its subprocesses, ``gateway_tasks`` those that run
nothing in SOPS. ``level_values`` says where a task finds what others put out, ``suitability`` what Airflow cannot
run.
"""
