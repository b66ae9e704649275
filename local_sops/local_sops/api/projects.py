"""Projects: get_user_project_list, get_user_project_detail."""

from __future__ import annotations

from local_sops.api.call import Answer, Call, Code, Refusal, success
from local_sops.config import PROJECTS


def get_user_project_list(call: Call) -> Answer:
    """List all projects; there are no permissions here."""
    return success([{"project_id": one.id, "bk_biz_id": one.bk_biz_id, "name": one.name} for one in PROJECTS])


def get_user_project_detail(call: Call) -> Answer:
    """Refused, as on a server without a CMDB, the source of the details."""
    message = f"can not get business[{call.project.bk_biz_id}] detail for user[{call.username}]"
    raise Refusal(message, Code.UNKNOWN)
