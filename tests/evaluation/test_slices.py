import functools
import json

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from inkwise.data.dataset import Dataset, Split
from inkwise.errors import ArgumentError
from inkwise.evaluation.handwriting import measure_handwriting
from inkwise.evaluation.significance import format_p
from inkwise.evaluation.slices import Findings, find_slices

Labels = NDArray[np.int64]


@pytest.fixture(scope="module")
def digits(mnist: Dataset) -> Split:
    return mnist.train.take(np.arange(57_000, 60_000))


def find(digits: Split, predicted: Labels) -> Findings:
    return find_slices(digits.images, digits.labels, predicted, tuple("0123456789"))


def wrong_at(digits: Split, places: NDArray[np.intp], answer: int | None = None) -> Labels:
    """Answer right but at some places: there the next class, or the one that is given."""
    predicted = digits.labels.copy()
    predicted[places] = (digits.labels[places] + 1) % 10 if answer is None else answer
    return predicted


def test_a_weakness_for_thin_strokes_is_found_and_named(digits: Split) -> None:
    width = measure_handwriting(digits.images).stroke_width
    thinnest = np.argsort(width)[:200]
    chosen = np.random.default_rng(0).choice(thinnest, 25, replace=False)

    findings = find(digits, wrong_at(digits, chosen))

    first = findings.slices[0]
    assert first.name == "thin strokes"
    assert first.significant
    bound = float(first.bound.removeprefix("stroke under ").removesuffix(" pixels"))
    assert first.images == np.sum(width < bound)
    assert 0.1 < first.images / len(digits) < 0.25
    assert first.errors == 25
    assert first.accuracy.value == pytest.approx(1 - 25 / first.images)
    assert first.rest.value == 1
    assert findings.sentences[0].startswith("Worse on thin strokes (stroke under ")
    assert f"25 of {first.images:,} wrong" in findings.sentences[0]
    # Nothing is said about strokes that are not the matter.
    assert not any("thick" in sentence for sentence in findings.sentences)


def test_a_weakness_for_a_lean_is_found_on_its_side(digits: Split) -> None:
    slant = measure_handwriting(digits.images).slant
    for names, order in (("left", slant), ("right", -slant)):
        findings = find(digits, wrong_at(digits, np.argsort(order)[:300:8]))
        assert findings.slices[0].name == f"a lean to the {names}"
        assert findings.slices[0].significant


def test_what_a_confusion_shares_is_said_of_the_class(digits: Split) -> None:
    loops = measure_handwriting(digits.images).loops
    fours = digits.labels == 4
    looped, open_ = (np.flatnonzero(fours & it) for it in (loops > 0, loops == 0))
    places = np.concatenate([looped[:9], open_[:2]])

    findings = find(digits, wrong_at(digits, places, answer=9))

    (confusion,) = findings.confusions
    assert (confusion.true, confusion.predicted) == ("4", "9")
    assert confusion.indices.tolist() == sorted(places.tolist())
    trait = confusion.traits[0]
    assert (trait.name, trait.images) == ("a loop", 9)
    assert trait.share == pytest.approx(np.mean(loops[fours] > 0))
    table = [[9, 2], [len(looped) - 9, len(open_) - 2]]
    alone = stats.fisher_exact(table, alternative="greater").pvalue
    assert trait.p == pytest.approx(alone * findings.comparisons)  # the least of all
    assert (
        f"9 of the 11 images of 4 read as 9 have a loop (one or more); of all 4, {trait.share:.0%} "
        f"have ({format_p(trait.p)})" in findings.sentences
    )


@pytest.mark.slow
def test_mistakes_at_random_are_rarely_a_finding(
    mnist: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    digits = mnist.train.take(np.arange(59_000, 60_000))
    measured = functools.cache(lambda: measure_handwriting(digits.images))
    # The images are the same in each round.
    monkeypatch.setattr("inkwise.evaluation.slices.measure_handwriting", lambda _: measured())
    generator = np.random.default_rng(1)
    rounds = 100
    found = 0
    for _ in range(rounds):
        predicted = digits.labels.copy()
        places = generator.choice(len(digits), 60, replace=False)
        predicted[places] = (digits.labels[places] + generator.choice((1, 1, 1, 5), 60)) % 10
        found += bool(find(digits, predicted).sentences)
    # 5% at most; so many or more would have a chance below one in a thousand.
    assert stats.binom.sf(found - 1, rounds, 0.05) > 1e-3


def test_without_mistakes_there_is_nothing_to_say(digits: Split) -> None:
    findings = find(digits, digits.labels)
    assert findings.sentences == []
    assert findings.confusions == ()
    assert all(slice_.p == 1 and slice_.errors == 0 for slice_ in findings.slices)


def test_any_images_and_classes_will_do(animals: Dataset) -> None:
    digits = animals.train
    predicted = np.zeros_like(digits.labels)
    findings = find_slices(digits.images, digits.labels, predicted, animals.class_names)
    assert [(pair.true, pair.predicted) for pair in findings.confusions] == [
        ("bee", "ant"),
        ("cat", "ant"),
    ]
    # All of a class are confused: none is more so than the rest.
    assert all(pair.traits == () for pair in findings.confusions)


def test_blank_images_are_of_no_kind() -> None:
    images, labels = np.zeros((12, 28, 28), np.uint8), np.zeros(12, np.int64)
    findings = find_slices(images, labels, labels + 1, ("a", "b"))
    assert findings.slices == ()
    assert findings.sentences == []
    assert len(findings.confusions) == 1


def test_rare_confusions_are_left_alone(digits: Split) -> None:
    sevens = np.flatnonzero(digits.labels == 7)
    assert find(digits, wrong_at(digits, sevens[:4], answer=1)).confusions == ()
    (pair,) = find(digits, wrong_at(digits, sevens[:5], answer=1)).confusions
    assert pair.indices.tolist() == sevens[:5].tolist()


def test_the_document_is_json_and_says_the_same(digits: Split) -> None:
    places = np.argsort(measure_handwriting(digits.images).stroke_width)[:60:2]
    findings = find(digits, wrong_at(digits, places))
    document = findings.to_dict()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["sentences"] == findings.sentences != []
    assert document["slices"][0]["significant"]
    assert [pair["indices"] for pair in document["confusions"]] == [
        pair.indices.tolist() for pair in findings.confusions
    ]


def test_arrays_that_do_not_go_together_are_refused(digits: Split) -> None:
    with pytest.raises(ArgumentError, match="3,000 images, 3,000 labels and 2,999 predictions"):
        find(digits, digits.labels[1:])


@pytest.mark.parametrize("count", range(1, 8))
def test_a_few_images_have_findings_that_can_be_written(count: int, digits: Split) -> None:
    few = digits.take(np.arange(count))
    for predicted in (few.labels, (few.labels + 1) % 10):
        found = find(few, predicted)
        assert all(0 < slice_.images < count for slice_ in found.slices)
        json.dumps(found.to_dict(), allow_nan=False)
