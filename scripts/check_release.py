"""Build the sdist and the wheel as they are published, check them, and run the wheel in fresh Airflows.

Everything is below ``build/release``. What runs there is the unpacked sdist without the package itself, so that only
the installed wheel can be imported. Each Airflow has what the wheel requires and nothing else, in the versions of
``constraints/``. Airflow 3 runs the demo; Airflow 2 has no such parts and runs the demo's DAG by ``airflow dags test``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "release"
PACKAGE = "airflow_provider_sops"
AIRFLOWS = ("3.3.2", "2.11.2")
PYTHON = "3.11"
UV = ROOT / ".venvs/tools/bin/uv"
LOCAL_SOPS = ROOT / ".venvs/local-sops/bin/local-sops"
_DAG_ID = "sops_run_task"
_WHERE = f"import {PACKAGE}; print({PACKAGE}.__file__)"


class ReleaseError(Exception):
    """What would be published does not do what it should."""


@dataclass(frozen=True)
class Distributions:
    """What is published."""

    wheel: Path
    sdist: Path


def run(*command: str | Path, folder: Path = ROOT, environment: dict[str, str] | None = None) -> str:
    """Run a program, show its output and return it.

    :param environment: variables that join this process's; variables of an Airflow are left out of these.
    :raises ReleaseError: it failed.
    """
    words = [str(word) for word in command]
    print(f"$ {' '.join(words).replace(f'{ROOT}/', '')}", flush=True)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON"))}
    done = subprocess.run(
        words,
        cwd=folder,
        env=inherited | (environment or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(done.stdout, flush=True)
    if done.returncode:
        raise ReleaseError(f"{words[0]} ended with exit code {done.returncode}; its output is above.")
    return done.stdout


def tool(name: str) -> Path:
    """Return a program of the environment that this runs in."""
    return Path(sys.executable).with_name(name)


def build() -> Distributions:
    """Build the sdist, and the wheel from it, with the pinned backend, and check both."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    folder = FOLDER / "dist"
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    run(tool("twine"), "check", "--strict", sdist, wheel)
    run(tool("check-wheel-contents"), wheel)
    print(f"{wheel.name}: {wheel.stat().st_size / 1000:.0f} kB\n")
    return Distributions(wheel, sdist)


def unpack(sdist: Path) -> Path:
    """Unpack the sdist without the package; return the folder."""
    folder = FOLDER / "sdist"
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (checkout,) = folder.iterdir()
    shutil.rmtree(checkout / PACKAGE)
    # The demo starts local_sops from there.
    (checkout / ".venvs").symlink_to(ROOT / ".venvs")
    return checkout


def install(airflow: str, wheel: Path) -> Path:
    """Install an Airflow and the wheel under constraints; return the folder of the programs."""
    venv = FOLDER / f"airflow-{airflow}"
    constraints = ROOT / f"constraints/airflow-{airflow}-py{PYTHON}.txt"
    run(UV, "venv", "--quiet", "--python", sys.executable, venv)
    run(
        *(UV, "pip", "install", "--quiet", "--python", venv, "--constraints", constraints),
        *(f"apache-airflow=={airflow}", wheel),
    )
    run(UV, "pip", "check", "--python", venv)
    return venv / "bin"


def check_installed(programs: Path, checkout: Path, home: Path) -> None:
    """Check that Airflow knows the installed provider, and that the checkout's code is out of reach.

    :raises ReleaseError: it does not.
    """
    environment = {"AIRFLOW_HOME": str(home)}
    place = run(programs / "python", "-c", _WHERE, folder=checkout).strip()
    if not Path(place).is_relative_to(programs.parent):
        raise ReleaseError(f"{PACKAGE} was imported from {place}, which is not the installed wheel.")
    if "airflow-provider-sops" not in run(programs / "airflow", "providers", "list", environment=environment):
        raise ReleaseError("Airflow does not list the provider airflow-provider-sops.")
    run(programs / "airflow-sops", "--help", environment=environment)


def run_dag(programs: Path, checkout: Path, home: Path) -> None:
    """Run the demo's DAG by ``airflow dags test`` against local_sops.

    :raises ReleaseError: the run did not succeed.
    """
    sys.path.insert(0, str(checkout))
    from demo.local_sops import start_local_sops

    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON"))}
    sops = start_local_sops(
        str(LOCAL_SOPS), data_folder=home / "local_sops", log_path=home / "local_sops.log", environment=environment
    )
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(checkout / "example_dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_CONN_SOPS_DEFAULT": sops.connection_json(),
    }
    try:
        run(programs / "airflow", "db", "migrate", folder=checkout, environment=settings)
        printed = run(programs / "airflow", "dags", "test", _DAG_ID, folder=checkout, environment=settings)
    finally:
        sops.process.stop()
    if not re.search("DagRun Finished:.*state=success", printed):
        raise ReleaseError(f"The run of {_DAG_ID} did not succeed; its output is above.")


def main() -> int:
    """Check what would be published; return 1 if something is wrong."""
    try:
        distributions = build()
        checkout = unpack(distributions.sdist)
        for airflow in AIRFLOWS:
            programs = install(airflow, distributions.wheel)
            home = FOLDER / f"home-{airflow}"
            check_installed(programs, checkout, home)
            if airflow.startswith("2."):
                run_dag(programs, checkout, home)
            else:
                run(programs / "python", "-m", "demo", folder=checkout)
    except ReleaseError as error:
        print(error, file=sys.stderr)
        return 1
    folder = (FOLDER / "dist").relative_to(ROOT)
    print(f"The wheel works with Airflow {' and '.join(AIRFLOWS)}. It and the sdist are in {folder}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
