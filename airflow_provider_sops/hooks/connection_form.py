"""A connection type's form for Airflow before 3.2; later versions read the provider info."""

from __future__ import annotations

from typing import Any

from airflow_provider_sops.get_provider_info import get_provider_info


def form_widgets(connection_type: str) -> dict[str, Any]:
    """Return the connection type's own form fields."""
    from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
    from wtforms import PasswordField, StringField

    widgets: dict[str, Any] = {}
    for name, form_field in _declared(connection_type)["conn-fields"].items():
        schema = form_field["schema"]
        secret = schema.get("format") == "password"
        default = schema.get("default")
        widgets[name] = (PasswordField if secret else StringField)(
            form_field["label"],
            widget=BS3PasswordFieldWidget() if secret else BS3TextFieldWidget(),
            description=form_field["description"],
            default=None if default is None else str(default),
        )
    return widgets


def field_behaviour(connection_type: str) -> dict[str, Any]:
    """Return how the standard connection fields are shown."""
    behaviour = _declared(connection_type)["ui-field-behaviour"]
    return {
        "hidden_fields": behaviour["hidden-fields"],
        "relabeling": behaviour["relabeling"],
        "placeholders": behaviour["placeholders"],
    }


def _declared(connection_type: str) -> dict[str, Any]:
    types = get_provider_info()["connection-types"]
    found: dict[str, Any] = next(entry for entry in types if entry["connection-type"] == connection_type)
    return found
