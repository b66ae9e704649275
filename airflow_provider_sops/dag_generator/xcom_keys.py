"""XCom keys of a flow's tasks, in addition to those of every SOPS operator."""

from __future__ import annotations

#: Ids of the SOPS task's nodes, by ``key_text`` of the template's node; pushed by ``start``.
NODE_PATHS_XCOM_KEY = "sops_node_paths"
#: ``key_text`` of the subprocesses that run as separate SOPS tasks; pushed by ``start`` if there are any.
INDEPENDENT_XCOM_KEY = "sops_independent_subprocesses"
#: SOPS's data about a node at its end; pushed by its mirror.
NODE_XCOM_KEY = "sops_node"
#: The same about each node of a loop or a subprocess that is one task; pushed by that task.
NODES_XCOM_KEY = "sops_nodes"
