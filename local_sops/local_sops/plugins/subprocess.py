"""``subprocess_plugin``: an independent subprocess, which runs as a separate task."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from bamboo_engine.context import Context
from bamboo_engine.template import Template
from pipeline.core.flow.activity import Service
from pipeline.core.flow.io import IntItemSchema, OutputItem, StringItemSchema
from pipeline.eri.runtime import BambooDjangoRuntime

from local_sops.plugins import Plugin
from local_sops.store.models import Task
from local_sops.trees import InvalidTreeError
from local_sops.trees.independent import PLUGIN_CODE, PLUGIN_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.core.data.base import DataObject

    from local_sops.runtime.child_tasks import ChildTasks
    from local_sops.runtime.task_life import TaskLife


class SubprocessService(Service):
    """Starts a task from the node's flow and waits until it calls back."""

    __need_schedule__ = True
    child_tasks: ChildTasks
    task_life: TaskLife

    def outputs_format(self) -> list[OutputItem]:
        """List the outputs with SOPS's texts."""
        return [
            self.OutputItem(name="任务ID", key="task_id", type="int", schema=IntItemSchema(description="Task ID")),
            self.OutputItem(name="任务URL", key="task_url", type="string", schema=StringItemSchema("Task URL")),
            self.OutputItem(name="任务名", key="task_name", type="string", schema=StringItemSchema("Task Name")),
        ]

    def execute(self, data: DataObject, parent_data: DataObject) -> bool:
        """Start the task, with its constants rendered with this task's values."""
        parent = Task.objects.get(pk=parent_data.get_one_of_inputs("task_id"))
        subprocess = copy.deepcopy(data.get_one_of_inputs("subprocess"))
        self._render(subprocess["pipeline"]["constants"], parent.tree["constants"])
        try:
            child = self.child_tasks.start(parent, self.id, self.version, subprocess)
        except InvalidTreeError as error:
            data.set_outputs("ex_data", str(error))
            return False
        data.set_outputs("task_id", child.pk)
        data.set_outputs("task_url", self.task_life.url_of(child))
        data.set_outputs("task_name", child.name)
        return True

    def schedule(self, data: DataObject, parent_data: DataObject, callback_data: Any = None) -> bool:
        """Copy the outputs of the finished task, or fail with it."""
        self.finish_schedule()
        if not callback_data["task_success"]:
            task_url = data.get_one_of_outputs("task_url")
            text = f'子流程节点执行异常，请<a href="{task_url}" target="_blank">去往子任务</a>查看详情'
            data.set_outputs("ex_data", text)
            return False
        child = Task.objects.get(pk=data.get_one_of_outputs("task_id"))
        runtime = BambooDjangoRuntime()
        outputs = runtime.get_execution_data_outputs(child.instance_id)
        for key in runtime.get_data_outputs(self.id):
            if key in outputs:
                data.set_outputs(key, outputs[key])
        return True

    def _render(self, constants: Mapping[str, dict[str, Any]], parent_constants: Mapping[str, Any]) -> None:
        """Set the constants passed by the parent, as SOPS does.

        A constant that is exactly one of the parent's takes its value unchanged; others are rendered if ``need_render``
        is set.
        """
        values = {key: one["value"] for key, one in constants.items() if one.get("need_render", True)}
        context_values, rendered = self._rendered(values)
        for key, constant in constants.items():
            value = values.get(key)
            source = parent_constants.get(value) if isinstance(value, str) else None
            if source and key in source["source_info"].get(self.id, ()) and value in context_values:
                constant["value"] = context_values[value]
            elif constant.get("need_render") and key in rendered:
                constant["value"] = rendered[key]

    def _rendered(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Render texts with the parent's values that they refer to."""
        runtime = BambooDjangoRuntime()
        pipeline_id = self.top_pipeline_id
        references = Template(values).get_reference()
        references |= runtime.get_context_key_references(pipeline_id=pipeline_id, keys=references)
        found = runtime.get_context_values(pipeline_id=pipeline_id, keys=references)
        data_inputs = runtime.get_data_inputs(pipeline_id)
        context = Context(runtime, found, {key: one.value for key, one in data_inputs.items()})
        rendered: dict[str, Any] = Template(values).render(context.hydrate(deformat=True))
        return {one.key: one.value for one in found}, rendered


def subprocess_plugin(tasks: ChildTasks, life: TaskLife) -> Plugin:
    """Create the plugin for one server."""

    class ServerSubprocessService(SubprocessService):
        """Runs its children on this server."""

        child_tasks = tasks
        task_life = life

    return Plugin(PLUGIN_CODE, PLUGIN_VERSION, "SubprocessPlugin", ServerSubprocessService, group_name="V1_0_0")


PLUGINS: tuple[Plugin, ...] = ()
"""Empty without a server: :func:`subprocess_plugin` creates it."""
