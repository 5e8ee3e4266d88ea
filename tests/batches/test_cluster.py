"""What goes to other processes: a model, a job, the worker of a cluster."""

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import pytest

from inkwise import answer_pictures
from inkwise.batches.answering import prepare
from inkwise.batches.cluster import PieceWorker
from inkwise.batches.jobs import Job
from inkwise.model.inference import open_model
from inkwise.networks.network import Network
from inkwise.system.progress import SILENT
from tests.batches.conftest import numbered, write_folder
from tests.strokes import draw, strokes


def planned(output: Path, source: Path) -> Job:
    return prepare(
        [str(source)], str(output), strokes(), "predict", resume=False, progress=SILENT, options={}
    )


def test_a_worker_s_copy_of_a_job_answers_its_pieces(tmp_path: Path, small_shards: None) -> None:
    source = write_folder(tmp_path / "scans", 23)
    job = planned(tmp_path / "out", source)
    worker = PieceWorker(pickle.loads(pickle.dumps(job)), dict.fromkeys(range(3)))  # noqa: S301

    told = [row for piece in range(3) for row in worker({"piece": [piece]})]

    assert [row["pictures"] for row in told] == [[10], [10], [3]]
    again = answer_pictures(source, tmp_path / "out", model=strokes(), resume=True)
    assert again.pictures == 23


def test_a_piece_that_is_answered_twice_is_the_same_files_once(
    tmp_path: Path, small_shards: None
) -> None:
    job = planned(tmp_path / "out", write_folder(tmp_path / "scans", 23))
    shards = [*PieceWorker(job, {0: None})({"piece": [0]})]
    before = {file.name: file.read_bytes() for file in (tmp_path / "out").glob("part-*")}

    assert [*PieceWorker(job, {0: None})({"piece": [0]})] == shards
    assert {f.name: f.read_bytes() for f in (tmp_path / "out").glob("part-*")} == before


@pytest.mark.slow
def test_neither_ray_nor_fsspec_is_imported_by_whoever_does_not_ask(tmp_path: Path) -> None:
    write_folder(tmp_path / "scans", 3)
    script = (
        "import sys, inkwise; inkwise.answer_pictures('scans', 'out');"
        "print({'ray', 'fsspec', 's3fs'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


@pytest.mark.slow
def test_a_model_goes_to_other_processes_after_its_session_was_opened() -> None:
    model = strokes()
    pictures = [draw(kind) for _, kind in numbered(6)]
    expected = [answer.label for answer in model.classify(pictures)]  # opens the session
    answered = joblib.Parallel(n_jobs=2)(
        joblib.delayed(model.classify)([picture]) for picture in pictures
    )
    assert [answer.label for [answer] in answered] == expected


def test_a_copy_of_a_model_opens_its_session_when_it_is_first_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = strokes()
    model.classify([draw("flat")])
    model.features(model.classify([draw("flat")])[0].ink.image[None])  # type: ignore[union-attr]
    opened: list[bytes] = []

    def counted(content: bytes, network: Network) -> Any:
        opened.append(content)
        return open_model(content, network)

    monkeypatch.setattr("inkwise.model.artifact.open_model", counted)
    copy = pickle.loads(pickle.dumps(model))  # noqa: S301
    assert not opened
    assert copy.classify([draw("flat")])[0].label == "flat"
    assert opened == [model.onnx]
    assert copy.provenance == model.provenance
