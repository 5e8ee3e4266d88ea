"""The log: one JSON object per line on standard output, written without blocking requests."""

import contextlib
import datetime
import json
import logging
import os
import sys
import threading
import time
from collections import deque
from typing import Any

CONFIGURATION: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"lines": {"()": "inkwise.serving.log.JsonLines"}},
    "handlers": {"lines": {"()": "inkwise.serving.log.Writer", "formatter": "lines"}},
    "loggers": {
        name: {"handlers": ["lines"], "level": level, "propagate": False}
        for name, level in (("inkwise", "INFO"), ("uvicorn", "WARNING"))
    },
}
"""Configuration of logging, for `logging.config.dictConfig` and for uvicorn."""

PERIOD = 0.1
"""Seconds between two writes."""

MOST = 10_000
"""Largest number of unwritten lines while standard output blocks; then the oldest are dropped."""

WHOLE = 4096
"""Bytes that a pipe accepts atomically (PIPE_BUF), so that lines of several workers do not mix."""


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON: time, level, event, and the record's ``fields``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        moment = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        line: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


# The standard library's QueueHandler and QueueListener took 50% more CPU time, because they wake a
# thread and write for every line. Their queue is unbounded, or drops the newest lines when full.
class Writer(logging.Handler):
    """A handler that writes to standard output from its own thread, many lines at a time.

    If the event loop wrote a line itself, it would release Python's lock, and wait for it while
    the other threads compute; it would also wait whenever the reader of a pipe is slow.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lines: deque[bytes] = deque(maxlen=MOST)
        self._writing = threading.Lock()
        threading.Thread(target=self._write_for_ever, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a line, which the thread writes later."""
        self._lines.append(self.format(record).encode("ascii") + b"\n")

    def flush(self) -> None:
        """Write all queued lines; `logging` calls this when the program ends."""
        with self._writing, contextlib.suppress(OSError, ValueError):
            out = sys.stdout.fileno()
            while self._lines:
                piece = self._lines.popleft()
                with contextlib.suppress(IndexError):
                    while len(piece) + len(self._lines[0]) <= WHOLE:
                        piece += self._lines.popleft()
                while piece:
                    piece = piece[os.write(out, piece) :]

    def _write_for_ever(self) -> None:
        while True:
            time.sleep(PERIOD)
            self.flush()
