"""The folder of many trainings: what they are about, and that one process at a time is at it."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from inkwise.errors import ArgumentError, RunError
from inkwise.system.files import read_bytes, storage, write_json
from inkwise.system.locks import LOCK_FILE, locked


@contextlib.contextmanager
def claim_series(folder: Path, what: str, question: Mapping[str, Any]) -> Iterator[None]:
    """Keep a folder for oneself: a new or empty one, or one with the same question in it.

    Parameters
    ----------
    folder : Path
    what : str
        What is in the folder, such as ``sweep``; its question is in a file of this name.
    question : mapping
        JSON values: everything that the trainings depend on.

    Raises
    ------
    ArgumentError
        The folder holds something else; the message says what differs.
    RunError
        Another process is at it, or the file is damaged.
    StorageError
        The folder cannot be written.
    """
    path = folder / f"{what}.json"
    with storage(folder, "write to"):
        folder.mkdir(parents=True, exist_ok=True)
        held = {each.name for each in folder.iterdir()} - {LOCK_FILE}
    with locked(folder):
        if not path.exists():
            # A kill while the question was written leaves its temporary file and nothing else.
            if any(not name.startswith(f".{path.name}.") for name in held):
                raise ArgumentError(
                    f"{folder} holds files already: choose another --output, or remove it"
                )
            write_json(path, question)
        _require_same(path, what, json.loads(json.dumps(question)))
        yield


def _require_same(path: Path, what: str, question: Mapping[str, Any]) -> None:
    try:
        there = json.loads(read_bytes(path))
        asked = {key: there[key] for key in question}
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise RunError(f"{path} is damaged or from another version: choose another folder") from (
            error
        )
    for key, value in question.items():
        if asked[key] != value:
            raise ArgumentError(
                f"{path.parent} holds another {what.replace('-', ' ')}, which differs in "
                f"{_difference(key, asked[key], value)}: choose another --output, or remove it"
            )


def _difference(key: str, old: Any, new: Any) -> str:
    """Name the innermost value that differs."""
    if isinstance(old, dict) and isinstance(new, dict):
        for inner in {**old, **new}:
            if old.get(inner) != new.get(inner):
                return _difference(f"{key}.{inner}", old.get(inner), new.get(inner))
    return f"{key} ({_short(old)} there, {_short(new)} now)"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def mend_lines(path: Path) -> None:
    """Cut off the last line of a file if a kill or a full disk left only a part of it."""
    if not path.exists():
        return
    with storage(path, "write"), path.open("r+b") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            file.truncate(whole)
            file.flush()
            os.fsync(file.fileno())
