"""inkwise audit, and --labels: what is shown and what is refused."""

import dataclasses
import re
from pathlib import Path

import pytest

from inkwise import Dataset, Run
from inkwise.data.label_corrections import ACCEPT, Decision, hash_image, write_decisions
from tests.cli.conftest import Call


def test_labels_give_both_numbers_or_one_line(
    call: Call, run: Run, optdigits: Dataset, tmp_path: Path
) -> None:
    image, label = optdigits.test.images[7], optdigits.test.labels[7]
    names = optdigits.class_names
    decision = Decision("test", 7, names[label], names[(label + 1) % 10], ACCEPT, hash_image(image))
    path = write_decisions(tmp_path / "labels.csv", [decision])

    result = call("evaluate", run.path, "--labels", path)

    assert result.code == 0
    assert "With 1 corrected label: accuracy" in result.out
    foreign = dataclasses.replace(decision, image_sha256="0" * 64)
    write_decisions(path, [foreign])
    refused = call("evaluate", run.path, "--labels", path)
    assert refused.code == 1
    assert refused.err.startswith("error: ")
    assert "made for other data: image 7 of test" in refused.err
    assert refused.err.count("\n") == 1


def test_what_an_audit_refuses(call: Call, tmp_path: Path) -> None:
    unknown = call("audit", "nothing", "-o", tmp_path / "audit")
    assert unknown.code == 2
    assert unknown.err.startswith("error: unknown data set 'nothing': use auto, mnist, ")
    assert unknown.err.count("\n") == 1
    assert not (tmp_path / "audit").exists()
    two = call("audit", "optdigits", "--data", tmp_path)
    assert two.code == 2
    assert f"{tmp_path} and optdigits are two data sets: leave out one of them" in two.err
    split = call("audit", "optdigits", "--split", "validation")
    assert split.code == 2
    assert ": use train or test" in split.err


@pytest.mark.usefixtures("trains")
def test_an_audit_shows_what_it_found(
    call: Call, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audit"
    # As few epochs as a large data set gets: it does not matter here what is found.
    monkeypatch.setattr("inkwise.auditing.judges.scale_epochs", lambda recipe, _: (recipe, None))

    result = call("audit", "--data", archive, "--split", "test", "--output", path)

    assert result.code == 0
    assert re.search(r"Probably wrong: \d+ of [\d,]+ labels of archive, test split; ", result.out)
    assert str(path / "audit.html") in result.out
    assert "Training model 6 of 6 on 60 images" in result.err
    assert (path / "labels.csv").is_file()
