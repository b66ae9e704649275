"""Succeeds or fails, as its input says: retry the failed node with other inputs to repair the flow."""

from __future__ import annotations

from typing import Any

NAME = "Fail on demand"
VERSION = "1.0"
INPUTS = {
    "succeed": ("boolean", "whether the node succeeds"),
    "reason": ("string", "what a failed node says"),
}
OUTPUTS = {"message": ("string", "what a node that succeeded says")}
REPEATABLE = True


def execute(inputs: dict[str, Any], outputs: dict[str, Any]) -> None:
    """Fail unless told to succeed; a text counts as true only if it says so."""
    if str(inputs.get("succeed", True)).lower() not in ("true", "1", "yes"):
        raise RuntimeError(inputs.get("reason") or "told to fail")
    outputs["message"] = "all is well"
