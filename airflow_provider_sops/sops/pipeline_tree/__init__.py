"""The web pipeline_tree of SOPS: what a template or a task consists of."""

from __future__ import annotations

from airflow_provider_sops.sops.pipeline_tree.index import TreeIndex, TreeNode

__all__ = ["TreeIndex", "TreeNode"]
