"""``airflow-sops show``: a tree as text, or as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_sops.cli.commands import SUCCESS
from airflow_provider_sops.cli.export import open_export
from airflow_provider_sops.cli.server import open_server
from airflow_provider_sops.cli.terminal import write
from airflow_provider_sops.dag_generator.snapshot_files import load_snapshot
from airflow_provider_sops.dag_generator.template_reader import BUSINESS
from airflow_provider_sops.drawing.tree import draw
from airflow_provider_sops.service.text import quoted, shortened, word
from airflow_provider_sops.sops.errors import SopsInvalidParameterError
from airflow_provider_sops.sops.pipeline_tree.nodes import COMMON, Activity, SubProcess

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from airflow_provider_sops.sops.pipeline_tree import NodeKey, PipelineTree
    from airflow_provider_sops.sops.pipeline_tree.graph import Edge
    from airflow_provider_sops.sops.pipeline_tree.nodes import Node
    from airflow_provider_sops.sops.pipeline_tree.snapshot import Snapshot
    from airflow_provider_sops.sops.pipeline_tree.variables import Variable


_LONGEST_VALUE = 80


def outline(snapshot: Snapshot, path: NodeKey = ()) -> str:
    """Return a text with a tree's nodes, sequence flows, variables and faults.

    Values of password variables are hidden.

    :param path: key of the subprocess to show; empty for everything.
    """
    tree = snapshot.tree
    return "\n".join([*_heading(snapshot), "", *_nodes(tree, path), *_variables(tree, path), *_findings(tree), ""])


def _heading(snapshot: Snapshot) -> Iterator[str]:
    tree = snapshot.tree
    if snapshot.template_id is not None:
        name = f"{quoted(snapshot.template_name)}, template {snapshot.template_id}"
        project = f" of {quoted(snapshot.project_name)}" if snapshot.project_name else ""
        saved = word(snapshot.edit_time) or "at an unknown time"
        yield f"{name} ({word(snapshot.template_source)}{project}), saved {saved}"
    elif snapshot.template_name:
        yield quoted(snapshot.template_name)
    activities = sum(isinstance(node, Activity) for node in tree.nodes.values())
    yield (
        f"nodes: {len(tree.nodes)} (activities: {activities}), levels: {len(tree.levels)},"
        f" loops: {len(tree.graph.loops)}, {word(snapshot.content_hash)}"
    )


def _nodes(tree: PipelineTree, path: NodeKey) -> Iterator[str]:
    for key in tree.graph.order:
        if key[: len(path)] != path or key == path:
            continue
        indent = "    " * (len(key) - len(path) - 1)
        node = tree.nodes[key]
        ways = tree.graph.outgoing[key]
        line = f"{indent}{_label(node)}{_traits(node)}"
        if len(ways) == 1 and not ways[0].sequence_flow.label:
            yield f"{line} -> {_target(ways[0], tree)}"
            continue
        yield line
        for edge in ways:
            yield f"{indent}  {_condition(edge)}-> {_target(edge, tree)}"


def _label(node: Node) -> str:
    if isinstance(node, Activity):
        return quoted(node.name)
    return f"{word(node.type)}{f' {quoted(node.name)}' if node.name else ''}"


def _traits(node: Node) -> str:
    if not isinstance(node, Activity):
        return f"  ({quoted(node.id)[1:-1]})"
    traits = [quoted(node.plugin)[1:-1]] if node.plugin else []
    if isinstance(node, SubProcess):
        traits.append(f"subprocess of template {quoted(node.template_id)[1:-1]}")
        traits += [] if node.unfolded else ["folded"]
    traits += ["optional"] if node.optional else []
    traits += ["errors ignored"] if node.error_ignorable else []
    traits += [f"{node.auto_retry.times} automatic retries"] if node.auto_retry else []
    traits += [f"timeout {node.timeout_config.seconds} s"] if node.timeout_config else []
    return f"  ({quoted(node.id)[1:-1]}: {', '.join(traits)})"


def _target(edge: Edge, tree: PipelineTree) -> str:
    node = tree.nodes[edge.target]
    back = " (back)" if edge.is_back else ""
    return f"{_label(node) if node.name else f'{word(node.type)} {quoted(node.id)[1:-1]}'}{back}"


def _condition(edge: Edge) -> str:
    flow = edge.sequence_flow
    if flow.is_default:
        return f"otherwise {quoted(flow.label)} "
    if not flow.evaluate:
        return ""
    name = f"{quoted(flow.label)}: " if flow.label != flow.evaluate else ""
    return f"{name}if {shortened(flow.evaluate, 200)} "


def _variables(tree: PipelineTree, path: NodeKey) -> Iterator[str]:
    variables = tree.variables[path]
    if variables:
        yield from ("", "Variables:")
    for variable in variables.values():
        yield f"  {quoted(variable.key)[1:-1]}  {quoted(variable.name)}{_value(variable)}, {_use(variable, tree)}"


def _value(variable: Variable) -> str:
    if variable.is_password:
        return " (password)"
    if variable.source:
        return ""
    return f" = {quoted(shortened(str(variable.value), _LONGEST_VALUE))}"


def _use(variable: Variable, tree: PipelineTree) -> str:
    words = ["asked for when a task is created" if variable.is_shown else "hidden"]
    if variable.source:
        words.append(f"is {quoted(variable.source_field)[1:-1]} of {_label(tree.nodes[variable.source])}")
    if variable.used_by:
        words.append(f"used by {', '.join(_label(tree.nodes[key]) for key in variable.used_by)}")
    if variable.is_output:
        words.append("output of the task")
    return ", ".join(words)


def _findings(tree: PipelineTree) -> Iterator[str]:
    if tree.findings:
        yield from ("", "SOPS would refuse this tree:")
    for finding in tree.findings:
        yield f"  {shortened(str(finding))}"


def run(options: argparse.Namespace) -> int:
    """Show the trees named on the command line, and return the exit code.

    :raises SopsError: there is no such template or subprocess.
    """
    path = tuple(part for part in options.subprocess.split("/") if part)
    for number, snapshot in enumerate(_snapshots(options)):
        _check_path(snapshot, path)
        if options.svg is not None:
            _write_picture(snapshot, path, options)
        else:
            write(("\n\n" if number else "") + outline(snapshot, path))
    return SUCCESS


def _check_path(snapshot: Snapshot, path: NodeKey) -> None:
    if path not in snapshot.tree.levels:
        known = ", ".join("/".join(each) for each in snapshot.tree.levels if each)
        raise SopsInvalidParameterError(
            f"there is no subprocess {'/'.join(path)!r}", advice=f"Known subprocesses: {known or 'none'}."
        )


def _write_picture(snapshot: Snapshot, path: NodeKey, options: argparse.Namespace) -> None:
    name = snapshot.template_name or (options.path.stem if options.path else "")
    title = " > ".join([name, *(snapshot.tree.nodes[path[: depth + 1]].name for depth in range(len(path)))])
    options.svg.write_text(draw(snapshot.tree, path=path, title=title), encoding="utf-8")
    write(f"{options.svg}: written\n")


def _snapshots(options: argparse.Namespace) -> Iterator[Snapshot]:
    if options.path is not None:
        yield load_snapshot(options.path)
    elif options.from_export is not None:
        export = open_export(options.from_export)
        chosen = export.templates if options.template_id is None else [export.find(options.template_id)]
        if len(chosen) > 1 and (options.svg is not None or options.subprocess):
            raise SopsInvalidParameterError(
                f"{options.from_export} has {len(chosen)} templates", advice="Name one with --template."
            )
        yield from map(export.snapshot, chosen)
    else:
        with open_server(options) as server:
            yield server.snapshot(int(options.template_id), COMMON if options.common else BUSINESS)
