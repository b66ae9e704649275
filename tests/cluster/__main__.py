"""``python -m tests.cluster``: kill the parts of a cluster in turn and judge by what ran in SOPS.

Starts PostgreSQL, Redis, local_sops behind a gateway, and an Airflow with CeleryExecutor: an API server, a DAG
processor, two schedulers, two workers and two triggerers, each with a host name of its own. Each round triggers six
DAGs that run and wait for flows in every way, kills parts with -9, upgrades them, or keeps SOPS out of reach for a
while, waits for the end, and looks into SOPS's own database: what was started twice, is alive and belongs to nobody,
was lost, hangs, was revoked, or failed in Airflow though it has finished in SOPS. An outage of SOPS alone must cost no
try. The exit code is 1 if anything was found. Everything is on loopback, below one temporary folder, and ends with this
program. It needs about 4 GB of memory and two cores.
"""

from __future__ import annotations

import argparse
import secrets
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.progress import say
from benchmarks.report import Table
from demo.airflow_processes import PortTakenError
from demo.child_process import ChildFailedError
from tests.cluster.cluster import ClusterOptions, run_cluster
from tests.cluster.judge import Fault
from tests.cluster.plan import Theme, plan_round
from tests.cluster.rounds import Round

if TYPE_CHECKING:
    from tests.cluster.cluster import Cluster
    from tests.cluster.rounds import RoundResult

_OLDER_VERSION = "79d7539"


def main() -> int:
    """Run the rounds; return the exit code."""
    options = _parser().parse_args()
    # So that everything is ended when this program is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(tempfile.mkdtemp(prefix="cluster-", dir="/tmp"))
    cluster_options = ClusterOptions(
        folder, options.first_port, options.worker_slots, options.flows, options.upgrade_from
    )
    say(f"seed {options.seed}; all logs are in {folder}")
    results: list[RoundResult] = []
    try:
        with run_cluster(cluster_options, say) as cluster:
            if options.keep_running:
                _wait_for_interrupt()
            else:
                _run_rounds(cluster, options, results)
    except (ChildFailedError, PortTakenError) as error:
        say(f"the cluster failed: {error}")
        return 2
    except KeyboardInterrupt:
        say("interrupted")
    finally:
        if results:
            sys.stdout.write(f"{_table(results, options.seed)}\n")
    findings = sum(len(result.findings) for result in results)
    if not findings and not options.keep_logs:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if findings else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.cluster", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--rounds", type=int, default=len(Theme), help="how many, two to four minutes each (default: %(default)s)")
    add(
        "--themes",
        nargs="+",
        type=Theme,
        choices=tuple(Theme),
        default=tuple(Theme),
        help="what they are about, in turn",
    )
    add("--minutes", type=float, default=60, help="start no round after so many (default: %(default)g)")
    add("--seed", type=int, default=secrets.randbelow(10**6), help="of kills and moments (default: any)")
    add("--flows", type=int, default=8, help="flows of the largest DAG (default: %(default)s)")
    add("--worker-slots", type=int, default=6, help="tasks at once on each worker (default: %(default)s)")
    add("--limit-seconds", type=float, default=420, help="then a round's task is stuck (default: %(default)g)")
    add(
        "--upgrade-from",
        default=_OLDER_VERSION,
        metavar="COMMIT",
        help="in one of the rounds, workers and triggerers are upgraded from it (default: %(default)s); '' for none",
    )
    add("--first-port", type=int, default=18300, help="of six in a row (default: %(default)s)")
    add("--keep-running", action="store_true", help="no rounds: leave the cluster to you until Ctrl-C")
    add("--keep-logs", action="store_true", help="keep the folder even if nothing was found")
    return parser


def _run_rounds(cluster: Cluster, options: argparse.Namespace, results: list[RoundResult]) -> None:
    themes = [theme for theme in options.themes if theme is not Theme.UPGRADE or cluster.older_path]
    last_start = time.monotonic() + options.minutes * 60
    for number in range(1, options.rounds + 1):
        if time.monotonic() > last_start:
            say(f"{options.minutes:g} minutes are over: no further round")
            break
        plan = plan_round(options.seed, number, themes)
        result = Round(cluster, plan, options.limit_seconds).run()
        results.append(result)
        for finding in result.findings:
            say(f"round {number}: FOUND {finding.fault}: {finding.text}")
        say(f"round {number}: " + ", ".join(f"{heading} {cell}" for heading, cell in result.row().items()))
        calls = sorted(result.requests.items(), key=lambda item: -item[1])
        say(f"round {number}: requests: " + ", ".join(f"{count} {call}" for call, count in calls))


def _table(results: list[RoundResult], seed: int) -> Table:
    totals = {str(fault): sum(each.fault is fault for result in results for each in result.findings) for fault in Fault}
    kills = sum(len(result.plan.blows) for result in results)
    instances = sum(result.instances for result in results)
    found = ", ".join(f"{count} {name}" for name, count in totals.items())
    return Table(
        f"{len(results)} rounds of seed {seed}",
        [result.row() for result in results],
        [f"{instances} task instances, {kills} parts killed or upgraded: {found}"],
    )


def _wait_for_interrupt() -> None:
    say("the cluster is yours until Ctrl-C")
    while True:
        time.sleep(60)


if __name__ == "__main__":
    sys.exit(main())
