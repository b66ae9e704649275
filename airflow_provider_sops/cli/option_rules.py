"""Which options of a command go together, and which values they may have."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def wrong_combination(command: str, options: argparse.Namespace) -> str:
    """Return what is wrong with options that do not go together; empty if nothing is."""
    if command == "snapshot":
        wrong = _wrong_in_snapshot(options)
    elif command == "show":
        wrong = _wrong_in_show(options)
    elif command == "run":
        wrong = "--scheme and --exclude do not go together" if options.scheme and options.exclude else ""
    else:
        wrong = ""
    return wrong or _wrong_value(options)


def _wrong_in_snapshot(options: argparse.Namespace) -> str:
    if options.template_id is not None and options.folder is not None:
        return "TEMPLATE_ID and --all do not go together"
    if options.from_export:
        return "--common and --category are about templates on the server" if options.common or options.category else ""
    return "name one of TEMPLATE_ID, --all and --from-export" if options.template_id is options.folder is None else ""


def _wrong_in_show(options: argparse.Namespace) -> str:
    if options.path is not None and options.from_export is not None:
        return "FILE and --from-export do not go together"
    if options.from_export:
        return "--common is about templates on the server" if options.common else ""
    named = [each for each in (options.path, options.template_id) if each is not None]
    return "" if len(named) == 1 else "name one of FILE, --template and --from-export"


def _wrong_value(options: argparse.Namespace) -> str:
    values = vars(options)
    for name, meaning in (("template_id", "template id"), ("task_id", "task id")):
        value = values.get(name)
        # An export may have ids of its own.
        if value is not None and not values.get("from_export") and not (value.isascii() and value.isdigit()):
            return f"invalid {meaning}: {value!r}"
    for name in ("poll_seconds", "timeout_seconds"):
        value = values.get(name)
        if value is not None and not _is_positive(value):
            return f"--{name.replace('_', '-')} is {value!r}; it must be a number of seconds above 0"
    return ""


def _is_positive(value: str) -> bool:
    try:
        return 0 < float(value) < float("inf")
    except ValueError:
        return False
