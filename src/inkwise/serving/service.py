"""The service itself: the model that it serves, and how another takes its place."""

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
from inkwise.serving.settings import Settings
from inkwise.system.machine import available_cores

NAME = "inkwise"
"""What the model is called by those who ask for it by name."""

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, eq=False)
class Served:
    """A model that is served.

    Parameters
    ----------
    model : Model
    neighbours : Neighbours or None
        Training images to compare pictures with, where the model is a run's that has them.
    """

    model: Model
    neighbours: Neighbours | None = None

    @functools.cached_property
    def version(self) -> str:
        """The first twelve hexadecimal digits of the SHA-256 of its ``model.onnx``."""
        return hashlib.sha256(self.model.onnx).hexdigest()[:12]


def load(settings: Settings) -> Model:
    """Load the model that the settings name; raises as `find_model` and `load_pretrained` do."""
    return load_pretrained() if settings.model is None else find_model(settings.model)


def load_neighbours(settings: Settings, model: Model) -> Neighbours | None:
    """Load the training images that lie beside a run's model, if they were made with it.

    `inkwise explain` makes them. Damaged ones are no reason not to answer.
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
    """Open the folder of corrections, if there is to be one; raises as `KeptPictures` does."""
    if settings.corrections is None:
        return None
    return KeptPictures(settings.corrections, model.class_names)


class Service:
    """One worker's model, queue and metrics.

    Parameters
    ----------
    settings : Settings

    Raises
    ------
    InkwiseError
        There is no such model, or it is damaged; or the folder of corrections cannot be written.
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
        self._pixels = Image.MAX_IMAGE_PIXELS
        self._serve(self._load())
        self.kept_pictures = open_kept_pictures(settings, self.served.model)

    def open(self) -> None:
        """Begin: pictures of more pixels than the limits allow are refused from now on."""
        # Pillow's own limit, which is one for the whole process, is checked before it decodes.
        Image.MAX_IMAGE_PIXELS = self.limits.pixels

    def close(self) -> None:
        """End, when all that was begun is done."""
        self.batcher.close()
        Image.MAX_IMAGE_PIXELS = self._pixels

    async def reload(self) -> None:
        """Load the model again from where it lies, and serve it from now on.

        What has been asked already is answered by the model that was there. Where the new one
        cannot be loaded, the old one stays.

        Raises
        ------
        InkwiseError
            As the service itself does.
        """
        async with self._swapping:
            loop = asyncio.get_running_loop()
            self._serve(await loop.run_in_executor(None, self._load))
            _log.info("model loaded", extra={"fields": {"version": self.served.version}})

    async def reload_or_log(self) -> None:
        """Reload as `reload` does; an error goes to the log."""
        try:
            await self.reload()
        except InkwiseError as error:
            _log.error("model not loaded", extra={"fields": {"reason": str(error)}})

    def _load(self) -> Served:
        model = load(self.settings)
        served = Served(model, load_neighbours(self.settings, model))
        # The first answer takes longest: not a caller's.
        blank = np.zeros((1, *model.network.image_size), np.uint8)
        model.predict(blank)
        if served.neighbours is not None:
            served.neighbours.nearest(model, blank[0])
        _ = served.version
        return served

    def _serve(self, served: Served) -> None:
        self.served = served
        self.metrics.model(NAME, served.version)
