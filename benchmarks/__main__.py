"""Measure the cost of waiting in Airflow for SOPS tasks, each figure next to its peers.

Names, and minutes of a full run on two cores:

  waits      12  requests, CPU and memory of waiting tasks, and how late their ends are noticed, in real triggerers:
                 SopsTaskTrigger, the trigger of Airflow's HttpSensor, and a plain aiohttp loop per task; then the same
                 for tasks that have just begun
  cache       5  how late ends are noticed where SOPS answers from its caches
  outage      6  what becomes of waits while SOPS is away
  memory      4  whether the memory of a triggerer grows while tasks wait
  parse       1  what a DAG file's parse takes more because it uses the package
  operator   12  how long flows of 1 to 600 seconds wait for Airflow before they begin and after they have ended: waited
                 for in the triggerer and on a worker, asked about every 30 s, and by HttpSensor
  building    4  what a flow's DAG file costs to build, serialise and parse: SopsDag, the same by hand, and made by
                 astronomer-cosmos and dag-factory
  watched     5  a flow of 200 nodes watched in a whole Airflow: worker slots, processor time, requests, and how much
                 longer the run takes than SOPS
  native      3  a flow that Airflow runs by itself, beside the same flow watched: SOPS tasks, time, worker processes
  crowd       6  the waits again, but more than one triggerer takes

Everything runs on this machine, on the loopback address, in folders of its own that are removed at the end. Other busy
programs distort the figures. Tables go to stdout, progress to stderr, every single figure to a JSON file.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import cache, dag_building, memory, native_flow, operator_path, outage, parse, waits, watched_flow
from benchmarks.kinds_of_airflow import KINDS
from benchmarks.patience import OutOfPatienceError
from benchmarks.report import Circumstances, Result, write_json
from benchmarks.scope import FULL, QUICK, Scope
from benchmarks.waiting.deferred_tasks import ROOT, AirflowCommandError, PreparedHomes
from demo.child_process import ChildFailedError
from demo.progress import RunFailedError

if TYPE_CHECKING:
    from collections.abc import Callable

_BENCHMARKS: dict[str, Callable[[PreparedHomes, Scope], Result]] = {
    "waits": waits.run,
    "cache": cache.run,
    "outage": outage.run,
    "memory": memory.run,
    "parse": lambda _homes, scope: parse.run(scope),
    "operator": lambda _homes, scope: operator_path.run(scope),
    "building": lambda _homes, scope: dag_building.run(scope),
    "watched": lambda _homes, scope: watched_flow.run(scope),
    "native": lambda _homes, scope: native_flow.run(scope),
    "crowd": waits.run_crowd,
}
_EXPECTED_ERRORS = (AirflowCommandError, ChildFailedError, OutOfPatienceError, RunFailedError)
_EXAMPLES = """\
examples:
  make bench                                         everything
  make bench BENCH="--quick"                         everything on a small scale, in ten minutes
  make bench BENCH="waits --waits 1000 --repeats 1"  one comparison, in two minutes
  make bench BENCH="waits outage --interval 30"      with other intervals between questions
  make bench BENCH="operator --airflow celery" BENCH_ENVIRONMENT=airflow-3.3.2-py3.11-cluster
                                                     on PostgreSQL, with a Celery worker
"""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="which to run (default: all)")
    parser.add_argument("--quick", action="store_true", help="fewer waits, once: shows that all of it works")
    parser.add_argument(
        "--repeats",
        type=int,
        metavar="N",
        help=f"trials for each median (default: {FULL.repeats}; of watched, native and crowd {FULL.slow_repeats})",
    )
    parser.add_argument(
        "--waits",
        type=int,
        nargs="+",
        metavar="N",
        help=f"numbers of waits (default: {' '.join(map(str, FULL.waits))}); others than waits use the greatest that"
        " fits into one triggerer",
    )
    parser.add_argument(
        "--interval",
        type=float,
        metavar="SECONDS",
        help=f"how often each wait asks (default: {FULL.interval_seconds:g}, the operators' own default)",
    )
    parser.add_argument(
        "--airflow",
        choices=KINDS,
        default=FULL.airflow,
        help="database and executor of the Airflow in which operator is measured (default: %(default)s); others than"
        " sqlite need the extra cluster",
    )
    parser.add_argument(
        "--json",
        type=Path,
        default=ROOT / "build/benchmarks.json",
        metavar="FILE",
        help="where to write all figures (default: build/benchmarks.json)",
    )
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(_BENCHMARKS))
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are: {', '.join(_BENCHMARKS)}")
    positive = (arguments.repeats, arguments.interval, *(arguments.waits or ()))
    if any(number is not None and number <= 0 for number in positive):
        parser.error("numbers and seconds must be greater than 0")
    return arguments


def _scope(arguments: argparse.Namespace) -> Scope:
    scope = QUICK if arguments.quick else FULL
    return replace(
        scope,
        repeats=arguments.repeats or scope.repeats,
        slow_repeats=arguments.repeats or scope.slow_repeats,
        waits=tuple(arguments.waits or scope.waits),
        interval_seconds=arguments.interval or scope.interval_seconds,
        airflow=arguments.airflow,
    )


def main() -> int:
    """Run the benchmarks named on the command line; return the exit code."""
    arguments = _arguments()
    scope = _scope(arguments)
    # `kill` ends the benchmarks like Ctrl-C: with everything that they started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    circumstances = Circumstances()
    print(circumstances, flush=True)
    results: dict[str, Result] = {}
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        # The hook that starts flows is Airflow's too.
        os.environ["AIRFLOW_HOME"] = f"{folder}/own_home"
        homes = PreparedHomes(Path(folder))
        for name in arguments.names or _BENCHMARKS:
            began = time.monotonic()
            try:
                results[name] = _BENCHMARKS[name](homes, scope)
            except _EXPECTED_ERRORS as error:
                print(f"\n{name}: {error}", file=sys.stderr)
                return 1
            print(f"\n== {name} ({time.monotonic() - began:.0f} s)\n\n{results[name]}", flush=True)
            write_json(arguments.json, circumstances, results)
    targets = [target for result in results.values() for target in result.targets]
    print(f"\n{sum(target.is_met for target in targets)} of {len(targets)} targets met. All figures: {arguments.json}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("stopped")
