"""Images of a user's own, by the parts that the user has them in, and the data set they make."""

import dataclasses
import functools
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from inkwise.data.dataset import Dataset, Split
from inkwise.data.published import DATASET_NAMES
from inkwise.data.splits import hold_out_test
from inkwise.errors import DataError
from inkwise.system.files import to_utf8

_SAYING_NOTHING = {"train", "test", "data", "raw"}  # a data set's name needs the folder's beside


@dataclasses.dataclass(frozen=True, eq=False)
class OwnImages:
    """Images that were read from a folder or a file, whether or not they can be trained on.

    Parameters
    ----------
    name, title : str
        As those of the data set that they make.
    source : Path
        The folder or the file by which they are found again.
    class_names : tuple of str
        Names of the classes.
    parts : mapping of str to Split
        The images by the split that the user has them in: ``train``, ``validation`` and ``test``,
        or some of them; or the ``whole``, where they are not divided.
    places : mapping of str to Path
        The folder or the file of each part.
    notices : tuple of str
        What was left out, passed over or assumed.
    together : bool or None
        As of `Dataset`.
    """

    name: str
    title: str
    source: Path
    class_names: tuple[str, ...]
    parts: Mapping[str, Split]
    places: Mapping[str, Path]
    notices: tuple[str, ...] = ()
    together: bool | None = None

    @functools.cached_property
    def sha256(self) -> str:
        """SHA-256 over the names of the classes, and all images and labels of every part."""
        parts = [(part, self.parts[part].sha256) for part in sorted(self.parts)]
        return hashlib.sha256(repr((self.class_names, parts)).encode()).hexdigest()

    def as_dataset(self) -> Dataset:
        """Return the images as a data set, whose notice says where the test images come from.

        Raises
        ------
        DataError
            There are fewer than two classes, or too few images of one; or a split is missing.
        """
        train, test, validation, told = self._whole() if "whole" in self.parts else self._divided()
        return Dataset(
            name=self.name,
            title=self.title,
            class_names=self.class_names,
            train=train,
            test=test,
            source=str(self.source.resolve()),
            notice=" ".join([*told, *self.notices]) or None,
            validation=validation,
            together=self.together,
        )

    def _whole(self) -> tuple[Split, Split, None, list[str]]:
        """Hold a test part out."""
        everything = self.parts["whole"]
        try:
            train, test = hold_out_test(everything)
        except DataError as error:
            raise DataError(f"{self.places['whole']}: {error}") from error
        told = (
            f"{self.places['whole']} has no separate test images: {len(test):,} of "
            f"{len(everything):,}, drawn by class, are held out. Both parts can hold images by the "
            "same writer."
        )
        return train, test, None, [told]

    def _divided(self) -> tuple[Split, Split, Split | None, list[str]]:
        """Take the parts as they are."""
        for part in ("train", "test"):
            if part not in self.parts:
                raise DataError(
                    f"{self.source} has the splits {', '.join(self.parts)}, but no {part}: add it, "
                    "or give images that are not divided, of which a test part is held out"
                )
        train, test = self.parts["train"], self.parts["test"]
        validation = self.parts.get("validation")
        if self.name in DATASET_NAMES:
            return train, test, validation, []
        told = [f"The {len(test):,} test images are those in {self.places['test']}."]
        learnt = {image.tobytes() for image in train.images}
        if twice := sum(image.tobytes() in learnt for image in test.images):
            told.append(
                f"{twice:,} of them are training images, too, so that the figures will be too good."
            )
        if validation is not None:
            told.append(
                f"The {len(validation):,} validation images are those in "
                f"{self.places['validation']}, so that none are drawn from the training images."
            )
        return train, test, validation, told


def own_name(path: Path) -> str:
    """Return the name of a data set that is called as a file or a folder is.

    It is never one of the catalogue's.
    """
    path = path.resolve()
    name = re.sub(r"(\.(npz|csv|tsv|arff|parquet|pq|zip|gz))+$", "", path.name, flags=re.IGNORECASE)
    if name.lower() in _SAYING_NOTHING and path.parent.name:
        name = f"{path.parent.name}-{name}"
    # A name that is no text would be in figures and pages, which take text alone.
    name = to_utf8(name).decode() or "data"
    return f"{name}-own" if name in DATASET_NAMES else name
