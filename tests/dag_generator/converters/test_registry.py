"""Which converter a node gets, and what its outputs are."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from airflow_provider_sops.dag_generator.converters.registry import ConverterRegistry, NodeConverter
from airflow_provider_sops.sops.errors import SopsInvalidParameterError

SOPS_OWN = {"_result": True, "_loop": 1, "_inner_loop": 1}


def one(node: Any) -> Any:
    return node


def another(node: Any) -> Any:
    return node


def test_a_converter_for_a_version_is_for_that_version_alone() -> None:
    converters = ConverterRegistry()
    converters.register("my_plugin", "v1.0")(one)
    assert converters.find("my_plugin", "v1.0") == NodeConverter(one)
    assert converters.find("my_plugin", "v2.0") is None
    assert converters.find("other_plugin", "v1.0") is None


def test_a_converter_without_a_version_is_for_every_version() -> None:
    converters = ConverterRegistry()
    converters.register("my_plugin")(one)
    assert converters.find("my_plugin", "legacy") == converters.find("my_plugin", "v9") == NodeConverter(one)


def test_the_converter_for_just_the_version_comes_first() -> None:
    converters = ConverterRegistry()
    converters.register("my_plugin")(one)
    converters.register("my_plugin", "v2.0")(another)
    assert converters.find("my_plugin", "v2.0") == NodeConverter(another)
    assert converters.find("my_plugin", "v1.0") == NodeConverter(one)


@pytest.mark.parametrize("version", ["v1.0", "*"])
def test_what_is_registered_later_replaces_what_was_before(version: str) -> None:
    converters = ConverterRegistry()
    converters.register("my_plugin", "v1.0")(one)
    converters.register("my_plugin", version)(another)
    assert converters.find("my_plugin", "v1.0") == NodeConverter(another)


def test_the_decorated_function_stays_what_it_is() -> None:
    assert ConverterRegistry().register("my_plugin")(one) is one


def test_a_converter_that_is_made_already_can_be_added() -> None:
    converters = ConverterRegistry()
    made = NodeConverter(one, outputs={})
    converters.add("bk_notify", "*", made)
    assert converters.find("bk_notify", "v1.0") is made


@pytest.mark.parametrize("arguments", [(one,), ("",), ("my_plugin", 1)])
def test_the_plugin_and_the_version_must_be_texts(arguments: Any) -> None:
    with pytest.raises(SopsInvalidParameterError, match=r'@converters.register\("my_plugin", "v1.0"\)'):
        ConverterRegistry().register(*arguments)


def test_declared_outputs_are_made_of_what_the_operator_returned() -> None:
    converter = NodeConverter(one, outputs={"lines": len, "first": lambda found: found[0]})
    assert converter.outputs_of(["a", "b"]) == {"lines": 2, "first": "a", **SOPS_OWN}


@pytest.mark.parametrize(("returned", "outputs"), [({"code": 0}, {"code": 0}), ("text", {}), (None, {}), ([1], {})])
def test_undeclared_outputs_are_the_returned_dict(returned: Any, outputs: dict[str, Any]) -> None:
    assert NodeConverter(one).outputs_of(returned) == {**outputs, **SOPS_OWN}


def test_an_operator_may_tell_what_sops_tells() -> None:
    assert NodeConverter(one).outputs_of({"_loop": 3})["_loop"] == 3


def test_an_output_that_cannot_be_made_is_named() -> None:
    converter = NodeConverter(one, outputs={"first": lambda found: found["first"]})
    with pytest.raises(SopsInvalidParameterError, match=r"output first raised KeyError .* a dict") as raised:
        converter.outputs_of({})
    assert isinstance(raised.value.__cause__, KeyError)


def test_a_registry_needs_no_provider() -> None:
    code = (
        "import sys; import airflow_provider_sops.dag_generator.converters.registry;"
        "sys.exit(str([name for name in sys.modules if name.startswith('airflow.')] or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
