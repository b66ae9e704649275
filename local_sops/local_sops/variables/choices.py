"""Variables chosen or entered in a form."""

from __future__ import annotations

import json
from typing import Any

from pipeline.core.data.var import LazyVariable


class Select(LazyVariable):
    """``select``: one choice unchanged, several joined by commas."""

    code = "select"

    def get_value(self) -> Any:
        """Return the choice."""
        if isinstance(self.value, list):
            return ",".join(str(one) for one in self.value)
        return self.value


class TextValueSelect(LazyVariable):
    """``text_value_select``: choices with a display text and a value.

    Its value here is ``{"info_value": the selection, "meta_data": all choices, as JSON}``.
    """

    code = "text_value_select"

    def get_value(self) -> dict[str, str]:
        """Return texts and values of the selected and the other choices, each joined by commas."""
        chosen = self.value["info_value"]
        chosen = chosen if isinstance(chosen, list) else [chosen]
        choices = json.loads(self.value["meta_data"])
        taken = [choice for choice in choices if choice["value"] in chosen]
        left = [choice for choice in choices if choice["value"] not in chosen]
        return {
            "value": ",".join(choice["value"] for choice in taken),
            "text": ",".join(choice["text"] for choice in taken),
            "value_not_selected": ",".join(choice["value"] for choice in left),
            "text_not_selected": ",".join(choice["text"] for choice in left),
        }


class Password(LazyVariable):
    """``password``: the entered text."""

    code = "password"

    def get_value(self) -> Any:
        """Return the entered text."""
        return self.value


class Time(LazyVariable):
    """``time``: ``18:34`` of ``18:34:08``."""

    code = "time"

    def get_value(self) -> str:
        """Return hours and minutes."""
        return str(self.value)[:-3]
