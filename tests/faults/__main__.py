"""``python -m tests.faults``: the long campaign."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import tempfile
from pathlib import Path
from typing import TextIO

_ROOT = Path(__file__).resolve().parent.parent.parent


def main() -> int:
    """Run it; the exit code is 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--runs", type=int, default=2000, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="default: any")
    parser.add_argument("--only", type=int, help="replay one run of the seed")
    parser.add_argument("--at-once", type=int, default=10, help="runs at the same time (default: %(default)s)")
    options = parser.parse_args()
    command = os.environ.get("LOCAL_SOPS_COMMAND", str(_ROOT / ".venvs/local-sops/bin/local-sops"))
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        # Airflow reads its home when it is first imported.
        os.environ["AIRFLOW_HOME"] = folder
        from tests.faults.campaign import Campaign

        numbers = range(options.runs) if options.only is None else [options.only]
        campaign = Campaign(options.seed, command=command, folder=Path(folder) / "sops", at_once=options.at_once)
        result = campaign.run(numbers, tell=lambda text: _write(sys.stderr, text))
    _write(sys.stdout, result.summary)
    return 1 if result.violations else 0


def _write(stream: TextIO, text: str) -> None:
    stream.write(f"{text}\n")
    stream.flush()


if __name__ == "__main__":
    sys.exit(main())
