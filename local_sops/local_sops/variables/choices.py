"""What a person chose or entered in a form."""

from __future__ import annotations

import json
from typing import Any

from pipeline.core.data.var import LazyVariable


class Select(LazyVariable):
    """``select``: one choice as it is, several as one text with commas."""

    code = "select"

    def get_value(self) -> Any:
        """Give the choice."""
        if isinstance(self.value, list):
            return ",".join(str(one) for one in self.value)
        return self.value


class TextValueSelect(LazyVariable):
    """``text_value_select``: choices that have a text for people beside their value.

    Its value here is ``{"info_value": what was chosen, "meta_data": all choices, as JSON}``.
    """

    code = "text_value_select"

    def get_value(self) -> dict[str, str]:
        """Give texts and values of what was chosen and of what was not, each as one text with commas."""
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
    """``password``: what was entered."""

    code = "password"

    def get_value(self) -> Any:
        """Give what was entered."""
        return self.value


class Time(LazyVariable):
    """``time``: ``18:34`` of ``18:34:08``."""

    code = "time"

    def get_value(self) -> str:
        """Give hours and minutes."""
        return str(self.value)[:-3]
