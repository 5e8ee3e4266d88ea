"""Trainings by Ray, on a cluster of one machine that says it has a GPU."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inkwise import Dataset, Run, sweep
from inkwise.errors import InkwiseError
from inkwise.training.history import Epoch
from inkwise.trials.ray_trainings import train_on_ray
from inkwise.trials.trainings import Job, Workshop
from tests.histories import without_seconds
from tests.trials import TINY
from tests.trials.test_sweep import VARY, outcome

pytestmark = pytest.mark.slow
RAY = Workshop(engine="ray")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Ray on two cores, with a GPU that is a mere number."""
    ray = pytest.importorskip("ray")
    ray.init(
        "local",
        num_cpus=2,
        num_gpus=1,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
    )
    yield ray
    ray.shutdown()


def test_trainings_share_the_gpu_and_go_on_when_one_is_lost(
    cluster: Any, animals: Dataset, tmp_path: Path, trains: None
) -> None:
    with train_on_ray(7, animals, RAY) as trainers:
        assert len(trainers) == 2  # one for each core
        for _ in range(600):
            free = cluster.available_resources()
            if free.get("GPU", 0) == free.get("CPU", 0) == 0:
                break
            time.sleep(0.1)
        assert free.get("GPU", 0) == 0  # each has half of it

        seen = list[int]()

        def lose(epoch: Epoch) -> bool:
            seen.append(epoch.epoch)
            if seen == [1]:
                cluster.kill(trainers[0].__self__._worker)  # type: ignore[attr-defined]
            return True

        trainers[0](Job("validated", TINY, tmp_path / "lost"), lose)
        trainers[1](Job("validated", TINY, tmp_path / "whole"), lambda _: True)
        assert seen == [1, 1, 2, 3]  # it went on from the first epoch
        histories = [without_seconds(Run(tmp_path / name).history) for name in ("lost", "whole")]
        assert histories[0] == histories[1]

        trainers[0](Job("validated", TINY, tmp_path / "ended"), lambda _: False)
        assert len(Run(tmp_path / "ended").history) == 1
        (tmp_path / "file").touch()
        with pytest.raises(InkwiseError, match="file"):
            trainers[0](Job("validated", TINY, tmp_path / "file" / "run"), lambda _: True)


def test_a_sweep_by_ray_is_the_same_sweep(
    cluster: Any, animals: Dataset, tmp_path: Path, trains: None
) -> None:
    options: dict[str, Any] = {
        "vary": VARY,
        "sampler": "random",
        "pruning": False,
        "trials": 2,
        "best": 0,
        "at_once": 1,
    }
    here = sweep(TINY, animals, output=tmp_path / "here", **options)
    there = sweep(TINY, animals, output=tmp_path / "there", engine="ray", **options)
    assert outcome(here) == outcome(there)
    assert here.conclusions == there.conclusions
