"""``bk_approve``: waits for an approval or rejection.

SOPS opens a ticket of BlueKing's ITSM, which calls the node back. Here no ticket exists: answer the node through the
API, by node_callback with ``"callback_data": {"approve_result": true}`` or operate_node callback with ``data``.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from pipeline.core.flow.activity import Service
from pipeline.core.flow.io import InputItem, OutputItem, StringItemSchema

from local_sops.plugins import Plugin

if TYPE_CHECKING:
    from pipeline.core.data.base import DataObject


class ApproveService(Service):
    """Waits for a callback; fails on a rejection, unless the input ``rejected_block`` is false."""

    __need_schedule__ = True

    def inputs_format(self) -> list[InputItem]:
        """List the inputs with SOPS's texts."""
        return [
            self._text("审核人", "bk_verifier", "审核人,多个用英文逗号`,`分隔"),
            self._text("审核标题", "bk_approve_title", "审核标题"),
            self._text("审核内容", "bk_approve_message", "通知的标题"),
        ]

    def outputs_format(self) -> list[OutputItem]:
        """List the outputs with SOPS's texts."""
        return [
            self.OutputItem(name=name, key=key, type="string", schema=StringItemSchema(description=name))
            for name, key in (("单据sn", "sn"), ("审核结果", "approve_result"))
        ]

    def execute(self, data: DataObject, parent_data: DataObject) -> bool:
        """Begin to wait; the ticket's number is fictitious."""
        verifier, title = (data.get_one_of_inputs(key) for key in ("bk_verifier", "bk_approve_title"))
        self.logger.info("asks %s to approve: %s", verifier, title)
        data.set_outputs("sn", f"REQ{uuid.uuid4().int % 10**16:016}")
        return True

    def schedule(self, data: DataObject, parent_data: DataObject, callback_data: Any = None) -> bool:
        """Take the answer."""
        try:
            approved = bool(callback_data["approve_result"])
        except (KeyError, TypeError) as error:
            reason = f"get Approve Component result failed: {callback_data}, err: {error}"
            self.logger.error(reason)
            data.set_outputs("ex_data", reason)
            return False
        data.set_outputs("approve_result", "通过" if approved else "拒绝")
        return approved or not data.get_one_of_inputs("rejected_block", True)

    def _text(self, name: str, key: str, description: str) -> InputItem:
        return self.InputItem(name=name, key=key, type="string", schema=StringItemSchema(description=description))


PLUGINS = (Plugin("bk_approve", "v1.0", "审批", ApproveService, form="/static/components/atoms/bk/approve/v1_0.js"),)
