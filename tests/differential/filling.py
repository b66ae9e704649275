"""Fills the shape of a tree: what its nodes do and return, what its gateways ask, what its variables hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.differential.sops_run import DRAWN_AS

if TYPE_CHECKING:
    from random import Random

#: What differs when it is read as text, rendered as a template or taken for another type.
_VALUES: tuple[Any, ...] = (
    "up",
    "007",
    "",
    "发布 🚀",
    "{{ ds }} {% raw %}",
    "${unknown}",
    "a\nb\t\"c\" 'd' \\",
    7,
    -1,
    0,
    2**53 + 1,
    1.0,
    0.1,
    True,
    False,
    None,
    [],
    {},
    ["1", 1, True, None],
    {"port": 8080, "tags": ["a", {"b": 1.5}], "名": None},
)
_DELAYS = (0, 0, 0, 0.05, 0.2)
_FIRST_RUNS = tuple(range(1, 30))


def filled(tree: Any, random: Random) -> Any:
    """Fill a tree of ``web_tree`` in place and return it."""
    _Filling(tree, random, ()).fill()
    return tree


class _Filling:
    """One level.

    :param path: ids of the subprocesses around it.
    """

    def __init__(self, tree: Any, random: Random, path: tuple[str, ...]) -> None:
        self._tree = tree
        self._random = random
        self._path = path

    def fill(self) -> None:
        self._add_variables()
        for node_id, activity in self._tree["activities"].items():
            activity[DRAWN_AS] = node_id
            if "pipeline" in activity:
                self._fill_subprocess(node_id, activity)
            else:
                self._fill_activity(node_id, activity)
        for gateway_id, gateway in self._tree["gateways"].items():
            gateway[DRAWN_AS] = gateway_id
            if "conditions" in gateway:
                self._fill_conditions(gateway_id, gateway)
        constants = self._tree["constants"]
        self._tree["outputs"] = [key for key in constants if key != "${word}"]

    def _add_variables(self) -> None:
        custom = (
            ("word", "input", self._random.choice(("yes", "no"))),
            ("number", "int", self._random.choice((3, "3"))),
        )
        for name, kind, value in custom:
            show_type = "show" if self._random.random() < 0.7 else "hide"
            self._add_constant(f"${{{name}}}", source_type="custom", custom_type=kind, value=value, show_type=show_type)

    def _add_constant(self, key: str, **fields: Any) -> None:
        self._tree["constants"][key] = {
            "key": key,
            "name": key,
            "value": "",
            "desc": "",
            "index": len(self._tree["constants"]),
            "custom_type": "",
            "source_info": {},
            "source_tag": "",
            "show_type": "hide",
            "validation": "",
            "version": "legacy",
            **fields,
        }

    def _fill_subprocess(self, node_id: str, activity: Any) -> None:
        """Fill the level inside; its shown variables take their values from this one."""
        child = activity["pipeline"]
        _Filling(child, self._random, (*self._path, node_id)).fill()
        for constant in child["constants"].values():
            if constant["show_type"] == "show" and self._random.random() < 0.5:
                constant["value"] = self._reference(node_id)
        inner = [key for key, constant in child["constants"].items() if constant["source_type"] == "component_outputs"]
        if inner:
            self._bind(f"${{from_{node_id}}}", node_id, self._random.choice(inner))

    def _fill_activity(self, node_id: str, activity: Any) -> None:
        fails = activity["component"]["code"] == "sleep_timer"
        counts_rounds = any(
            node_id in constant["source_info"] and constant["source_info"][node_id] == ["_loop"]
            for constant in self._tree["constants"].values()
        )
        value = self._random.choice(_VALUES) if self._random.random() < 0.7 else self._reference(node_id)
        inputs = {
            "value": value,
            "delay_seconds": self._random.choice(_DELAYS),
            "failing_runs": self._failing_runs(activity) if fails else [],
            "counted_as": "/".join(("${_system.task_id}", *self._path, node_id)),
        }
        data = {key: {"hook": False, "need_render": True, "value": value} for key, value in inputs.items()}
        activity["component"] = {"code": "probe", "version": "1.0", "data": data}
        # One variable for each node: SOPS counts only the first.
        if not counts_rounds and self._random.random() < 0.6:
            self._bind(f"${{said_{node_id}}}", node_id, "value")

    def _failing_runs(self, activity: Any) -> list[int]:
        """Choose among: each run, the first ones until the retries help, one in a later round."""
        choices = [list(_FIRST_RUNS), [2], [1]]
        if activity["auto_retry"]["enable"]:
            choices += [list(range(1, activity["auto_retry"]["times"] + 1))] * 3
        if activity["error_ignorable"]:
            choices += [list(_FIRST_RUNS)] * 3
        return self._random.choice(choices)

    def _bind(self, key: str, node_id: str, output: str) -> None:
        self._add_constant(key, source_type="component_outputs", source_info={node_id: [output]})

    def _reference(self, node_id: str) -> str:
        """Choose a variable that has its value when the node begins, whatever is side by side with it."""
        known = ["${word}", "${number}", *self._said_before(node_id)]
        return self._random.choice(known)

    def _said_before(self, node_id: str) -> list[str]:
        return [
            key
            for key, constant in self._tree["constants"].items()
            if constant["source_type"] == "component_outputs"
            and self._is_always_before(next(iter(constant["source_info"])), node_id)
        ]

    def _is_always_before(self, first: str, then: str) -> bool:
        """Whether no way from the start to a node leads around another one."""
        if first == then:
            return False
        reached, waiting = {first}, [self._tree["start_event"]["id"]]
        while waiting:
            here = waiting.pop()
            if here in reached:
                continue
            reached.add(here)
            waiting += [flow["target"] for flow in self._tree["flows"].values() if flow["source"] == here]
        return then not in reached

    def _fill_conditions(self, gateway_id: str, gateway: Any) -> None:
        """Say the same, true or false, in other words; those of loops stay."""
        conditions = gateway["conditions"]
        if any("rounds" in condition["evaluate"] for condition in conditions.values()):
            return
        rounds = [key for key in self._said_before(gateway_id) if key.startswith("${rounds_")]
        if rounds and self._random.random() < 0.6:
            self._ask_for_rounds(self._random.choice(rounds), gateway)
            return
        for condition in conditions.values():
            is_true = condition["evaluate"] == "1 == 1"
            if self._random.random() < 0.05:
                is_true = not is_true
            condition["evaluate"] = self._question(gateway_id, is_true=is_true)
            # Two branches may have the same name.
            condition["name"] = self._random.choice((condition["evaluate"], "case", ""))

    def _ask_for_rounds(self, key: str, gateway: Any) -> None:
        """Choose another branch in each round."""
        *first, last = gateway["conditions"].values()
        for number, condition in enumerate(first, start=1):
            condition["evaluate"] = f"{key} == {number}"
        last["evaluate"] = f"{key} > {len(first)}"

    def _question(self, gateway_id: str, *, is_true: bool) -> str:
        constants = self._tree["constants"]
        questions = [
            "1 == 1" if is_true else "1 == 0",
            f"${{number}} {'==' if is_true else '!='} 3",
            '${number} in (1, 3) and "${word}" != "maybe"' if is_true else "${number} < 3",
        ]
        for key in self._said_before(gateway_id):
            ((source, (output,)),) = constants[key]["source_info"].items()
            value = self._value_of(source) if output == "value" else None
            if type(value) is int:
                questions += [f"${{{key[2:-1]}}} {'==' if is_true else '!='} {value}"] * 3
            elif isinstance(value, str) and value.isalnum():
                questions += [f'"{key}" {"==" if is_true else "!="} "{value}"'] * 3
        return self._random.choice(questions)

    def _value_of(self, node_id: str) -> Any:
        return self._tree["activities"][node_id]["component"]["data"]["value"]["value"]
