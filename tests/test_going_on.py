"""Trainings that go on from a model: with a few pictures of one hand, and with new classes."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwise import Dataset, Model, Run, Split, evaluate, load_folder, resume, train
from inkwise.errors import ArgumentError, DataError, ModelError, RunError
from inkwise.runs.gains import Gain
from inkwise.runs.mixed_data import hold_out, join_classes
from inkwise.runs.seen_images import hash_images
from inkwise.system.progress import Batch
from tests.folders import SYMBOLS, write_pictures, write_symbols
from tests.shared_runs import without_figures
from tests.telling import AtEachBatch, Heard

ODD = {"0": "hash", "3": "tick", "8": "tee"}
"""How a hand writes three of the digits, as nobody else does."""


@pytest.fixture(scope="module")
def hand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten pictures of each digit of this hand. It is shared: do not change it."""
    return write_symbols(tmp_path_factory.mktemp("hand") / "hand", ODD, 10)


@pytest.fixture(scope="module")
def improved(
    finished: Path, hand: Path, trains: None, tmp_path_factory: pytest.TempPathFactory
) -> Run:
    """A run that went on with this hand. It is shared: do not change it."""
    path = tmp_path_factory.mktemp("improved") / "run"
    with without_figures():
        return train(start=finished, data=hand, output=path, learning_rate=1e-3)


def test_it_learns_the_hand_and_forgets_little(improved: Run, finished: Path) -> None:
    own, earlier = improved.gains

    assert improved.status == "complete"
    assert (own.name, earlier.name) == ("hand", "optdigits")
    assert (own.images, len(own.wrong_after)) == (6, 0)  # a fifth of each class
    assert len(own.wrong_before) >= 4
    assert list(earlier.wrong_before) == sorted(Run(finished).evaluation.misclassified)
    assert len(earlier.wrong_after) <= len(earlier.wrong_before) + 0.01 * earlier.images


def test_the_run_and_its_report_say_what_it_went_on_from(improved: Run, finished: Path) -> None:
    start, first = improved.record["start"], Run(finished)
    page = improved.report_path.read_text(encoding="utf-8")

    assert start["model"] == str(finished)
    assert start["earlier"]["sha256"] == first.record["dataset"]["sha256"]
    assert improved.model.provenance["start"] == start
    assert improved.model.class_names == first.model.class_names
    assert improved.recipe.describe_network((28, 28), 10) == first.model.network
    assert "Before and after" in page
    for gain in improved.gains:
        assert gain.verdict in page
    assert first.gains == []
    assert "Before and after" not in first.report_path.read_text(encoding="utf-8")


def test_the_pictures_are_found_again(improved: Run, hand: Path) -> None:
    assert sorted(evaluate(improved).misclassified) == improved.gains[0].wrong_after
    assert len(evaluate(improved, data=hand)) == 6  # of all pictures, it has not seen these


def test_what_the_first_model_learned_from_counts_as_seen(
    improved: Run, optdigits: Dataset
) -> None:
    learned, tested = (improved.has_seen(part.images) for part in (optdigits.train, optdigits.test))

    assert learned is not None
    assert learned.all()
    assert tested is not None
    assert not tested.any()


@pytest.mark.usefixtures("unreported")
def test_a_folder_that_grows_is_never_tested_on_what_was_learned(
    improved: Run, hand: Path, tmp_path: Path
) -> None:
    grown = write_symbols(Path(shutil.copytree(hand, tmp_path / "hand")), ODD, 6, seed=1)

    second = train(start=improved.path, data=grown, output=tmp_path / "second", epochs=1)

    tested = evaluate(second)
    assert len(tested) == 9  # a fifth of 48 pictures
    assert second.record["start"]["earlier"] == improved.record["start"]["earlier"]
    assert second.gains[1].name == "optdigits"
    whole = load_folder(grown)
    images = np.concatenate([whole.train.images, whole.test.images])
    seen = improved.has_seen(images)
    both = second.has_seen(images)
    assert seen is not None
    assert both is not None
    assert not (seen & ~both).any()  # what the first has learned, the second was not tested on
    with pytest.raises(RunError, match=r"its SHA-256 differs"):
        evaluate(improved, dataset=dataclasses.replace(whole, name="hand"))


