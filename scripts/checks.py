"""Run the parts of ``make lint`` or ``make test``, three at a time, and summarise the results.

Most tests wait more than they compute, so that three parts take little longer than one on 2 cores. A part's output is
shown when it has ended. Every part runs even if an earlier one failed, so one run shows everything; a part whose
environment could not be installed is not run. The exit code is 0 only if nothing failed. A part over its budget is
reported, not failed: machines differ.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENVS = ROOT / ".venvs"
CURRENT = "airflow-3.3.2-py3.11"
OLDEST = "airflow-2.11.2-py3.11"
LOCAL_SOPS = "local-sops"

UNIT = "not integration and not contract"
# These take minutes, and what they try depends on Airflow and on Python, but not on both together.
WITHOUT_HOSTILE = f"{UNIT} and not hostile"

TYPED = ("airflow_provider_sops", "benchmarks", "browser", "demo", "example_dags", "scripts", "tests")
# Airflow 2.11 has few types: much of it is `Any`, so fewer of our `type: ignore` are needed.
LENIENT = (
    "--allow-subclassing-any",
    "--no-warn-return-any",
    "--no-warn-unused-ignores",
    "--allow-untyped-decorators",
)


@dataclass(frozen=True)
class Part:
    """One command of a run.

    :param environment: the program's folder in ``.venvs/``; ``make`` installs it first.
    :param program: a program of that environment.
    :param budget_seconds: how long the part may take on 2 cores next to two others, without its installation.
    :param folder: where it runs, below the project's root.
    :param also_needs: other environments that are installed first.
    """

    name: str
    environment: str
    program: str
    arguments: tuple[str, ...]
    budget_seconds: int
    folder: str = "."
    also_needs: tuple[str, ...] = ()

    @property
    def command(self) -> list[str]:
        """The command line."""
        return [str(VENVS / self.environment / "bin" / self.program), *self.arguments]


@dataclass(frozen=True)
class Outcome:
    """How one part ended."""

    name: str
    verdict: str
    seconds: float
    budget_seconds: int
    failed: bool

    def __str__(self) -> str:
        over = "  over its budget" if self.seconds > self.budget_seconds else ""
        return f"  {self.verdict:8} {self.name:44} {self.seconds:6.0f} s of {self.budget_seconds:4} s{over}"


def _tests(environment: str, selection: str | None, budget_seconds: int) -> Part:
    airflow, python = environment.removeprefix("airflow-").split("-py")
    arguments = ("-m", "pytest", "-q", "tests", *(("-m", selection) if selection else ()))
    name = f"{'unit tests' if selection else 'all tests'}, Airflow {airflow}, Python {python}"
    also_needs = () if selection else (LOCAL_SOPS,)
    return Part(name, environment, "python", arguments, budget_seconds, also_needs=also_needs)


PARTS = {
    "lint": (
        Part("ruff check", CURRENT, "ruff", ("check", "."), 10),
        Part("ruff format", CURRENT, "ruff", ("format", "--check", "."), 10),
        Part("order of imports between packages", CURRENT, "lint-imports", ("--no-cache",), 10),
        Part("mypy, Airflow 3.3.2", CURRENT, "mypy", ("--cache-dir=.mypy_cache/3.3.2", *TYPED), 60),
        Part(
            "mypy, Airflow 2.11.2",
            OLDEST,
            "mypy",
            ("--cache-dir=.mypy_cache/2.11.2", *LENIENT, "airflow_provider_sops"),
            60,
        ),
        Part(
            "mypy, local_sops",
            CURRENT,
            "mypy",
            (f"--python-executable={VENVS / LOCAL_SOPS / 'bin/python'}",),
            40,
            folder="local_sops",
            also_needs=(LOCAL_SOPS,),
        ),
        Part("documentation site", "docs", "python", ("scripts/build_docs.py",), 60),
    ),
    "test": (
        _tests(CURRENT, None, 1700),
        _tests(OLDEST, None, 1700),
        # With the `common.compat` of Airflow's own constraints, which is older.
        _tests("airflow-3.3.2-py3.12", WITHOUT_HOSTILE, 420),
        _tests("airflow-2.11.2-py3.12", WITHOUT_HOSTILE, 420),
        _tests("airflow-3.3.2-py3.13", UNIT, 540),
        Part("local_sops, Python 3.11", LOCAL_SOPS, "python", ("-m", "pytest", "-q"), 400, folder="local_sops"),
        Part("demo", CURRENT, "python", ("-m", "demo"), 90, also_needs=(LOCAL_SOPS,)),
    ),
}
INSTALL_BUDGET_SECONDS = 30
SIDE_BY_SIDE = 3


def _has_python(environment: str) -> bool:
    """Whether the environment's interpreter can be found."""
    version = environment.partition("-py")[2] or "3.11"
    command = [str(ROOT / "scripts/find-python"), version]
    return subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode == 0


def _timed(name: str, command: list[str], budget_seconds: int, folder: str = ".") -> Outcome:
    print(f"begun: {name}", flush=True)
    started = time.monotonic()
    with tempfile.TemporaryFile() as output:
        failed = subprocess.run(
            command,
            cwd=ROOT / folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
        output.seek(0)
        text = output.read().decode(errors="backslashreplace")
    outcome = Outcome(name, "FAILED" if failed else "passed", time.monotonic() - started, budget_seconds, bool(failed))
    # One write, so that the output of parts does not mix.
    print(f"$ {' '.join(command).replace(f'{ROOT}/', '')}\n{text}{outcome}", flush=True)
    return outcome


def _install(environment: str) -> Outcome:
    command = ["make", "--no-print-directory", f".venvs/{environment}/.installed"]
    return _timed(f"install {environment}", command, INSTALL_BUDGET_SECONDS)


def run(parts: tuple[Part, ...], *, pythons_required: bool) -> list[Outcome]:
    """Install what the parts need, once, and run them.

    :param pythons_required: whether a missing Python 3.12 or 3.13 is a failure or only reported.
    """
    environments = dict.fromkeys(each for part in parts for each in (part.environment, *part.also_needs))
    available = [environment for environment in environments if _has_python(environment)]
    installs = {environment: _install(environment) for environment in available}

    def outcome(part: Part) -> Outcome:
        needed = (part.environment, *part.also_needs)
        if not all(environment in installs for environment in needed):
            return Outcome(part.name, "NOT RUN", 0, part.budget_seconds, failed=pythons_required)
        if any(installs[environment].failed for environment in needed):
            return Outcome(part.name, "NOT RUN", 0, part.budget_seconds, failed=True)
        return _timed(part.name, part.command, part.budget_seconds, part.folder)

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        return [*installs.values(), *pool.map(outcome, parts)]


def main() -> int:
    """Run the parts requested on the command line; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", choices=sorted(PARTS))
    outcomes = run(PARTS[parser.parse_args().run], pythons_required=os.environ.get("CI") == "true")
    print("\nSummary:", *outcomes, sep="\n")
    if any(outcome.verdict == "NOT RUN" for outcome in outcomes):
        print("  NOT RUN: no interpreter, or no environment; see the reason above.")
    return int(any(outcome.failed for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
