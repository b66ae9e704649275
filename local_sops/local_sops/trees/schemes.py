"""Execution schemes: named selections among a template's optional nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from local_sops.template_folder import Template


def excluded_by_schemes(template: Template, wanted: Any) -> list[str]:
    """List the optional nodes that no scheme keeps.

    :param wanted: ``"<template id>-<name>"``, a scheme's number among the template's, or a list of these.
    """
    wanted = wanted if isinstance(wanted, list) else [wanted]
    kept: set[str] = set()
    for number, scheme in enumerate(template.schemes, start=1):
        if scheme.id in wanted or number in wanted:
            kept.update(scheme.node_ids)
    activities = template.tree["activities"]
    return [node_id for node_id, node in activities.items() if node["optional"] and node_id not in kept]
