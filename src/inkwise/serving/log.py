"""The log: a JSON object a line, to standard output."""

import datetime
import json
import logging
from typing import Any

CONFIGURATION: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"lines": {"()": "inkwise.serving.log.JsonLines"}},
    "handlers": {
        "lines": {
            "class": "logging.StreamHandler",
            "formatter": "lines",
            "stream": "ext://sys.stdout",
        }
    },
    "loggers": {
        name: {"handlers": ["lines"], "level": level, "propagate": False}
        for name, level in (("inkwise", "INFO"), ("uvicorn", "WARNING"))
    },
}
"""For `logging.config.dictConfig`, and for uvicorn."""


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
