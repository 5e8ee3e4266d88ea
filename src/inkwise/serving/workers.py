"""Several workers: processes that share a socket, and the process that supervises them."""

import os
import signal

from prometheus_client import multiprocess
from uvicorn.supervisors.multiprocess import Multiprocess

from inkwise.serving.metrics import SHARED

__all__ = ["SHARED", "Workers"]


class Workers(Multiprocess):
    """uvicorn's supervisor of workers, changed so that SIGHUP reloads the model in each of them."""

    failed = False
    """Whether a worker could not start."""

    def terminate_all(self) -> None:
        """Accept no more connections, and let the workers finish their requests."""
        for each in self.sockets:
            each.close()  # otherwise new clients would wait for a response that never comes
        super().terminate_all()

    def handle_hup(self) -> None:
        """Tell every worker to load the model again, as soon as it can receive signals."""
        for process in self.processes:
            ready = process.wait_until_ready(
                self.config.timeout_worker_healthcheck, self.should_exit
            )
            if ready and process.pid is not None:
                os.kill(process.pid, signal.SIGHUP)

    def keep_subprocess_alive(self) -> None:
        """Replace a worker that died, and remove its gauges from the metrics."""
        ending = self.should_exit.is_set()
        before = {process.pid for process in self.processes}
        super().keep_subprocess_alive()
        for pid in before - {process.pid for process in self.processes}:
            multiprocess.mark_process_dead(pid)
        self.failed = self.should_exit.is_set() and not ending
