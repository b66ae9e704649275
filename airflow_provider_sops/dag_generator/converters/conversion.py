"""Decide whether a node may become an Airflow operator, and convert it.

A converter's result is checked here, so that a faulty one fails when the DAG is built, not when it runs.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_sops.dag_generator.converters.convertible_node import ConvertibleNode, NodeInput, NodeInputs
from airflow_provider_sops.dag_generator.converters.registry import SOPS_OUTPUTS
from airflow_provider_sops.service.reading import read_mapping
from airflow_provider_sops.sops.errors import SopsError, SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree.rendering import can_render
from airflow_provider_sops.sops.pipeline_tree.validity import label_of
from airflow_provider_sops.sops.pipeline_tree.variables import secret_inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from airflow.providers.common.compat.sdk import Context, TaskGroup

    from airflow_provider_sops.dag_generator.converters.registry import NodeConverter
    from airflow_provider_sops.sops.pipeline_tree.levels import Level
    from airflow_provider_sops.sops.pipeline_tree.nodes import Activity
    from airflow_provider_sops.sops.pipeline_tree.rendering import KnownValues

#: Where Airflow keeps an operator's arguments, including its template fields.
_INIT_ARGUMENTS = "_BaseOperator__init_kwargs"
#: A thousand years, whose end a calendar can still show.
_LONGEST_TIMEOUT_SECONDS = 1000 * 365 * 86400
_USE_TASK_ARGS = "Create the operator with **node.task_args, and with nothing that contradicts it."


def reason_for_sops(node: Activity, level: Level, secret: Collection[str]) -> str:
    """Return why a node must stay in SOPS regardless of converters; empty if it may become an operator.

    :param level: the level of the tree that contains it.
    :param secret: keys of the level's variables that may hold passwords.
    """
    if node.component is None:
        return "It runs no plugin."
    if node.error_ignorable:
        return "The flow goes on when it fails (error_ignorable), which only SOPS can do."
    if node.timeout_config and node.timeout_config.action == "forced_fail_and_skip":
        return "The flow goes on when it takes too long (forced_fail_and_skip), which only SOPS can do."
    if names := secret_inputs(node, secret):
        return f"It uses a password, which must stay in SOPS: {', '.join(names)}."
    if names := tuple(_only_for_sops(node.component.data, level)):
        return f"Only SOPS can render its inputs: {', '.join(names)}."
    return ""


def _only_for_sops(data: Mapping[str, Any], level: Level) -> Iterator[str]:
    for name, each in sorted(data.items()):
        given = read_mapping(each)
        if given.get("need_render", True) and not can_render(given.get("value"), level):
            yield name


def time_limit(node: Activity) -> dict[str, timedelta]:
    """Return the operator's argument for a node's time limit; empty if it has none.

    :raises SopsInvalidParameterError: Airflow cannot count that far.
    """
    if node.timeout_config is None:
        return {}
    seconds = node.timeout_config.seconds
    if seconds > _LONGEST_TIMEOUT_SECONDS:
        days = _LONGEST_TIMEOUT_SECONDS // 86400
        raise SopsInvalidParameterError(
            f"{label_of(node)}: timeout_config has {seconds} seconds; Airflow stops a task after {days} days at most",
            advice="Set a shorter time, or none, in SOPS's editor.",
        )
    return {"execution_timeout": timedelta(seconds=seconds)}


class _Fault(NamedTuple):
    what: str
    advice: str


def convert(
    converter: NodeConverter,
    node: Activity,
    *,
    level: Level,
    task_args: Mapping[str, Any],
    read: Callable[[Context], KnownValues],
    needed_outputs: Collection[str],
    task_group: TaskGroup,
) -> BaseOperator | None:
    """Create the operator that replaces a node, in the DAG being built.

    :param level: the level of the tree that contains the node.
    :param task_args: arguments for every operator, including ``task_id`` and ``trigger_rule``.
    :param read: reads the values of the level's variables in a run.
    :param needed_outputs: names of the node's outputs that the flow's variables use.
    :param task_group: the group of the DAG being built that must contain the operator.
    :returns: the operator; ``None`` if the converter leaves the node to SOPS.
    :raises SopsInvalidParameterError: the converter is faulty; its exception, if any, is the cause.
    """
    convertible = _convertible(node, level, task_args, read, needed_outputs)
    tasks = task_group.dag.task_dict
    known = len(tasks)
    try:
        operator = converter.build(convertible)
    except SopsError as error:
        raise _refusal(convertible, _Fault(error.reason, error.advice or "")) from error
    except Exception as error:
        what = f"it raised {type(error).__name__}: {error.args[0] if isinstance(error, KeyError) else error}"
        raise _refusal(convertible, _Fault(what, "Fix the converter, or this node's node_args.")) from error
    # The newest: a set of all tasks for each node would take too long in a large flow.
    made = sorted(itertools.islice(reversed(tasks), len(tasks) - known))
    fault = (
        _fault_of_tasks(operator, made, task_args, task_group)
        or _fault_of_inputs(operator, convertible.inputs)
        or _fault_of_outputs(operator, converter, needed_outputs)
    )
    if fault:
        raise _refusal(convertible, fault)
    return operator


def _convertible(
    node: Activity,
    level: Level,
    task_args: Mapping[str, Any],
    read: Callable[[Context], KnownValues],
    needed_outputs: Collection[str],
) -> ConvertibleNode:
    inputs = NodeInputs()
    for name, each in node.component.data.items() if node.component else ():
        given = read_mapping(each)
        is_rendered = bool(given.get("need_render", True))
        inputs[name] = NodeInput(node.id, name, given.get("value"), level, read, is_rendered=is_rendered)
    return ConvertibleNode(
        id=node.id,
        name=node.name,
        plugin=node.plugin,
        version=node.component.version if node.component else "",
        inputs=inputs,
        task_args=task_args,
        needed_outputs=frozenset(needed_outputs),
    )


def _refusal(node: ConvertibleNode, fault: _Fault) -> SopsInvalidParameterError:
    return SopsInvalidParameterError(
        f"node {node.name!r} ({node.id}) cannot be converted, plugin {node.plugin} {node.version}: {fault.what}",
        advice=fault.advice,
    )


def _fault_of_tasks(
    operator: Any, made: list[str], task_args: Mapping[str, Any], task_group: TaskGroup
) -> _Fault | None:
    """Return what is wrong with the returned value and with the tasks added to the DAG."""
    if operator is None:
        if made:
            return _Fault(
                f"the converter created {', '.join(made)} and returned None",
                "Return the operator, or create none to leave the node to SOPS.",
            )
        return None
    if not isinstance(operator, BaseOperator):
        return _Fault(
            f"the converter must return an operator, not a {type(operator).__name__}",
            "Return the operator (of a @task function's result: its .operator), or None to leave the node to SOPS.",
        )
    task_id = task_group.child_id(task_args["task_id"])  # type: ignore[no-untyped-call,unused-ignore]
    if operator.task_id != task_id:
        return _Fault(f"the operator has the task_id {operator.task_id!r} instead of {task_id!r}", _USE_TASK_ARGS)
    if task_id not in made or task_group.children.get(task_id) is not operator:
        return _Fault(
            "the operator does not belong to the DAG being built or to the node's task group",
            "Create it in the converter, without its own `dag`, `task_group` or `with`.",
        )
    if others := [each for each in made if each != task_id]:
        return _Fault(
            f"besides the operator the converter created {', '.join(others)}",
            "Create one operator per node; combine several steps in one operator.",
        )
    rule = task_args.get("trigger_rule")
    if rule is not None and operator.trigger_rule != rule:
        return _Fault(
            f"the operator has the trigger_rule {_text(operator.trigger_rule)} instead of {_text(rule)}",
            _USE_TASK_ARGS,
        )
    return None


def _fault_of_inputs(operator: Any, inputs: Mapping[str, NodeInput]) -> _Fault | None:
    """Return the first attribute in which an input of the node would not become its value."""
    if operator is None or not inputs:
        return None
    # An operator's attribute may have its own template fields, as a notifier does.
    held = [value for _, value in _values(operator) if hasattr(value, "template_fields")]
    faults = (_fault_of_fields(owner, inputs) for owner in (operator, *held))
    return next(filter(None, faults), None)


def _fault_of_fields(owner: Any, inputs: Mapping[str, NodeInput]) -> _Fault | None:
    kind = type(owner).__name__
    texts = [repr(each) for each in inputs.values()]
    for attribute, value in _values(owner):
        if isinstance(value, NodeInput) and attribute not in owner.template_fields:
            return _Fault(
                f"input {value.name} is passed to {kind} as {attribute}, which is not a template field, so it would not"
                " become its value",
                f"The template fields are: {', '.join(owner.template_fields) or 'none'}. Use one of these, or write a"
                " subclass with another template field; an input without variables can be passed as its"
                " literal.",
            )
        if isinstance(value, str) and any(text in value for text in texts):
            return _Fault(
                f"{attribute} of {kind} contains the text of an input instead of the input",
                "Pass inputs to template fields unchanged; build strings from them with inputs[...].map(function).",
            )
    return None


def _values(owner: Any) -> Iterator[tuple[str, Any]]:
    """Yield the values of an object's attributes, down to two nested levels, with the attribute's name."""
    for attribute, value in sorted(vars(owner).items()):
        if attribute != _INIT_ARGUMENTS:
            inside = list(_items(value))
            for each in (value, *inside, *(deeper for outer in inside for deeper in _items(outer))):
                yield attribute, each


def _items(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        yield from value.values()
    elif isinstance(value, list | tuple | set | frozenset):
        yield from value


def _fault_of_outputs(
    operator: BaseOperator | None, converter: NodeConverter, needed_outputs: Collection[str]
) -> _Fault | None:
    if operator is None or converter.outputs is None:
        return None
    missing = sorted(set(needed_outputs) - {*converter.outputs, *SOPS_OUTPUTS})
    if not missing:
        return None
    return _Fault(
        f"the flow uses outputs that the converter does not provide: {', '.join(missing)}",
        "Add them to `outputs` of register(), or return None to leave the node to SOPS.",
    )


def _text(rule: Any) -> str:
    return str(getattr(rule, "value", rule))
