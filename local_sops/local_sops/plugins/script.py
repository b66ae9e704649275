"""``job_fast_execute_script``: a shell script. Off unless the server is started with ``--allow-scripts``.

SOPS passes scripts to BlueKing's JOB, which runs them on the machines of ``job_ip_list``. Here they run in the shell of
this machine, as the user of this process; a node's machines and accounts are ignored. Only shell scripts contained in
the node can be run. Any API caller can then run anything: keep the server on loopback.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from pipeline.core.flow.activity import Service, StaticIntervalGenerator
from pipeline.core.flow.io import InputItem, IntItemSchema, ObjectItemSchema, OutputItem, StringItemSchema

from local_sops.plugins import Plugin

if TYPE_CHECKING:
    from pipeline.core.data.base import DataObject

CODE = "job_fast_execute_script"
VERSIONS = ("legacy", "v1.0", "v1.1", "v1.2", "v2.0", "v2.1")
SHELL = "1"
DEFAULT_TIMEOUT_SECONDS = 7200
_POLL_SECONDS = 0.2
_MAX_LOG_CHARACTERS = 100_000
_VARIABLE = re.compile(r"<SOPS_VAR>(.+?):(.*?)</SOPS_VAR>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Run:
    """A running script.

    :param deadline: monotonic, in seconds.
    """

    process: subprocess.Popen[bytes]
    output: IO[bytes]
    deadline: float


_RUNS: dict[str, _Run] = {}
"""The scripts of this process by the version of the node that started them; those of an earlier process are missing."""
_RUNS_LOCK = threading.Lock()


class ScriptService(Service):
    """Starts the script and waits for its end; exit code 0 means success."""

    __need_schedule__ = True
    interval = StaticIntervalGenerator(_POLL_SECONDS)

    def inputs_format(self) -> list[InputItem]:
        """List the inputs used here, with SOPS's texts; SOPS has more."""
        return [
            self._text(
                "脚本来源", "job_script_source", "待执行的脚本来源，手动(manual)，业务脚本(general)，公共脚本(public)"
            ),
            self._text(
                "脚本类型",
                "job_script_type",
                "待执行的脚本类型：shell(1) bat(2) perl(3) python(4) powershell(5)，仅在脚本来源为手动时生效",
            ),
            self._text("脚本内容", "job_content", "待执行的脚本内容，仅在脚本来源为手动时生效"),
            self._text("脚本执行参数", "job_script_param", "脚本执行参数"),
        ]

    def outputs_format(self) -> list[OutputItem]:
        """List the outputs with SOPS's texts."""
        found = ObjectItemSchema(
            description=(
                "输出日志中提取的全局变量，日志中形如 <SOPS_VAR>key:val</SOPS_VAR> 的变量会被提取到 "
                "log_outputs['key'] 中，值为 val"
            ),
            property_schemas={
                "name": StringItemSchema(description="全局变量名称"),
                "value": StringItemSchema(description="全局变量值"),
            },
        )
        number = IntItemSchema(description="提交的任务在 JOB 平台的实例 ID")
        url = StringItemSchema(description="提交的任务在 JOB 平台的 URL")
        return [
            self.OutputItem(name="JOB任务ID", key="job_inst_id", type="int", schema=number),
            self.OutputItem(name="JOB任务链接", key="job_inst_url", type="string", schema=url),
            self.OutputItem(name="JOB全局变量", key="log_outputs", type="object", schema=found),
        ]

    def execute(self, data: DataObject, parent_data: DataObject) -> bool:
        """Start the script."""
        if str(data.get_one_of_inputs("job_script_source", "manual")) != "manual":
            return self._refuse(data, "local_sops runs only scripts contained in the node (job_script_source manual)")
        if str(data.get_one_of_inputs("job_script_type", SHELL)) != SHELL:
            return self._refuse(data, "local_sops runs only shell scripts (job_script_type 1)")
        timeout = float(data.get_one_of_inputs("job_script_timeout") or DEFAULT_TIMEOUT_SECONDS)
        script = str(data.get_one_of_inputs("job_content") or "").replace("\r\n", "\n")
        parameters = shlex.split(str(data.get_one_of_inputs("job_script_param") or ""))
        output = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the script has ended
        process = subprocess.Popen(  # noqa: S603 - what --allow-scripts is for
            ["/bin/sh", "-c", script, "script", *parameters],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        with _RUNS_LOCK:
            _RUNS[self.version] = _Run(process, output, time.monotonic() + timeout)
        self.logger.info("process %s runs the script", process.pid)
        data.set_outputs("job_inst_id", process.pid)
        data.set_outputs("job_inst_url", "")
        return True

    def schedule(self, data: DataObject, parent_data: DataObject, callback_data: Any = None) -> bool:
        """Check whether the script has ended."""
        with _RUNS_LOCK:
            run = _RUNS.get(self.version)
        if run is None:
            return self._refuse(data, "local_sops was stopped while the script was running")
        exit_code = run.process.poll()
        if exit_code is None and time.monotonic() < run.deadline:
            return True
        with _RUNS_LOCK:
            del _RUNS[self.version]
        self.finish_schedule()
        if exit_code is None:
            _kill(run.process)
            return self._refuse(data, f"the script did not end in time: {self._take_output(data, run)}")
        text = self._take_output(data, run)
        return exit_code == 0 or self._refuse(data, f"the script ended with exit code {exit_code}: {text}")

    def _take_output(self, data: DataObject, run: _Run) -> str:
        """Write the script's output to the log, and its variables to the outputs."""
        with run.output as output:
            output.seek(0)
            text = output.read(_MAX_LOG_CHARACTERS).decode(errors="replace")
        self.logger.info("%s", text)
        data.set_outputs("log_outputs", dict(_VARIABLE.findall(text)))
        return text[-1000:]

    def _refuse(self, data: DataObject, reason: str) -> bool:
        data.set_outputs("ex_data", reason)
        return False

    def _text(self, name: str, key: str, description: str) -> InputItem:
        return self.InputItem(name=name, key=key, type="string", schema=StringItemSchema(description=description))


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a script and its child processes: it runs in its own session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


SCRIPT_PLUGINS = tuple(
    Plugin(CODE, version, "快速执行脚本", ScriptService, group_name="作业平台(JOB)") for version in VERSIONS
)
PLUGINS: tuple[Plugin, ...] = ()
"""Empty by default: with ``--allow-scripts`` the server adds :data:`SCRIPT_PLUGINS`."""
