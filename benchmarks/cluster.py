"""Ray on one machine: when it pays, and what is lost when one of two nodes is killed."""

import argparse
import statistics
import tempfile
import threading
import time
from pathlib import Path

import ray
from kills import encode, read_rows, write_source
from ray.cluster_utils import Cluster
from record import write_record

from inkwise import Progress, answer_pictures, load_dataset
from inkwise.system.machine import available_cores

PICTURES_IN_A_TAR = 500


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()

    images = load_dataset("mnist").test.images
    contents = [encode(images[place % len(images)]) for place in range(arguments.pictures)]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for start in range(0, len(contents), PICTURES_IN_A_TAR):
            some = contents[start : start + PICTURES_IN_A_TAR]
            write_source(folder / f"{start:07}.tar", "tar", some)
        source = str(folder / "*.tar")
        rounds = []
        for number in range(arguments.rounds):
            rounds.append(
                {
                    "threads": _seconds(source, folder / f"threads-{number}", "here"),
                    **_seconds_of_ray(source, folder / f"ray-{number}", folder / "0000000.tar"),
                }
            )
            print({name: round(value, 2) for name, value in rounds[-1].items()})
        lost = _kill_a_node(source, folder / "killed", folder / "threads-0")
        print(lost)
    medians = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
    a_picture = {
        "threads": medians["threads"] / arguments.pictures,
        "ray": (medians["ray"] - medians["ray_of_one_tar"])
        / (arguments.pictures - PICTURES_IN_A_TAR),
    }
    gained = a_picture["threads"] - a_picture["ray"]
    start = medians["ray"] - a_picture["ray"] * arguments.pictures
    pays = round(start / gained) if gained > 0 else None
    path = write_record(
        "cluster",
        {
            "what": "pictures like MNIST's in tars, by threads of one process and by Ray's actors; "
            "and a job on two nodes of which one is killed",
            "pictures": arguments.pictures,
            "cores": available_cores(),
            "seconds": medians,
            "rounds": rounds,
            "seconds_a_picture": a_picture,
            "seconds_to_start_ray": start,
            "pays_from_pictures": pays,
            "node_killed": lost,
        },
    )
    print(f"wrote {path}")


def _seconds(source: str, output: Path, engine: str) -> float:
    start = time.perf_counter()
    answer_pictures(source, output, engine=engine)  # type: ignore[arg-type]
    return time.perf_counter() - start


def _seconds_of_ray(source: str, output: Path, one: Path) -> dict[str, float]:
    return {
        "ray": _seconds(source, output, "ray"),
        "ray_of_one_tar": _seconds(str(one), output.with_suffix(".one"), "ray"),
    }


class _Counted(Progress):
    """Tells when so many pictures are answered."""

    def __init__(self, pictures: int) -> None:
        self._pictures = pictures
        self.reached = threading.Event()

    def step(self, what: str, done: int = 0, total: int = 0) -> None:  # noqa: ARG002
        if done >= self._pictures:
            self.reached.set()


def _kill_a_node(source: str, output: Path, whole: Path) -> dict[str, int]:
    """Kill one of two nodes while it works; return how many rows are wrong in the end."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    second = cluster.add_node(num_cpus=1)
    expected = read_rows(whole)
    counted = _Counted(2 * PICTURES_IN_A_TAR)
    left = {}

    def kill() -> None:
        counted.reached.wait()
        left["shards"] = len([*output.glob("part-*")])
        cluster.remove_node(second, allow_graceful=False)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        tally = answer_pictures(
            source, output, engine="ray", address=cluster.address, progress=counted
        )
        killer.join()
    finally:
        ray.shutdown()
        cluster.shutdown()  # type: ignore[no-untyped-call]
    rows = read_rows(output)
    return {
        "shards_when_the_node_was_killed": left["shards"],
        "pictures": tally.pictures,
        "missing": sum((expected - rows).values()),
        "double_or_different": sum((rows - expected).values()),
    }


if __name__ == "__main__":
    main()
