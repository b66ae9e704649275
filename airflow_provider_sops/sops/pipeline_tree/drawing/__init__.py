"""A tree as a picture: one pure function from a tree, and what is known of its nodes, to the text of an SVG file."""

from __future__ import annotations

from airflow_provider_sops.sops.pipeline_tree.drawing.svg import draw

__all__ = ["draw"]
