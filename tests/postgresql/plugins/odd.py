"""Puts out what JSON can carry and databases refuse, or fails with such a text; as a script's log may hold it."""

from __future__ import annotations

import math
from typing import Any

VERSION = "1.0"
INPUTS = {"succeed": ("boolean", "whether it succeeds")}
OUTPUTS = {"odd": ("object", "one value of each kind")}


def execute(inputs: dict[str, Any], outputs: dict[str, Any]) -> None:
    """Succeed or fail as told; also a run that fails has outputs."""
    deep: Any = "core"
    for _ in range(250):
        deep = [deep]
    outputs["odd"] = {
        "nul": "binary \0 rubbish",
        "key \0": 1,
        "key ␀": 2,
        "half a pair": "disk \ud800 full",
        "numbers": [math.nan, math.inf, -math.inf, 10**30, -(10**30)],
        "deep": deep,
        "reserved": {
            "__classname__": "builtins.int",
            "__version__": 1,
            "__id__": 2,
            "old": {"__type": "set", "__var": 3},
        },
    }
    if not inputs["succeed"]:
        raise RuntimeError(outputs["odd"]["nul"])
