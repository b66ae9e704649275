"""How arguments of Python become parameters of EnOS, how its answers are read, and what is refused before it is sent.

The blocking hook and the asynchronous client share all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_sops.enos.errors import EnosGatewayError, EnosInvalidParameterError, EnosNotFoundError
from airflow_provider_sops.enos.models import FlowInstance, TaskInstance
from airflow_provider_sops.enos.models.decoding import read_object
from airflow_provider_sops.service.reading import read_mapping, read_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_sops.enos.answer import Answer


def whole_number(api: str, name: str, value: Any) -> int:
    """Return an id that EnOS takes as a number.

    :raises EnosInvalidParameterError: it is no positive whole number.
    """
    try:
        number = 0 if isinstance(value, (bool, float)) else int(value)
    except (TypeError, ValueError):
        number = 0
    if number < 1:
        raise EnosInvalidParameterError(f"{name} is {value!r}", api=api, advice="It must be a positive whole number.")
    return number


def required_text(api: str, name: str, value: Any) -> str:
    """Return a text that must not be empty.

    :raises EnosInvalidParameterError: it is empty, or no text.
    """
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise EnosInvalidParameterError(f"{name} is {value!r}", api=api, advice="It must be a text that is not empty.")


def key_values(api: str, parameters: Any) -> list[dict[str, Any]]:
    """Return parameters of a flow as EnOS takes them.

    :raises EnosInvalidParameterError: they are no mapping with texts as keys.
    """
    if not isinstance(parameters, Mapping) or not all(isinstance(key, str) for key in parameters):
        raise EnosInvalidParameterError(
            f"parameters must be a dict of key to value, not {type(parameters).__name__}", api=api
        )
    return [{"key": key, "value": value} for key, value in parameters.items()]


def comma_separated(values: Sequence[int]) -> str:
    """Return numbers as EnOS's filters take them, ``1,2,3``."""
    return ",".join(map(str, values))


def read_task_instance(answer: Answer, task_instance_id: str) -> TaskInstance:
    """Return the task instance in an answer.

    :raises EnosNotFoundError: the answer holds none.
    """
    _check_found("get_task_instance", "taskInstId", answer, task_instance_id)
    return TaskInstance.read(answer.data)


def read_flow_instance(answer: Answer, flow_instance_id: str) -> FlowInstance:
    """Return the flow instance in an answer.

    :raises EnosNotFoundError: the answer holds none.
    """
    _check_found("get_flow_instance", "flowInstId", answer, flow_instance_id)
    return FlowInstance.read(answer.data)


def read_log(answer: Answer) -> str:
    """Return the log in an answer."""
    return read_text(read_mapping(answer.data).get("log"))


def read_triggered(api: str, answer: Answer) -> str:
    """Return the id of the instance that a trigger has made.

    :raises EnosGatewayError: the answer says that there is one, but not which.
    """
    instance_id = read_text(read_mapping(answer.data).get("flowInstanceId"))
    if not instance_id:
        raise EnosGatewayError("EnOS does not say which instance it has made", api=api, http_status=200)
    return instance_id


def _check_found(api: str, name: str, answer: Answer, instance_id: str) -> None:
    if not read_object(answer.data):
        raise EnosNotFoundError("EnOS answers without an instance", api=api, ids={name: instance_id}, http_status=200)
