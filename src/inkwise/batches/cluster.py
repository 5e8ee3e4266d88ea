"""A job on a cluster of Ray: Ray Data gives its pieces to actors that open the model once."""

import importlib
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from inkwise.batches.jobs import Job, one_thread_a_picture
from inkwise.batches.shards import Shard
from inkwise.errors import InkwiseError
from inkwise.model.answers import answer_chunk
from inkwise.system.ray_cluster import open_ray


class PieceWorker:
    """Answers one piece after another; Ray makes one for each core of the cluster."""

    def __init__(self, job: Job, left: Mapping[int, Shard | None]) -> None:
        self._job = job
        self._left = left
        answer_chunk(job.model, [], "any")  # opens the model's session

    def __call__(self, batch: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Answer the piece of a batch of one row; yield a row for each shard that was written."""
        [number] = map(int, batch["piece"])
        with one_thread_a_picture():
            for told in self._job.work_on(number, self._left[number]):
                if isinstance(told, Shard):
                    yield {name: [value] for name, value in told._asdict().items()}


def work_on_ray(job: Job, left: Mapping[int, Shard | None], address: str | None) -> Iterator[Shard]:
    """Have a cluster answer what is left of some pieces; yield each shard when it is written.

    Only numbers of pieces and counts travel through the cluster: pictures go from the sources to a
    worker, and answers from there to the output. So memory stays flat, and a piece that is answered
    twice, because a worker died or was slow, is the same files once.

    Parameters
    ----------
    job : Job
        The job.
    left : mapping of int to Shard or None
        The pieces' numbers, each with the last of its shards that is written.
    address : str or None
        The cluster's; one is started on this machine if there is none.

    Raises
    ------
    RunError
        There is no cluster at the address.
    InkwiseError
        As a worker raised it.
    """
    if not left:
        return
    with open_ray(address) as ray:
        importlib.import_module("ray.data")
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        cores = max(1, int(ray.cluster_resources().get("CPU", 1)))
        pieces = [{"piece": number} for number in left]
        shards = ray.data.from_items(pieces, override_num_blocks=len(pieces)).map_batches(
            PieceWorker,
            fn_constructor_args=[job, dict(left)],
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=min(cores, len(pieces))),
            num_cpus=1,
        )
        try:
            for row in shards.iter_rows():
                yield Shard(**row)
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, InkwiseError):
                told = str(error.cause.args[0]).splitlines()[0]  # Ray has added lines of its own
                raise type(error.cause)(told) from error
            raise
