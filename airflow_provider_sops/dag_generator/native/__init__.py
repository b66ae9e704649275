"""A SOPS flow that Airflow runs: every region of its tree is a task that runs as a SOPS task of its own.

``builder`` turns a tree into tasks, which ``built_tasks`` connects. ``region_task`` runs a region, and lets the flow go
on where SOPS decides; ``level_tasks`` are the first and last tasks of the flow and of its subprocesses,
``gateway_tasks`` those that run nothing in SOPS. ``level_values`` says where a task finds the outputs of others,
``suitability`` what Airflow cannot run.
"""
