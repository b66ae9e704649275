"""User plugins: plain Python files in a folder, read when the server starts.

A file defines one plugin by module-level names, and imports nothing from this package:

``execute(inputs, outputs)``
    does the work: fills the dict ``outputs``, and raises any exception to fail the node.
``poll(inputs, outputs)``
    if defined, the node keeps running after ``execute`` until this returns true; called every ``POLL_SECONDS``.
``callback(inputs, outputs, data)``
    if defined, the node waits after ``execute`` for a callback, and ends with this function.

One of the three is enough; ``poll`` and ``callback`` exclude each other. ``INPUTS`` and ``OUTPUTS`` map keys to
``(type, description)``. ``CODE`` (default: the file's name), ``VERSION`` (``legacy``), ``NAME`` (the code),
``GROUP`` and the module's docstring are shown in the plugin list. ``REPEATABLE = True`` allows running it again after a
kill in the middle of ``execute``; otherwise the node fails.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.core.flow.activity import Service, StaticIntervalGenerator
from pipeline.core.flow.io import (
    ArrayItemSchema,
    BooleanItemSchema,
    FloatItemSchema,
    InputItem,
    IntItemSchema,
    ItemSchema,
    ObjectItemSchema,
    OutputItem,
    StringItemSchema,
)

from local_sops.plugins import Plugin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import ModuleType

    from pipeline.core.data.base import DataObject

DEFAULT_GROUP = "自定义插件"
_TYPES: Mapping[str, Callable[[str], ItemSchema]] = {
    "string": lambda description: StringItemSchema(description=description),
    "int": lambda description: IntItemSchema(description=description),
    "float": lambda description: FloatItemSchema(description=description),
    "boolean": lambda description: BooleanItemSchema(description=description),
    "array": lambda description: ArrayItemSchema(StringItemSchema(description=""), description=description),
    "object": lambda description: ObjectItemSchema(property_schemas={}, description=description),
}


class PluginFileError(Exception):
    """An invalid plugin file; the text names the file and the problem."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A file's definition.

    :param inputs: key -> type and description; same for outputs.
    """

    inputs: Mapping[str, tuple[str, str]]
    outputs: Mapping[str, tuple[str, str]]
    execute: Callable[..., Any] | None
    poll: Callable[..., Any] | None
    callback: Callable[..., Any] | None


class OwnPluginService(Service):
    """Runs the functions of a file; each file gets a subclass."""

    definition: Definition

    def inputs_format(self) -> list[InputItem]:
        """List the file's ``INPUTS``."""
        return [
            self.InputItem(name=key, key=key, type=kind, schema=_TYPES[kind](description))
            for key, (kind, description) in self.definition.inputs.items()
        ]

    def outputs_format(self) -> list[OutputItem]:
        """List the file's ``OUTPUTS``."""
        return [
            self.OutputItem(name=key, key=key, type=kind, schema=_TYPES[kind](description))
            for key, (kind, description) in self.definition.outputs.items()
        ]

    def execute(self, data: DataObject, parent_data: DataObject) -> bool:
        """Do the work, if any, and begin to wait."""
        if self.definition.execute is None:
            return True
        return self._run(data, self.definition.execute)[0]

    def schedule(self, data: DataObject, parent_data: DataObject, callback_data: Any = None) -> bool:
        """Check whether the work is done, or accept the callback."""
        if self.definition.callback:
            self.finish_schedule()
            return self._run(data, self.definition.callback, callback_data)[0]
        assert self.definition.poll, "without a poll or a callback nothing is scheduled"  # noqa: S101 - for mypy
        went_well, done = self._run(data, self.definition.poll)
        if done:
            self.finish_schedule()
        return went_well

    def _run(self, data: DataObject, function: Callable[..., Any], *arguments: Any) -> tuple[bool, Any]:
        """Call one of the functions; return whether it succeeded, and its result."""
        inputs = {key: value for key, value in data.inputs.items() if not key.startswith("_")}
        outputs = {key: value for key, value in data.outputs.items() if not key.startswith("_")}
        try:
            returned = function(inputs, outputs, *arguments)
            json.dumps(outputs)
        except Exception as error:  # noqa: BLE001 - whatever it raises fails the node
            # Drop this function's own frame, so only the file's remain.
            own = error.__traceback__.tb_next if error.__traceback__ else None
            self.logger.error("%s", "".join(traceback.format_exception(type(error), error, own)))
            data.outputs.update({key: value for key, value in outputs.items() if _is_json(value)})
            data.set_outputs("ex_data", str(error) or type(error).__name__)
            return False, None
        data.outputs.update(outputs)
        return True, returned


