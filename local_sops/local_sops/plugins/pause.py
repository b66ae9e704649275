"""``pause_node``: waits for a callback (``node_callback``, or ``operate_node`` callback)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.core.flow.activity import Service
from pipeline.core.flow.io import InputItem, ObjectItemSchema, OutputItem, StringItemSchema

from local_sops.plugins import Plugin

if TYPE_CHECKING:
    from pipeline.core.data.base import DataObject


class PauseService(Service):
    """Waits for a callback; its data becomes the output ``callback_data``."""

    __need_schedule__ = True

    def inputs_format(self) -> list[InputItem]:
        """List the inputs with SOPS's texts."""
        return [
            self.InputItem(name="描述", key="description", type="string", schema=StringItemSchema(description="描述"))
        ]

    def outputs_format(self) -> list[OutputItem]:
        """List the outputs with SOPS's texts."""
        return [
            self.OutputItem(
                name="API回调数据",
                key="callback_data",
                type="object",
                schema=ObjectItemSchema(
                    description="通过node_callback API接口回调并传入数据,支持dict数据", property_schemas={}
                ),
            )
        ]

    def execute(self, data: DataObject, parent_data: DataObject) -> bool:
        """Begin to wait."""
        return True

    def schedule(self, data: DataObject, parent_data: DataObject, callback_data: Any = None) -> bool:
        """Store the callback's data and end."""
        if callback_data is not None:
            data.outputs.callback_data = callback_data
            self.finish_schedule()
        return True


PLUGINS = (
    Plugin(
        "pause_node",
        "legacy",
        "人工确认(暂停)",
        PauseService,
        repeatable=True,
        description=(
            "该节点可以通过node_callback API接口进行回调并传入数据，callback_data参数为dict类型，"
            "回调数据会作为该节点的输出数据"
        ),
        form="/static/components/atoms/bk/pause.js",
    ),
)
