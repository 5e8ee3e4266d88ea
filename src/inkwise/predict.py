"""Answers about pictures in files."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from inkwise.errors import DataError, StorageError
from inkwise.ink import read_picture
from inkwise.model import Model


def predict_files(
    model: Model, paths: Iterable[str | os.PathLike[str]]
) -> Iterator[tuple[Path, dict[str, float] | DataError | StorageError]]:
    """Tell what each picture shows; one that cannot be read does not stop the others.

    Parameters
    ----------
    model : Model
    paths : iterable of path-like
        Pictures, each of one digit; see `inkwise.ink.read_picture`.

    Yields
    ------
    path : Path
    answer : dict of str to float, or error
        Probabilities by class name, the likeliest first; or why there are none.
    """
    for path in map(Path, paths):
        try:
            picture = read_picture(path, model.network.image_size)
        except (DataError, StorageError) as error:
            yield path, error
        else:
            probabilities = model.predict_proba(picture[None])[0]
            likeliest_first = (-probabilities).argsort(kind="stable")
            yield (
                path,
                {
                    model.class_names[place]: float(probabilities[place])
                    for place in likeliest_first
                },
            )
