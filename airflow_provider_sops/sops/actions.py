"""The actions on tasks and nodes, by SOPS's names."""

from __future__ import annotations

#: For ``operate_task``.
TASK_ACTIONS = ("start", "pause", "resume", "revoke")
#: For ``operate_node``.
NODE_ACTIONS = (
    "retry",
    "skip",
    "callback",
    "skip_exg",
    "skip_cpg",
    "pause",
    "resume",
    "pause_subproc",
    "resume_subproc",
    "forced_fail",
    "retry_subprocess",
)
