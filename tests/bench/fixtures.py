"""Fixtures of the tests of the bench and of its command; a pytest plugin."""

import os
from pathlib import Path

import numpy as np
import pytest

from inkwise import Dataset, Split
from inkwise.bench import rounds
from inkwise.bench.contenders import CONTENDERS, Contender
from inkwise.bench.rounds import Bench
from tests.bench import Enter


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let processes find the programs that stand among the tests."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]), prepend=os.pathsep)


@pytest.fixture(scope="session")
def few_digits(optdigits: Dataset) -> Dataset:
    """Real digits, as many as a test can wait for."""

    def first(split: Split, count: int) -> Split:
        return split.take(np.arange(count))

    return Dataset(
        name="few-digits",
        title="a few of optdigits",
        class_names=optdigits.class_names,
        train=first(optdigits.train, 400),
        test=first(optdigits.test, 50),
        source=optdigits.source,
    )


@pytest.fixture
def enter(programs: None, few_digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> Enter:
    """Let the bench have these contenders and no others, and a few digits for MNIST."""

    def only(*contenders: Contender) -> None:
        for name in tuple(CONTENDERS):
            monkeypatch.delitem(CONTENDERS, name)
        for contender in contenders:
            monkeypatch.setitem(CONTENDERS, contender.name, contender)

    monkeypatch.setattr(rounds, "load_dataset", lambda *_: few_digits)
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0))
    return only


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw no figures, which takes longer than all else: other tests look at them."""
    monkeypatch.setattr(Bench, "save_figures", lambda _: None)
