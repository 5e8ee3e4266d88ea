"""The log: a JSON object a line, to standard output, without keeping anybody waiting."""

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
"""For `logging.config.dictConfig`, and for uvicorn."""

PERIOD = 0.1
"""Seconds between two times of writing."""

MOST = 10_000
"""Lines that are kept for a reader who does not read; older ones are lost."""

WHOLE = 4096
"""Bytes that a pipe takes in one piece, so that lines of several workers do not mix (PIPE_BUF)."""


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


# QueueHandler and QueueListener, logging's own, took half as much CPU time again: a wake-up and a
# write a line. Their queue either has no bound, or loses the newest lines when it is full.
class Writer(logging.Handler):
    """Writes lines to standard output from a thread of its own, many at a time.

    The event loop would lose Python's lock at every line that it wrote itself, and wait for it
    while the other threads compute; or for a reader of the pipe.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lines: deque[bytes] = deque(maxlen=MOST)
        self._writing = threading.Lock()
        threading.Thread(target=self._write_for_ever, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line until it is written."""
        self._lines.append(self.format(record).encode("ascii") + b"\n")

    def flush(self) -> None:
        """Write what there is; `logging` calls it when the program ends."""
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