def read_plugins(folder: Path) -> list[Plugin]:
    """Read all ``*.py`` files of a folder.

    :raises PluginFileError: one of them defines no plugin, or a duplicate.
    """
    plugins: dict[tuple[str, str], Path] = {}
    read = []
    for path in sorted(folder.glob("*.py")):
        plugin = _read(path)
        key = (plugin.code, plugin.version)
        if key in plugins:
            raise PluginFileError(f"{path} and {plugins[key]} define the same plugin, {key[0]} {key[1]}")
        plugins[key] = path
        read.append(plugin)
    return read


def _read(path: Path) -> Plugin:
    try:
        module = _module(path)
    except (Exception, SystemExit) as error:
        raise PluginFileError(f"{path}{_line(path, error)} cannot be read: {_reason(error)}") from error
    try:
        return _plugin(path, module)
    except ValueError as error:
        raise PluginFileError(f"{path} defines no plugin: {error}") from error


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"local_sops_own_plugin_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError("Python cannot import it")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _plugin(path: Path, module: ModuleType) -> Plugin:
    definition = Definition(
        inputs=_items(module, "INPUTS"),
        outputs=_items(module, "OUTPUTS"),
        execute=_function(module, "execute", 2),
        poll=_function(module, "poll", 2),
        callback=_function(module, "callback", 3),
    )
    if not (definition.execute or definition.poll or definition.callback):
        raise ValueError("it has none of the functions execute, poll and callback")
    if definition.poll and definition.callback:
        raise ValueError("it has both poll and callback")
    attributes: dict[str, Any] = {"definition": definition}
    attributes[Service.schedule_determine_attr] = bool(definition.poll or definition.callback)
    if definition.poll:
        attributes["interval"] = StaticIntervalGenerator(_poll_seconds(module))
    code = _text(module, "CODE", path.stem)
    return Plugin(
        code=code,
        version=_text(module, "VERSION", "legacy"),
        name=_text(module, "NAME", code),
        bound_service=type("OwnPluginService", (OwnPluginService,), attributes),
        repeatable=bool(getattr(module, "REPEATABLE", False)),
        description=inspect.cleandoc(module.__doc__ or ""),
        group_name=_text(module, "GROUP", DEFAULT_GROUP),
    )


def _items(module: ModuleType, name: str) -> Mapping[str, tuple[str, str]]:
    items = getattr(module, name, {})
    form = f'{name} must have the form {{"key": ("type", "description")}}'
    if not isinstance(items, dict):
        raise ValueError(form)
    for key, item in items.items():
        if not (isinstance(key, str) and isinstance(item, tuple) and [type(part) for part in item] == [str, str]):
            raise ValueError(form)
        if item[0] not in _TYPES:
            raise ValueError(f"{name}[{key!r}] has the type {item[0]!r}; it must be one of {', '.join(_TYPES)}")
    return items


def _function(module: ModuleType, name: str, arguments: int) -> Callable[..., Any] | None:
    function = getattr(module, name, None)
    if function is None:
        return None
    if not callable(function):
        raise ValueError(f"{name} is not a function")
    try:
        inspect.signature(function).bind(*range(arguments))
    except TypeError as error:
        expected = ", ".join(("inputs", "outputs", "data")[:arguments])
        raise ValueError(f"{name} does not take ({expected}): {error}") from error
    found: Callable[..., Any] = function
    return found


def _poll_seconds(module: ModuleType) -> float:
    seconds = getattr(module, "POLL_SECONDS", 1)
    if not isinstance(seconds, (int, float)) or seconds <= 0:
        raise ValueError(f"POLL_SECONDS is {seconds!r}; it must be a number of seconds above 0")
    return float(seconds)


def _text(module: ModuleType, name: str, default: str) -> str:
    text = getattr(module, name, default)
    if not isinstance(text, str) or not text:
        raise ValueError(f"{name} is {text!r}; it must be a string")
    return text


def _line(path: Path, error: BaseException) -> str:
    """Return the line of the file that caused an error, if it was in the file."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f", line {error.lineno},"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f", line {lines[-1]}," if lines else ""


def _reason(error: BaseException) -> str:
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {' '.join(text.split())}"


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True
