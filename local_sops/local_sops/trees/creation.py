"""Create the tree of a new task from a template or a caller's tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local_sops.trees import InvalidTreeError
from local_sops.trees.constants import with_simplified, with_values, without_schema, without_unreferenced
from local_sops.trees.drawing import with_drawing
from local_sops.trees.engine_tree import validate
from local_sops.trees.identity import with_new_ids
from local_sops.trees.independent import with_independent_subprocesses
from local_sops.trees.pruning import without_nodes
from local_sops.trees.schema import check_shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from local_sops.template_folder import Template, TemplateFolder
    from local_sops.trees import Tree


def tree_from_template(
    templates: TemplateFolder,
    template: Template,
    excluded: Iterable[str],
    values: Mapping[str, Any],
    simplified: Iterable[str] = (),
) -> Tree:
    """Create a task's tree from a template.

    :param excluded: ids of the activities to leave out.
    :param values: the task's constants.
    :param simplified: keys of the constants that become plain text (create_task's ``simplify_vars``).
    :raises InvalidTreeError: a node cannot be left out, or the tree is invalid.
    """
    pruned = without_nodes(with_drawing(template.tree), excluded)
    wanted = with_simplified(with_values(without_schema(without_unreferenced(pruned)), values), simplified)
    return _task_tree(templates, wanted, independent=template.independent_subprocess)


def tree_from_caller(
    templates: TemplateFolder, tree: Any, values: Mapping[str, Any], *, independent: bool = False
) -> Tree:
    """Create the tree of a task with its own ``pipeline_tree``; nothing is left out.

    :param independent: whether its subprocesses become separate tasks.
    :raises InvalidTreeError: the tree is invalid.
    """
    check_shape(tree)
    _check_passed_constants(tree)
    return _task_tree(templates, with_values(tree, values, of_caller=True), independent=independent)


def _check_passed_constants(tree: Tree) -> None:
    """Check what unfolding reads of each subprocess. SOPS unfolds it from its template, even if it carries a tree."""
    for activity in tree["activities"].values():
        if activity["type"] == "SubProcess":
            if "constants" not in activity:
                raise InvalidTreeError("'constants'")
            if any("index" not in constant for constant in activity["constants"].values()):
                raise InvalidTreeError("'index'")


def tree_of_child(templates: TemplateFolder, tree: Tree) -> Tree:
    """Create the tree for the task of an independent subprocess.

    :raises InvalidTreeError: the tree is invalid.
    """
    return _task_tree(templates, tree, independent=True)


def _task_tree(templates: TemplateFolder, tree: Tree, *, independent: bool) -> Tree:
    made = _with_child_origins(templates, templates.expanded(tree))
    if independent:
        made = with_independent_subprocesses(with_drawing(made))
    # Before the ids are renewed, so that an error names the caller's ids.
    validate(made)
    return with_new_ids(made, mark_origins=templates.age.marks_origins)


def _with_child_origins(templates: TemplateFolder, tree: Tree) -> Tree:
    """Record on each SubProcess which template it came from, as tasks do: the API's id and an internal one."""
    for activity in tree["activities"].values():
        if activity["type"] != "SubProcess":
            continue
        if "original_template_id" not in activity:
            common = activity.get("template_source") == "common"
            template_id = str(activity["template_id"])
            child = templates.find(int(template_id), common=common) if template_id.isdigit() else None
            if child:
                activity["template_id"] = child.internal_id
                if templates.age.marks_origins:
                    activity["original_template_id"] = template_id
                    activity["original_template_version"] = child.version
        pipeline = without_schema(_with_child_origins(templates, activity["pipeline"]))
        activity["pipeline"] = pipeline
    return tree
