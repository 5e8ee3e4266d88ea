"""TensorBoard's event files, in the folder ``tensorboard`` of a run.

They are written without TensorFlow, whose import takes five seconds where it is installed.
"""

import os
import socket
import time
from typing import Any

from PIL import Image

from inkwise.runs.directory import Run
from inkwise.system.files import read_bytes, storage
from inkwise.tracking.tracked_figures import epoch_figures, tested_figures
from inkwise.training.history import Epoch
from inkwise.training.recipe import Recipe
from inkwise.training.recipe_files import to_toml

FOLDER = "tensorboard"


class TensorBoard:
    """An event file of TensorBoard about a run.

    Parameters
    ----------
    run : Run
        The run.
    recipe : Recipe
        The recipe that it is trained by, which is written at once.

    Attributes
    ----------
    epochs : int
        How many epochs are in this file, or in those that are beside it already.

    Raises
    ------
    StorageError
        The file cannot be written.
    """

    def __init__(self, run: Run, recipe: Recipe) -> None:
        from tensorboard.summary.writer.record_writer import RecordWriter

        folder = run.path / FOLDER
        name = f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}.{os.getpid()}"
        with storage(folder, "write to"):
            folder.mkdir(exist_ok=True)
            resumed = any(folder.iterdir())
            self._file = (folder / name).open("wb")
        self._records = RecordWriter(self._file)
        self.epochs = len(run.history) if resumed else 0
        self._write(file_version="brain.Event:2")
        self._text("recipe", "\n".join(f"    {line}" for line in to_toml(recipe).splitlines()))

    def epoch(self, epoch: Epoch) -> None:
        """Write the losses and accuracies of an epoch."""
        self.epochs = epoch.epoch
        self._scalars(epoch_figures(epoch))

    def finish(self, run: Run) -> None:
        """Write metrics and figures of a complete run; its model stands beside the file."""
        self._scalars(tested_figures(run))
        for path in sorted(run.figures_path.glob("*.png")):
            content = read_bytes(path)
            with Image.open(path) as image:
                width, height = image.size
            picture = {"encoded_image_string": content, "width": width, "height": height}
            self._values([{"tag": f"figures/{path.stem}", "image": {**picture, "colorspace": 4}}])

    def close(self, status: str) -> None:  # noqa: ARG002 - TensorBoard knows no states of a run
        """Close the file."""
        self._file.close()

    def _scalars(self, figures: dict[str, float]) -> None:
        self._values([{"tag": tag, "simple_value": value} for tag, value in figures.items()])

    def _text(self, tag: str, markdown: str) -> None:
        tensor = {"dtype": 7, "string_val": [markdown.encode()]}  # DT_STRING
        plugin = {"plugin_data": {"plugin_name": "text"}}
        self._values([{"tag": tag, "metadata": plugin, "tensor": tensor}])

    def _values(self, values: list[dict[str, Any]]) -> None:
        self._write(step=self.epochs, summary={"value": values})

    def _write(self, **fields: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        with storage(self._file.name, "write to"):
            self._records.write(Event(wall_time=time.time(), **fields).SerializeToString())
            self._file.flush()  # whoever looks on sees it now
