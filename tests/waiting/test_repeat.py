from __future__ import annotations

import pytest
import tenacity

from airflow_provider_sops.service.errors import ServiceError
from airflow_provider_sops.waiting.repeat import again_after, again_while_lost


class LostAnswerError(ServiceError):
    """The server may have acted."""

    @property
    def outcome_unknown(self) -> bool:
        return True


class NotYetError(ServiceError):
    """The server will do it later."""


class Action:
    """Fails with prepared errors before it works."""

    def __init__(self, *errors: ServiceError) -> None:
        self._errors = list(errors)
        self.tries = 0

    def __call__(self) -> str:
        self.tries += 1
        if self._errors:
            raise self._errors.pop(0)
        return "done"


@pytest.fixture
def pauses() -> list[float]:
    return []


def test_an_action_is_sent_again_while_its_answer_is_lost(pauses: list[float]) -> None:
    action = Action(LostAnswerError("lost"), LostAnswerError("lost again"))
    assert tenacity.Retrying(**again_while_lost((0.5, 1.0, 2.0), sleep=pauses.append))(action) == "done"
    assert (action.tries, pauses) == (3, [0.5, 1.0])


def test_a_refusal_that_means_not_yet_is_told_and_tried_again(pauses: list[float]) -> None:
    action, told = Action(NotYetError("still CREATED"), LostAnswerError("lost")), list[str]()
    rules = again_after(NotYetError, (0.5, 1.0), tell=lambda error: told.append(error.reason), sleep=pauses.append)
    with pytest.raises(LostAnswerError):
        tenacity.Retrying(**rules)(action)
    assert (action.tries, pauses, told) == (2, [0.5], ["still CREATED"])


def test_the_last_error_is_raised_after_the_last_pause(pauses: list[float]) -> None:
    action = Action(*(LostAnswerError(f"lost {number}") for number in range(5)))
    with pytest.raises(LostAnswerError, match="lost 2"):
        tenacity.Retrying(**again_while_lost((0.5, 1.0), sleep=pauses.append))(action)
    assert (action.tries, pauses) == (3, [0.5, 1.0])


def test_a_refusal_is_not_repeated_unless_it_means_not_yet(pauses: list[float]) -> None:
    action = Action(NotYetError("still CREATED"))
    with pytest.raises(NotYetError):
        tenacity.Retrying(**again_while_lost((1.0,), sleep=pauses.append))(action)
    assert action.tries == 1
    later = Action(NotYetError("still CREATED"))
    assert tenacity.Retrying(**again_while_lost((1.0,), also=(NotYetError,), sleep=pauses.append))(later) == "done"


async def test_the_same_rules_serve_a_trigger() -> None:
    action = Action(LostAnswerError("lost"))

    async def act() -> str:
        return action()

    assert await tenacity.AsyncRetrying(**again_while_lost((0.0,)))(act) == "done"
