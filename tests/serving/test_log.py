"""Lines of JSON that keep nobody waiting."""

import json
import logging
import os
import sys
from pathlib import Path

import pytest

from inkwise.serving.log import WHOLE, JsonLines, Writer


def record(message: str, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("a", logging.ERROR, "a.py", 1, message, (), None)
    vars(made)["fields"] = fields
    return made


def test_a_line_is_json_whatever_is_in_it() -> None:
    line = JsonLines().format(record('a "line"\nof two', path="/ä\x1b[31m\ud800", other=Path("a")))
    assert line.isascii()
    assert "\n" not in line
    found = json.loads(line)
    assert (found["event"], found["level"], found["path"]) == (
        *('a "line"\nof two', "error"),
        "/ä\x1b[31m\ud800",
    )


def test_all_lines_are_written_whole_and_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    writer = Writer()
    writer.setFormatter(JsonLines())
    pieces = []
    write = os.write

    def watch(descriptor: int, piece: bytes) -> int:
        pieces.append(piece)
        return write(descriptor, piece)

    with path.open("w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(os, "write", watch)
        for number in range(500):
            writer.emit(record("event", number=number, text="a" * (number % 90)))
        writer.emit(record("event", number=500, text="a" * 2 * WHOLE))
        writer.flush()
        monkeypatch.undo()
    numbers = [json.loads(line)["number"] for line in path.read_text().splitlines()]
    assert numbers == [*range(501)]
    assert all(piece.endswith(b"\n") for piece in pieces)
    assert all(len(piece) <= WHOLE for piece in pieces[:-1])


def test_of_lines_that_nobody_reads_the_oldest_are_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inkwise.serving.log.PERIOD", 60)
    monkeypatch.setattr("inkwise.serving.log.MOST", 3)
    writer = Writer()
    writer.setFormatter(JsonLines())
    for number in range(5):
        writer.emit(record("event", number=number))
    with (tmp_path / "log").open("w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        writer.flush()
        monkeypatch.undo()
    lines = (tmp_path / "log").read_text().splitlines()
    assert [json.loads(line)["number"] for line in lines] == [2, 3, 4]


def test_a_reader_who_is_gone_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Writer()
    writer.setFormatter(JsonLines())
    with (tmp_path / "log").open("w") as out:
        monkeypatch.setattr(sys, "stdout", out)
    for _ in range(3):
        writer.emit(record("event"))
        writer.flush()
