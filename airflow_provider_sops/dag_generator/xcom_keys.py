"""XCom keys of the tasks of a flow, besides those of every SOPS operator."""

from __future__ import annotations

#: Ids that the SOPS task's nodes have, by ``key_text`` of the node in the template; pushed by ``start``.
NODE_PATHS_XCOM_KEY = "sops_node_paths"
#: ``key_text`` of the subprocesses that run as SOPS tasks of their own; pushed by ``start`` if there are any.
INDEPENDENT_XCOM_KEY = "sops_independent_subprocesses"
#: What SOPS says about a node at its end; pushed by its mirror.
NODE_XCOM_KEY = "sops_node"
#: The same about each node of a loop or a subprocess that is one task; pushed by that task.
NODES_XCOM_KEY = "sops_nodes"
