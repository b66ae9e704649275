"""What happened in one run, in order, so that a failure can be understood."""

from __future__ import annotations

import logging
import threading
import time
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(eq=False)
class Story:
    """The events of one run and everything that was logged during it."""

    begun: float = field(default_factory=time.time)
    lines: list[str] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def begin(self) -> None:
        """Count the seconds from now on."""
        self.begun = time.time()

    def tell(self, who: str, what: str) -> None:
        """Add an event."""
        with self._lock:
            self.lines.append(f"{time.time() - self.begun:7.3f}  {who:9s} {what}")

    def log(self, text: str) -> None:
        """Add a log record."""
        self.tell("log", text)
        with self._lock:
            self.logged.append(text)

    def __str__(self) -> str:
        return "\n".join(self.lines)


#: The story that is being lived in this thread, event loop or task.
current_story: ContextVar[Story | None] = ContextVar("current_story", default=None)


class StoryHandler(logging.Handler):
    """Writes every log record of a run into its story, tracebacks included.

    Records of the provider are kept as they are: it must not rely on Airflow's masking. Those of libraries go
    through it, as they do in Airflow.
    """

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        story = current_story.get()
        if story is None:
            return
        text = self.format(record)
        if not record.name.startswith(("airflow_provider_sops", "tests.faults")):
            from airflow.providers.common.compat.sdk import redact

            text = str(redact(text))
        story.log(text)
