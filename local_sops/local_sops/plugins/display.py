"""``bk_display``: shows a message in the task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.core.flow.activity import Service
from pipeline.core.flow.io import InputItem, StringItemSchema

from local_sops.plugins import Plugin

if TYPE_CHECKING:
    from pipeline.core.data.base import DataObject


class DisplayService(Service):
    """Does nothing: the rendered message is among the node's inputs."""

    def inputs_format(self) -> list[InputItem]:
        """List the inputs with SOPS's texts."""
        return [
            self.InputItem(
                name="展示内容",
                key="bk_display_message",
                type="string",
                schema=StringItemSchema(description="展示内容"),
            )
        ]

    def execute(self, data: DataObject, parent_data: DataObject) -> bool:
        """Succeed."""
        return True


PLUGINS = (
    Plugin(
        "bk_display",
        "1.0",
        "消息展示",
        DisplayService,
        repeatable=True,
        description="本插件为仅用于消息展示的空节点",
        form="/static/components/atoms/bk/display/v1_0.js",
    ),
)