@pytest.mark.usefixtures("unreported")
def test_an_interrupted_one_is_resumed(
    improved: Run, finished: Path, hand: Path, tmp_path: Path
) -> None:
    def press_ctrl_c(batch: Batch) -> None:
        if batch.epoch == 3:
            raise KeyboardInterrupt

    stopped = train(
        start=finished,
        data=hand,
        output=tmp_path / "run",
        progress=AtEachBatch(press_ctrl_c),
        learning_rate=1e-3,
    )
    assert stopped.status == "interrupted"
    assert stopped.gains == []

    resumed = resume(stopped)

    assert resumed.gains == improved.gains
    for name, array in improved.model.weights.items():
        np.testing.assert_array_equal(resumed.model.weights[name], array)


@pytest.mark.usefixtures("unreported")
def test_it_is_resumed_from_anywhere_with_pictures_that_have_moved(
    finished: Path, hand: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press_ctrl_c(batch: Batch) -> None:
        if batch.epoch == 2:
            raise KeyboardInterrupt

    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    shutil.copytree(finished, "base")
    shutil.copytree(hand, "mine")
    train(
        start="base",
        data="mine",
        output=tmp_path / "run",
        epochs=2,
        progress=AtEachBatch(press_ctrl_c),
    )
    monkeypatch.chdir(tmp_path)
    Path("here/mine").rename("moved")

    with pytest.raises(RunError, match="your own data set, mine"):
        resume("run")
    resumed = resume("run", data="moved")

    assert resumed.status == "complete"
    assert [gain.name for gain in resumed.gains] == ["mine", "optdigits"]


@pytest.fixture(scope="module")
def symbols(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody's ten symbols, twenty pictures of each."""
    names = {name: name for name in SYMBOLS}
    return write_symbols(tmp_path_factory.mktemp("own") / "symbols", names, 20)


def test_new_classes_take_the_place_of_all_old_ones(
    finished: Path, symbols: Path, unreported: None, tmp_path: Path
) -> None:
    run = train(start=finished, data=symbols, output=tmp_path / "run")

    assert run.model.class_names == tuple(sorted(SYMBOLS))
    assert len(run.evaluation) == 40
    assert len(run.evaluation.misclassified) <= 2
    assert "none of its own classes is among them" in run.record["notices"][-1]
    assert run.gains == []  # a model that knows none of the classes is not worth comparing
    assert len(evaluate(run, "validation")) == 30
    assert run.record["start"]["earlier"] is None


def test_new_classes_join_the_old_ones(finished: Path, unreported: None, tmp_path: Path) -> None:
    both = write_symbols(tmp_path / "both", {"7": "tee", "+": "cross", "#": "hash"}, 8)

    run = train(start=finished, data=both, output=tmp_path / "run", learning_rate=1e-3)

    own, earlier = run.gains
    assert run.model.class_names == (*Run(finished).model.class_names, "#", "+")
    assert own.images == 6
    assert len(own.wrong_after) <= 1 < len(own.wrong_before)
    assert len(earlier.wrong_after) <= len(earlier.wrong_before) + 0.01 * earlier.images


def test_a_new_class_in_pieces_keeps_the_ink_together(
    finished: Path, unreported: None, tmp_path: Path
) -> None:
    own = write_symbols(tmp_path / "own", {"7": "tee", "=": "equals", "÷": "divided"}, 8)
    dotted = write_symbols(tmp_path / "dotted", {"7": "i"}, 8)

    run = train(start=finished, data=own, output=tmp_path / "run", epochs=1)
    again = evaluate(run)

    assert run.model.together
    assert len(again) == len(run.evaluation)
    known = train(start=finished, data=dotted, output=tmp_path / "known", epochs=1)
    assert not known.model.together  # a class that the model knows is of one piece, as before


@pytest.mark.usefixtures("unreported")
def test_arrays_and_data_sets_of_ones_own_go_on_too(
    zoo: Run, animals: Dataset, tmp_path: Path
) -> None:
    other = Split(animals.train.images[:9, :, ::-1], animals.train.labels[:9])
    mirrored = Dataset("mirrored", "mirrored animals", animals.class_names, other, other, "here")
    heard = Heard()

    output = tmp_path / "run"
    run = train(dataset=mirrored, start=zoo.path, output=output, epochs=1, progress=heard)

    assert run.recipe.describe_network((20, 24), 3) == zoo.model.network
    assert [gain.name for gain in run.gains] == ["mirrored"]
    assert "it may forget" in heard.notices[0]  # arrays are not found again
    assert heard.notices[0] in run.record["notices"]
    assert sorted(evaluate(run, dataset=mirrored).misclassified) == run.gains[0].wrong_after


@pytest.mark.usefixtures("trains")
def test_what_cannot_go_on_is_refused(
    finished: Path, zoo: Run, animals: Dataset, hand: Path, tmp_path: Path
) -> None:
    few = write_pictures(tmp_path / "few", {"1": 2})
    output = tmp_path / "run"
    with pytest.raises(ArgumentError, match="name the pictures to learn when going on from"):
        train(start=finished, output=output)
    with pytest.raises(RunError, match=r"is not the data that .* was trained on"):
        train(start=finished, dataset=animals, data=hand, output=output)
    for name in ("pretraind", "Pretrained", "pre-trained", "models/pretrained"):
        with pytest.raises(ModelError, match="did you mean 'pretrained'"):
            train(start=name, data=hand, output=output)
    with pytest.raises(ModelError, match=r"no model at swift .did you mean 'pretrained', the pack"):
        train(start="swift", data=hand, output=output)
    damaged = Path(shutil.copytree(finished, tmp_path / "damaged"))
    (damaged / "run.json").write_text("{")
    with pytest.raises(RunError, match=r"damaged.run\.json is damaged"):
        train(start=damaged, data=hand, output=output)
    for change in ({"network": "swift"}, {"batch_norm": True}):
        with pytest.raises(
            ArgumentError, match=f"keeps its network: leave out {next(iter(change))}"
        ):
            train(start=finished, data=hand, output=output, **change)
    same = write_symbols(tmp_path / "same", {"1": "tee"}, 8)
    (same / "alike").mkdir()
    for number in range(3):  # all of them are held out, as one and the same image
        shutil.copy(next((hand / "0").iterdir()), same / "alike" / f"{number}.png")
    with pytest.raises(DataError, match="same has no images of alike to learn from: add some"):
        train(start=finished, data=same, output=output)
    with pytest.raises(ArgumentError, match="only the engine torch goes on"):
        train(start=finished, data=hand, engine="keras", output=output)
    with pytest.raises(ArgumentError, match=r"leave out labels\.csv"):
        train(start=finished, data=hand, labels="labels.csv", output=output)
    with pytest.raises(DataError, match="has 2 pictures, too few to learn from some"):
        train(start=finished, data=few, output=output)
    strokes = write_symbols(tmp_path / "strokes", {"ant": "tee", "bee": "tick"}, 5)
    with pytest.raises(DataError, match=r"has images of 28×28, and .* takes those of 20×24"):
        train(start=zoo.path, data=strokes, output=output)
    assert not output.exists()


def as_file(model: Model, path: Path, **dataset: str) -> Path:
    """Write a model's ONNX file, whose training data are these."""
    path.write_bytes(model.with_provenance(dataset=dataset or None).onnx)
    return path


@pytest.mark.usefixtures("unreported")
def test_a_file_goes_on_with_the_data_that_it_names(
    finished: Path, hand: Path, optdigits: Dataset, tmp_path: Path
) -> None:
    model, sha256 = Run(finished).model, optdigits.sha256
    named = as_file(model, tmp_path / "named.onnx", sha256=sha256, name="optdigits")
    assert Model.from_onnx(named.read_bytes()).provenance["dataset"]["name"] == "optdigits"

    run = train(start=named, data=hand, output=tmp_path / "named", epochs=1)

    assert [gain.name for gain in run.gains] == ["hand", "optdigits"]
    for name, dataset in (("hashed.onnx", {"sha256": sha256}), ("bare.onnx", {})):
        start = as_file(model, tmp_path / name, **dataset)
        with pytest.raises(DataError, match=rf"no images of 1 .*may forget: .*{name} .* --dataset"):
            train(start=start, data=hand, output=tmp_path / "none", epochs=1)
        output = tmp_path / name[:-5]
        again = train(start=start, dataset="optdigits", data=hand, output=output, epochs=1)
        assert [gain.name for gain in again.gains] == ["hand", "optdigits"]
    own = as_file(model, tmp_path / "own.onnx", sha256="0" * 64, name="letters")
    with pytest.raises(DataError, match=r"own\.onnx was trained on letters, your own data: name"):
        train(start=own, data=hand, output=tmp_path / "none", epochs=1)


@pytest.mark.usefixtures("unreported")
def test_the_same_data_are_compared_once(finished: Path, tmp_path: Path) -> None:
    run = train(start=finished, dataset="optdigits", output=tmp_path / "run", epochs=1)

    assert [gain.name for gain in run.gains] == ["optdigits"]


@given(
    counts=st.lists(st.integers(1, 30), min_size=1, max_size=5),
    share=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_a_fifth_of_what_was_not_seen_is_held_out(
    counts: list[int], share: float, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    split = Split(generator.integers(0, 256, (len(labels), 4, 4), dtype=np.uint8), labels)
    seen = generator.random(len(labels)) < share

    chosen = hold_out(split, seen)

    assert not (chosen & seen).any()
    for label, count in enumerate(counts):
        wanted = round(count / 5) or int(count >= 3)
        free = int((~seen)[labels == label].sum())
        assert chosen[labels == label].sum() == min(wanted, free)
    # Once the others were learned, the same ones are held out again.
    np.testing.assert_array_equal(hold_out(split, ~chosen), chosen)


def test_an_image_that_is_there_twice_is_on_one_side() -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 4, 4), dtype=np.uint8)
    split = Split(np.concatenate([images, images]), np.arange(40) % 2)
    chosen = hold_out(split, np.zeros(40, bool))

    hashes = hash_images(split.images)
    assert chosen.any()
    assert not np.isin(hashes[chosen], hashes[~chosen]).any()


@given(known=st.sets(st.text(max_size=2)), own=st.sets(st.text(max_size=2), min_size=1))
def test_classes_keep_their_places_unless_all_are_new(known: set[str], own: set[str]) -> None:
    joined = join_classes(tuple(sorted(known)), tuple(sorted(own)))

    assert len({*joined}) == len(joined)
    if known & own:
        assert joined[: len(known)] == tuple(sorted(known))
        assert {*joined} == known | own
    else:
        assert joined == tuple(sorted(own))


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (range(20), range(5), "better, and more than luck"),
        (range(5), range(20), "worse, and more than luck"),
        ([1, 2], [1], "better, but it may be luck"),
        ([1], [1, 2], "worse, but it may be luck"),
        ([1, 2], [2, 3], "as many as before"),
    ],
)
def test_a_gain_says_whether_it_is_luck(before: list[int], after: list[int], verdict: str) -> None:
    gain = Gain("mine", "my pictures", 100, [*before], [*after])

    assert gain.verdict == verdict
    told = f"mine, 100 test images: {len(before)} wrong before, {len(after)} after: {verdict} ("
    assert str(gain).startswith(told)
