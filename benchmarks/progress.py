"""What is going on, for whoever watches; figures do not come this way."""

from __future__ import annotations

import sys
from datetime import datetime


def say(text: str) -> None:
    """Write a line with the time of day to stderr."""
    print(f"{datetime.now().astimezone():%H:%M:%S}  {text}", file=sys.stderr, flush=True)
