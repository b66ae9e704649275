"""Puts out what it is given, after a while, and fails in the runs that it is told to fail in."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import Any

VERSION = "1.0"
INPUTS = {
    "value": ("string", "its output; of any type"),
    "delay_seconds": ("float", "how long it takes"),
    "failing_runs": ("array", "numbers of the runs that fail, retries and rounds alike, counted from 1"),
    "counted_as": ("string", "names the node, and the task that it is in"),
}
OUTPUTS = {"value": ("string", "what it was given"), "run": ("int", "how often it has run")}

_runs: Counter[str] = Counter()
_lock = threading.Lock()


def execute(inputs: dict[str, Any], outputs: dict[str, Any]) -> None:
    """Run once; also a run that fails has outputs."""
    with _lock:
        _runs[inputs["counted_as"]] += 1
        run = _runs[inputs["counted_as"]]
    time.sleep(inputs["delay_seconds"])
    outputs["value"] = inputs["value"]
    outputs["run"] = run
    if run in inputs["failing_runs"]:
        raise RuntimeError(f"run {run} fails")
