"""Worker threads and a timer, in place of a broker, workers and a beat."""

from __future__ import annotations

import heapq
import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

Job = Callable[[], None]


class Dispatcher:
    """Runs jobs soon or later, each on one of a fixed number of threads.

    Jobs live in memory only: anything that must survive a restart has to be recovered from the database
    (:mod:`local_sops.runtime.recovery`). A job's exception is logged and ends that job alone.

    :param worker_threads: how many jobs may run at once.
    """

    def __init__(self, worker_threads: int) -> None:
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._timers: list[tuple[float, int, Job]] = []
        self._timers_changed = threading.Condition()
        self._order = itertools.count()
        self._stopping = threading.Event()
        self._workers = [
            threading.Thread(target=self._work, name=f"engine-{number}", daemon=True)
            for number in range(worker_threads)
        ]
        self._clock = threading.Thread(target=self._watch_timers, name="timers", daemon=True)

    @property
    def stopping(self) -> bool:
        """Whether :meth:`stop` was called: long jobs should stop at their next safe point."""
        return self._stopping.is_set()

    def start(self) -> None:
        """Start the threads. Jobs submitted earlier run now."""
        for thread in (*self._workers, self._clock):
            thread.start()

    def submit(self, job: Job) -> None:
        """Run a job as soon as a thread is free; dropped once the dispatcher is stopping."""
        if not self.stopping:
            self._jobs.put(job)

    def submit_later(self, delay_seconds: float, job: Job) -> None:
        """Run a job after a delay; dropped if the dispatcher stops first."""
        due = time.monotonic() + max(delay_seconds, 0)
        with self._timers_changed:
            heapq.heappush(self._timers, (due, next(self._order), job))
            self._timers_changed.notify()

    def stop(self, timeout_seconds: float) -> bool:
        """Accept no more jobs and wait for the running ones.

        :returns: whether all threads ended in time. Those that did not are daemons: they die with the process.
        """
        self._stopping.set()
        with self._timers_changed:
            self._timers_changed.notify()
        for _ in self._workers:
            self._jobs.put(None)
        deadline = time.monotonic() + timeout_seconds
        for thread in (*self._workers, self._clock):
            thread.join(max(deadline - time.monotonic(), 0))
        return not any(thread.is_alive() for thread in (*self._workers, self._clock))

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            if self.stopping:
                continue
            try:
                job()
            except Exception:
                logger.exception("job %r failed", job)

    def _watch_timers(self) -> None:
        while not self.stopping:
            with self._timers_changed:
                now = time.monotonic()
                while self._timers and self._timers[0][0] <= now:
                    self.submit(heapq.heappop(self._timers)[2])
                self._timers_changed.wait(self._timers[0][0] - now if self._timers else None)
