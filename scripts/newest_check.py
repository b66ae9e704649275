"""Try today's newest versions of everything, Airflow included, without touching the pinned ones.

Resolves ``pyproject.toml`` into ``build/newest/``, prints which versions differ from those in ``constraints/``,
installs them, and runs the linters and the unit tests on them. The exit code is 0 only if all of these pass.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "newest"
UV = str(ROOT / ".venvs/tools/bin/uv")
PINNED = "airflow-3.3.2-py{}.txt"
# The part of the tests that starts no other program and takes minutes, not half an hour.
UNIT_TESTS = "not integration and not contract and not hostile"
TYPED = ("airflow_provider_sops", "scripts", "tests")


def pins(text: str) -> dict[str, str]:
    """Return the versions in a file of constraints, by name."""
    return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE))


def differences(pinned: Mapping[str, str], newest: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each package whose version is another one, or that one of the two does not have."""
    for name in sorted({*pinned, *newest}):
        before, now = pinned.get(name, "-"), newest.get(name, "-")
        if before != now:
            yield f"  {name:45} {before:>15} -> {now}"


def run(*command: str, check: bool = True) -> int:
    """Run a program and show its command line; return its exit code."""
    print(f"$ {' '.join(command).replace(f'{ROOT}/', '')}", flush=True)
    return subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, check=check).returncode


def resolve(python: str) -> Path:
    """Resolve the newest versions for a version of Python; return their file."""
    file = FOLDER / f"newest-py{python}.txt"
    run(
        *(UV, "pip", "compile", "--quiet", "--upgrade", "--no-header", "--no-annotate", "--generate-hashes"),
        *("--python-version", python, "--extra", "dev", "pyproject.toml", "--output-file", str(file)),
    )
    return file


def install(file: Path, interpreter: str) -> Path:
    """Install the resolved versions and this project; return the folder of the programs."""
    venv = FOLDER / "venv"
    run(UV, "venv", "--quiet", "--clear", "--python", interpreter, str(venv))
    run(UV, "pip", "install", "--quiet", "--python", str(venv), "--no-deps", "--require-hashes", "-r", str(file))
    run(UV, "pip", "install", "--quiet", "--python", str(venv), "--no-deps", "--editable", ".")
    run(UV, "pip", "check", "--quiet", "--python", str(venv))
    return venv / "bin"


def tried(programs: Path) -> dict[str, int]:
    """Run the linters and the unit tests; return their exit codes."""
    commands = {
        "ruff": ("ruff", "check", "."),
        "mypy": ("mypy", f"--cache-dir={FOLDER / 'mypy'}", *TYPED),
        "unit tests": ("python", "-m", "pytest", "-q", "tests", "-m", UNIT_TESTS),
    }
    return {name: run(str(programs / program), *rest, check=False) for name, (program, *rest) in commands.items()}


def main() -> int:
    """Try the newest versions; return 1 if something breaks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default="3.11", metavar="VERSION", help="default 3.11")
    python = parser.parse_args().python
    found = subprocess.run([ROOT / "scripts/find-python", python], stdout=subprocess.PIPE, text=True, check=False)
    if found.returncode:
        return 1
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    try:
        file = resolve(python)
        pinned = ROOT / "constraints" / PINNED.format(python)
        if not pinned.exists():
            pinned = ROOT / "constraints" / PINNED.format("3.11")
        lines = list(differences(pins(pinned.read_text()), pins(file.read_text())))
        print(f"{len(lines)} versions differ from {pinned.name}:\n" + "\n".join(lines), flush=True)
        exit_codes = tried(install(file, found.stdout.strip()))
    except subprocess.CalledProcessError as error:
        print(f"{Path(error.cmd[0]).name} ended with exit code {error.returncode}.", file=sys.stderr)
        return 1
    for name, code in exit_codes.items():
        print(f"  {'FAILED' if code else 'passed':8} {name}")
    return 1 if any(exit_codes.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
