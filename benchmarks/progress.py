"""Progress messages; results are not printed here."""

from __future__ import annotations

import sys
from datetime import datetime


def say(text: str) -> None:
    """Write a line with the time of day to stderr."""
    print(f"{datetime.now().astimezone():%H:%M:%S}  {text}", file=sys.stderr, flush=True)
