"""``python -m tests.faults``: the long campaign."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import tempfile
from pathlib import Path
from typing import TextIO

from tests.aged_sops import AGES, DEFAULT_AGE, local_sops_command


def main() -> int:
    """Run it; the exit code is 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--runs", type=int, default=2000, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="default: any")
    parser.add_argument("--only", type=int, help="replay one run of the seed")
    parser.add_argument("--at-once", type=int, default=10, help="runs at the same time (default: %(default)s)")
    parser.add_argument("--server", choices=AGES, default=DEFAULT_AGE, help="the age of SOPS (default: %(default)s)")
    options = parser.parse_args()
    command = local_sops_command()
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        # Airflow reads its home when it is first imported.
        os.environ["AIRFLOW_HOME"] = folder
        from tests.faults.campaign import Campaign

        numbers = range(options.runs) if options.only is None else [options.only]
        folder_of_sops = Path(folder) / "sops"
        campaign = Campaign(
            options.seed, command=command, folder=folder_of_sops, at_once=options.at_once, age=options.server
        )
        result = campaign.run(numbers, tell=lambda text: _write(sys.stderr, text))
    _write(sys.stdout, result.summary)
    return 1 if result.violations else 0


def _write(stream: TextIO, text: str) -> None:
    stream.write(f"{text}\n")
    stream.flush()


if __name__ == "__main__":
    sys.exit(main())
