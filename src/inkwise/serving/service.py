"""The service: the model that it serves, and how it is replaced while the service runs."""

import asyncio
import dataclasses
import functools
import hashlib
import logging
from collections.abc import Callable

import numpy as np
from PIL import Image

from inkwise.errors import InkwiseError
from inkwise.explanation.neighbours import FILE, Neighbours
from inkwise.model import Model
from inkwise.model.pretrained import load_pretrained
from inkwise.runs.models import find_model
from inkwise.serving.batching import Batcher
from inkwise.serving.kept_pictures import KeptPictures
from inkwise.serving.metrics import Metrics
from inkwise.serving.problems import Problem
from inkwise.serving.settings import Settings
from inkwise.system.machine import available_cores

NAME = "inkwise"
"""The model's name in KServe's protocols."""

_PILLOWS_LIMIT = Image.MAX_IMAGE_PIXELS  # before any service changes it

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, eq=False)
class Served:
    """A model that is served.

    Parameters
    ----------
    model : Model
        The model.
    neighbours : Neighbours or None
        Training images to compare pictures with; None unless the model's run has them.
    """

    model: Model
    neighbours: Neighbours | None = None

    @functools.cached_property
    def version(self) -> str:
        """The first twelve hexadecimal digits of the SHA-256 of the model's ONNX file."""
        return hashlib.sha256(self.model.onnx).hexdigest()[:12]


def load(settings: Settings) -> Model:
    """Load the model that the settings name; raises as `find_model` and `load_pretrained` do."""
    return load_pretrained() if settings.model is None else find_model(settings.model)


def load_neighbours(settings: Settings, model: Model) -> Neighbours | None:
    """Load the nearest-neighbour file of a run, if it was made with the run's present model.

    `inkwise explain` writes the file. If it is damaged, a warning is logged, and the service works
    without it.
    """
    if settings.model is None or not (settings.model / FILE).is_file():
        return None
    try:
        found = Neighbours.load(settings.model / FILE)
    except InkwiseError as error:
        _log.warning("training images not loaded", extra={"fields": {"reason": str(error)}})
        return None
    return found if found.belong_to(model) else None


def open_kept_pictures(settings: Settings, model: Model) -> KeptPictures | None:
    """Open the folder of corrections, if the settings name one; raises as `KeptPictures` does."""
    if settings.corrections is None:
        return None
    return KeptPictures(settings.corrections, model.class_names)


class Service:
    """One worker's model, queue and metrics.

    Parameters
    ----------
    settings : Settings
        The service's settings.

    Raises
    ------
    InkwiseError
        The model is missing or damaged, or the folder of corrections cannot be written.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.limits = settings.limits
        self.metrics = Metrics()
        self.batcher = Batcher(
            max(1, available_cores() // settings.workers), self.limits.waiting, self.metrics
        )
        self.tell_others: Callable[[], None] = lambda: None
        self._swapping = asyncio.Lock()
        self._serve(self._load())
        self.kept_pictures = open_kept_pictures(settings, self.served.model)

    def open(self) -> None:
        """Begin to serve; from now on, pictures with more pixels than the limit are refused."""
        # Pillow's own limit is checked before decoding; it applies to the whole process.
        Image.MAX_IMAGE_PIXELS = self.limits.pixels

    def close(self) -> None:
        """End the service once its threads have finished their work."""
        self.batcher.close()
        Image.MAX_IMAGE_PIXELS = _PILLOWS_LIMIT

    def find(self, name: str) -> Served:
        """Return the served model; raise `Problem` if it has another name."""
        if name != NAME:
            raise Problem(404, f"there is no model {name[:80]!r}: there is {NAME!r}")
        return self.served

    async def reload(self) -> None:
        """Load the model again from its files, and serve it from now on.

        Requests that have already come are answered by the old model. If the new one cannot be
        loaded, the old one stays.

        Raises
        ------
        InkwiseError
            The model is missing or damaged.
        """
        async with self._swapping:
            loop = asyncio.get_running_loop()
            self._serve(await loop.run_in_executor(None, self._load))
            _log.info("model loaded", extra={"fields": {"version": self.served.version}})

    async def reload_or_log(self) -> None:
        """Do the same as `reload`, but log an error instead of raising it."""
        try:
            await self.reload()
        except InkwiseError as error:
            _log.error("model not loaded", extra={"fields": {"reason": str(error)}})

    def _load(self) -> Served:
        model = load(self.settings)
        served = Served(model, load_neighbours(self.settings, model))
        # The first prediction is the slowest one, so no client shall wait for it.
        blank = np.zeros((1, *model.network.image_size), np.uint8)
        model.predict(blank)
        if served.neighbours is not None:
            served.neighbours.nearest(model, blank[0])
        _ = served.version
        return served

    def _serve(self, served: Served) -> None:
        self.served = served
        self.metrics.model(NAME, served.version)
