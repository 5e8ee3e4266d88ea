"""Storage for pictures whose classes users of the page have corrected, for later training."""

import hashlib
import io
import threading
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from inkwise.data.picture_folder import class_folder
from inkwise.errors import StorageError
from inkwise.ink import normalise
from inkwise.ink.decoding import decode
from inkwise.system.files import storage, write_bytes

MOST = 10_000
"""Largest number of pictures in a folder, so that clients cannot fill the disk."""


class KeptPictures:
    """A folder of pictures with a sub-folder for each class, as `inkwise.load_folder` reads it.

    Parameters
    ----------
    folder : Path
        The folder, which is created if it is missing.
    class_names : sequence of str
        Class names of the model that is served.

    Raises
    ------
    ArgumentError
        The name of a class cannot be the name of a folder.
    StorageError
        The folder cannot be written.
    """

    def __init__(self, folder: Path, class_names: Sequence[str]) -> None:
        self._folder = folder
        self._adding = threading.Lock()
        for name in class_names:
            class_folder(folder, name)
        with storage(folder, "write to"):
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / ".inkwise"
            probe.touch()
            probe.unlink()

    def keep(self, picture: bytes, label: str) -> str:
        """Keep a picture in the folder of a class; from the folder of another class, it moves.

        Only the decoded pixels are kept, and not the file's metadata, which may name the camera or
        the place.

        Parameters
        ----------
        picture : bytes
            An encoded picture.
        label : str
            The picture's true class.

        Returns
        -------
        str
            The name of the new file: a hash of the pixels.

        Raises
        ------
        DataError, NoInkError
            The bytes are not a picture, or there is no ink in it to learn from.
        StorageError
            The picture cannot be written, or the folder is full.
        """
        raster = decode(picture)
        buffer = io.BytesIO()
        Image.fromarray(raster.pixels).save(buffer, "PNG", optimize=True)
        content = buffer.getvalue()
        normalise(content)
        name = f"{hashlib.sha256(content).hexdigest()[:24]}.png"
        with self._adding:
            with storage(self._folder, "look into"):
                kept = list(self._folder.glob("*/*.png"))
            if len(kept) >= MOST:
                raise StorageError(
                    f"{self._folder} is full: it has {len(kept):,} pictures; move them away, or "
                    "name another folder"
                )
            path = write_bytes(class_folder(self._folder, label) / name, content)
            with storage(self._folder, "write to"):
                for earlier in kept:
                    if earlier.name == name and earlier != path:
                        earlier.unlink(missing_ok=True)
        return name
