"""Several workers: processes that share a socket, and who looks after them."""

import os
import signal

from prometheus_client import multiprocess
from uvicorn.supervisors.multiprocess import Multiprocess

from inkwise.serving.metrics import SHARED

__all__ = ["SHARED", "Workers"]


class Workers(Multiprocess):
    """uvicorn's workers, of which none ends when the model is loaded again."""

    failed = False
    """Whether one could not even start."""

    def terminate_all(self) -> None:
        """Take no more connections, and have the workers finish what they have begun."""
        for each in self.sockets:
            each.close()  # or callers would wait for an answer that nobody gives
        super().terminate_all()

    def handle_hup(self) -> None:
        """Tell every worker to load the model again, once it can be told."""
        for process in self.processes:
            ready = process.wait_until_ready(
                self.config.timeout_worker_healthcheck, self.should_exit
            )
            if ready and process.pid is not None:
                os.kill(process.pid, signal.SIGHUP)

    def keep_subprocess_alive(self) -> None:
        """Start another in the place of a worker that died, and forget the dead one's gauges."""
        ending = self.should_exit.is_set()
        before = {process.pid for process in self.processes}
        super().keep_subprocess_alive()
        for pid in before - {process.pid for process in self.processes}:
            multiprocess.mark_process_dead(pid)
        self.failed = self.should_exit.is_set() and not ending
