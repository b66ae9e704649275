"""``bk_notify``: a message to people; here it goes to the node's log and the server's log."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from pipeline.core.flow.activity import Service
from pipeline.core.flow.io import (
    ArrayItemSchema,
    BooleanItemSchema,
    InputItem,
    IntItemSchema,
    OutputItem,
    StringItemSchema,
)

from local_sops.plugins import Plugin

if TYPE_CHECKING:
    from pipeline.core.data.base import DataObject

logger = logging.getLogger(__name__)

_GROUPS = ["Maintainers", "ProductPm", "Developer", "Tester"]


class NotifyService(Service):
    """Logs the message and its receivers, and succeeds."""

    def inputs_format(self) -> list[InputItem]:
        """List the inputs with SOPS's texts."""
        kinds = ArrayItemSchema(
            description="需要使用的通知方式，从 API 网关自动获取已实现的通知渠道",
            item_schema=StringItemSchema(description="通知方式"),
        )
        groups = ArrayItemSchema(
            description="需要进行通知的业务人员分组", enum=_GROUPS, item_schema=StringItemSchema(description="通知分组")
        )
        staff = ArrayItemSchema(
            description="需要进行通知的项目人员分组ID列表", item_schema=IntItemSchema(description="项目人员分组ID")
        )
        flag = BooleanItemSchema(description="通知执行人名字")
        return [
            self._text("业务 ID", "biz_cc_id", "通知人员所属的 CMDB 业务 ID"),
            self.InputItem(name="通知方式", key="bk_notify_type", type="array", schema=kinds),
            self.InputItem(name="固定分组", key="bk_receiver_group", type="array", required=False, schema=groups),
            self.InputItem(name="项目人员分组", key="bk_staff_group", type="array", required=False, schema=staff),
            self._text("额外通知人", "bk_more_receiver", "除了通知分组外需要额外通知的人员，多个用英文逗号 `,` 分隔"),
            self._text("通知标题", "bk_notify_title", "通知的标题"),
            self._text("通知内容", "bk_notify_content", "通知的内容"),
            self.InputItem(name="通知执行人", key="notify", type="boolean", schema=flag),
        ]

    def execute(self, data: DataObject, parent_data: DataObject) -> bool:
        """Log the message."""
        told: dict[str, Any] = {
            key: data.get_one_of_inputs(f"bk_{key}")
            for key in ("notify_type", "receiver_info", "receiver_group", "more_receiver", "notify_title")
            if data.get_one_of_inputs(f"bk_{key}")
        }
        told["notify_content"] = data.get_one_of_inputs("bk_notify_content")
        text = json.dumps(told, ensure_ascii=False)
        self.logger.info("notification: %s", text)
        logger.warning("task %s notifies: %s", parent_data.get_one_of_inputs("task_id"), text)
        return True

    def _text(self, name: str, key: str, description: str) -> InputItem:
        return self.InputItem(name=name, key=key, type="string", schema=StringItemSchema(description=description))


class LegacyNotifyService(NotifyService):
    """The version whose outputs include the notification service's answer."""

    def inputs_format(self) -> list[InputItem]:
        """List the inputs with SOPS's texts."""
        kinds = ArrayItemSchema(
            description="需要使用的通知方式",
            enum=["weixin", "email", "sms"],
            item_schema=StringItemSchema(description="通知方式"),
        )
        groups = ArrayItemSchema(
            description="需要进行通知的业务人员分组", enum=_GROUPS, item_schema=StringItemSchema(description="通知分组")
        )
        return [
            self._text("业务 ID", "biz_cc_id", "通知人员所属的 CMDB 业务 ID"),
            self.InputItem(name="通知方式", key="bk_notify_type", type="array", schema=kinds),
            self.InputItem(name="通知分组", key="bk_receiver_group", type="array", required=False, schema=groups),
            self._text("额外通知人", "bk_more_receiver", "除了通知分组外需要额外通知的人员"),
            self._text("通知标题", "bk_notify_title", "通知的标题"),
            self._text("通知内容", "bk_notify_content", "通知的内容"),
        ]

    def outputs_format(self) -> list[OutputItem]:
        """List the outputs with SOPS's texts."""
        return [
            self.OutputItem(name=name, key=key, type="string", schema=StringItemSchema(description=description))
            for name, key, description in (
                ("返回码", "code", "通知接口的返回码"),
                ("信息", "message", "通知接口返回的信息"),
            )
        ]

    def execute(self, data: DataObject, parent_data: DataObject) -> bool:
        """Log the message."""
        data.set_outputs("code", "0")
        data.set_outputs("message", "OK")
        return super().execute(data, parent_data)


_DESCRIPTION = (
    "API 网关定义了这些消息通知组件的接口协议，但是，并没有完全实现组件内容，用户可根据接口协议，重写此部分组件。"
    "API网关为降低实现消息通知组件的难度，提供了在线更新组件配置，不需编写组件代码的方案。详情请查阅PaaS->API网关->使用指南。"
)
_FORMS = "/static/components/atoms/bk/notify"
PLUGINS = (
    Plugin(
        "bk_notify",
        "v1.0",
        "发送通知",
        NotifyService,
        description=(
            "通知方式从 API 网关自动获取已实现的通知渠道，API网关定义了这些消息通知组件的接口协议，"
            "但是并没有完全实现组件内容，用户可根据接口协议，重写此部分组件。API网关为降低实现消息通知组件的难度，提供了在线更新组件配置，"
            "不需编写组件代码的方案。详情请查阅PaaS->API网关->使用指南。"
        ),
        form=f"{_FORMS}/v1_0.js",
    ),
    Plugin(
        "bk_notify", "legacy", "发送通知", LegacyNotifyService, description=_DESCRIPTION, form=f"{_FORMS}/legacy.js"
    ),
)
