"""The web pipeline_tree of SOPS: what a template or a task consists of."""

from __future__ import annotations

from airflow_provider_sops.sops.pipeline_tree.index import TreeIndex, TreeNode
from airflow_provider_sops.sops.pipeline_tree.nodes import NodeKey
from airflow_provider_sops.sops.pipeline_tree.tree import PipelineTree

__all__ = ["NodeKey", "PipelineTree", "TreeIndex", "TreeNode"]
