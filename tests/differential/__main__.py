"""``python -m tests.differential``: the long comparison of random flows."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import tempfile
import traceback
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from tests.aged_sops import AGES, DEFAULT_AGE


def main() -> int:
    """Run it; the exit code is 1 if there was a difference."""
    parser = argparse.ArgumentParser(prog="python -m tests.differential", description=__doc__)
    parser.add_argument("--trees", type=int, default=300, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="default: any")
    parser.add_argument("--only", type=int, help="try one tree of the seed again")
    parser.add_argument("--server", choices=AGES, default=DEFAULT_AGE, help="the age of SOPS (default: %(default)s)")
    parser.add_argument("--most-nodes", type=int, default=12, help="in one tree (default: %(default)s)")
    parser.add_argument("--mapped", action="store_true", help="run the flows in mapped task groups")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="differential-")))
        # Airflow reads its home and its settings when it is first imported.
        os.environ["AIRFLOW_HOME"] = str(folder / "airflow")
        os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
        (folder / "airflow/dags").mkdir(parents=True)
        terminal = stack.enter_context(os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1))
        if options.only is None:
            # What Airflow and the tasks write would bury the lines that matter.
            _write_into(folder / "airflow.log")
        try:
            return _run(options, folder, terminal)
        except Exception:
            terminal.write(traceback.format_exc())
            raise


def _run(options: argparse.Namespace, folder: Path, terminal: TextIO) -> int:
    from tests.differential.campaign import run

    def tell(text: str) -> None:
        terminal.write(f"{text}\n")

    summary, differ = run(
        options.seed,
        range(options.trees) if options.only is None else [options.only],
        most_nodes=options.most_nodes,
        age=options.server,
        mapped=options.mapped,
        folder=folder / "sops",
        tell=tell,
    )
    tell(summary)
    return 1 if differ else 0


def _write_into(log: Path) -> None:
    with log.open("ab") as file:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(file.fileno(), stream.fileno())


if __name__ == "__main__":
    sys.exit(main())
