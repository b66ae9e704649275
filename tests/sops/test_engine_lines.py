"""The engine's lines in the log of a node are told from those of its plugin."""

from __future__ import annotations

import pytest

from airflow_provider_sops.sops.engine_lines import without_engine_lines

ENGINE = """\
root pipeline[n1] before execute ServiceActivity(n2) state: None
root_pipeline[n1] node(n2) activity execute data: <Data: {'inputs': {}}>, root inputs: {}
root_pipeline[n1] node(n2) activity context values: [<ContextValue: {'key': '${pw}', 'value': 'x', 'code': 'password'}>]
root_pipeline[n1] node(n2) actvity hydrated context: {'pw': 'x'}
pipeline resolve template[${pw.x}] error['str' object has no attribute 'x']
constant content(${pw.x}) is invalid, data({'pw': 'x'}), error: no attribute
[pipeline-trace](root_pipeline: n1) execute node n3
top_pipeline(n1) pre_render_keys results are: {'${pw}': 'x'}
[exclusive_gateway] evaluation parse error: x""".splitlines()
PLUGIN = ["asks admin to approve", "", "the pipeline[n1] of ours", "a constant content", "[INFO] ready"]


@pytest.mark.parametrize("stamp", ["", "[2026-03-02 09:00:00,123][INFO] "])
@pytest.mark.parametrize("line", ENGINE)
def test_a_line_of_the_engine_is_left_out(line: str, stamp: str) -> None:
    assert without_engine_lines(f"before\n{stamp}{line}\nafter" if not stamp else f"{stamp}{line}") == (
        "" if stamp else "before\nafter"
    )


def test_all_that_the_plugin_wrote_is_kept() -> None:
    log = "\n".join([*ENGINE, *PLUGIN, *ENGINE[-3:]])
    assert without_engine_lines(log).splitlines() == PLUGIN


def test_lines_without_a_stamp_belong_to_the_entry_before_them() -> None:
    log = (
        "[2026-03-02 09:00:00,123][INFO] root_pipeline[n1] node(n2) context values: first\nsecond x\n"
        "[2026-03-02 09:00:01,000][INFO] script says\nsecond line of the script\n"
        "[2026-03-02 09:00:02,000][ERROR] root_pipeline[n1] node(n2) context hydrate error\nTraceback\n  x\nError: x"
    )
    assert without_engine_lines(log) == "[2026-03-02 09:00:01,000][INFO] script says\nsecond line of the script"


def test_a_traceback_goes_with_the_engines_line_before_it() -> None:
    traceback = 'Traceback (most recent call last):\n  File "a.py", line 1, in x\n    y(x)\nValueError: x\n'
    chained = "\nDuring handling of the above exception, another exception occurred:\n\n"
    log = f"root_pipeline[n1] node(n2) context hydrate error\n{traceback}{chained}{traceback}plugin\n{traceback}"
    assert without_engine_lines(log) == f"plugin\n{traceback}".rstrip("\n")
