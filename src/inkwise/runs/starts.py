"""What a training goes on from: a model, and the data that it has learned before."""

import dataclasses
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inkwise.data.catalogue import load_dataset
from inkwise.data.dataset import Dataset
from inkwise.data.own_data import read_data
from inkwise.data.published import DATASET_NAMES
from inkwise.data.several_pieces import keeps_together
from inkwise.data.splits import Holdout, Splits
from inkwise.errors import ArgumentError, DataError, ModelError, RunError
from inkwise.evaluation.results import Evaluation
from inkwise.model import Model
from inkwise.model.pretrained import load_pretrained
from inkwise.networks.words import nearest
from inkwise.runs.directory import SEEN_FILE, Run, describe_dataset
from inkwise.runs.documents import EARLIER_FORM, START_FORM, has_form
from inkwise.runs.gains import Gain, find_mistakes
from inkwise.runs.mixed_data import as_own_images, join_classes, mix
from inkwise.runs.models import PRETRAINED, find_model
from inkwise.runs.original_data import load_earlier
from inkwise.runs.seen_images import hash_images, read_seen
from inkwise.system.progress import SILENT, Progress
from inkwise.training.going_on import trained_by
from inkwise.training.named_recipes import RECIPES


@dataclasses.dataclass(frozen=True, eq=False)
class Start:
    """A model to go on from, and what to learn.

    Parameters
    ----------
    model : Model
        The model.
    dataset : Dataset
        The images to learn from: the user's own and a share of the earlier ones. The test images
        are the user's.
    earlier : Dataset or None
        What the model has learned before; None if it plays no part any more, or is not at hand.
    seen : ndarray of uint64
        Hashes of the images that the model has learned from before.
    record : dict
        What ``run.json`` keeps of it.
    notices : list of str
        What the user should know.
    """

    model: Model
    dataset: Dataset
    earlier: Dataset | None
    seen: NDArray[np.uint64]
    record: dict[str, Any]
    notices: list[str]

    def measure_gains(self, model: Model, evaluation: Evaluation) -> list[Gain]:
        """Compare the model with another, on the user's test images and on the earlier ones.

        Parameters
        ----------
        model : Model
            The model after the training.
        evaluation : Evaluation
            Its answers about the user's test images.

        Returns
        -------
        list of Gain
            None if the model to start from knew none of the classes.
        """
        own, names = self.dataset, self.dataset.class_names
        if not {*names} & {*self.model.class_names}:
            return []
        wrong = np.sort(evaluation.misclassified).tolist()
        before = find_mistakes(self.model, own.test, names)
        gains = [Gain(own.name, own.title, len(own.test), before, wrong)]
        if self.earlier is not None and not np.array_equal(
            self.earlier.test.images, own.test.images
        ):
            test, names = self.earlier.test, self.earlier.class_names
            mistakes = (find_mistakes(each, test, names) for each in (self.model, model))
            gains.append(Gain(self.earlier.name, self.earlier.title, len(test), *mistakes))
        return gains


class _Earlier(NamedTuple):
    dataset: Dataset
    splits: Splits
    record: dict[str, Any]


def find_start(place: str | os.PathLike[str]) -> Model:
    """Load a model to go on from as `find_model` does, also for the errors.

    Raises
    ------
    RunError
        The run's ``run.json`` is damaged, which says what the model has learned.
    """
    path = Path(place)
    if (path / "run.json").is_file():
        Run(path).record  # noqa: B018 - reading it checks it
    elif str(place) != PRETRAINED and not path.exists():
        near = nearest(path.name, [PRETRAINED]) or (
            f" (did you mean {PRETRAINED!r}, the package's model?)" if path.name in RECIPES else ""
        )
        raise ModelError(
            f"there is no model at {place}{near}: name {PRETRAINED}, a run, a model directory or "
            "an .onnx file of inkwise"
        )
    return find_model(path)


def go_on_from(
    place: str | os.PathLike[str],
    model: Model,
    own: Dataset | str | os.PathLike[str] | None,
    seed: int,
    data_dir: str | os.PathLike[str] | None = None,
    progress: Progress = SILENT,
    learned: Dataset | None = None,
) -> Start:
    """Mix the images to learn from, when a training goes on from a model.

    Parameters
    ----------
    place : str or path-like
        Where the model came from.
    model : Model
        What `find_start` returned for it.
    own : Dataset or path-like
        The user's images. A folder or a file need not have many of them, nor every class.
    seed : int
        Seed of the draw from the earlier images.
    data_dir : path-like, optional
        Where the earlier images are; by default where they were.
    progress : Progress, optional
        Receives what is read and downloaded.
    learned : Dataset, optional
        What the model was trained on before; by default what the model itself says.

    Raises
    ------
    ArgumentError
        There are no images to learn from.
    RunError
        The model was not trained on `learned`.
    DataError, StorageError
        There are too few of them, they have another size, or the earlier ones cannot be obtained.
    """
    if own is None:
        raise ArgumentError(
            f"name the pictures to learn when going on from {place}: a folder, a file or a data set"
        )
    if isinstance(own, Dataset):
        images = as_own_images(own)
    else:
        together = True if model.together else None
        images = read_data(own, progress, together=together, known=model.class_names)
    size, needed = next(iter(images.parts.values())).images.shape[1:], model.network.image_size
    if size != needed:
        raise DataError(
            f"{images.source} has images of {'×'.join(map(str, size))}, and {place} takes those of "
            f"{'×'.join(map(str, needed))}: scale them to that size"
        )
    names = join_classes(model.class_names, images.class_names)
    notices: list[str] = []
    earlier = None
    if not {*names} & {*model.class_names}:
        notices.append(
            f"The model will know {', '.join(names)} alone, in place of the classes that it knew: "
            "none of its own classes is among them"
            + (f", and {learned.name} plays no part" if learned is not None else "")
        )
    else:
        try:
            earlier = _find_earlier(str(place), model, learned, data_dir, progress)
        except RunError as error:  # the user's own data, which may be gone for good
            if learned is not None:
                raise
            notices.append(f"Nothing that the model knows is rehearsed, and it may forget: {error}")
    seen = _find_seen(Path(place), earlier)
    whole = images.parts.get("whole")
    try:
        dataset, own_images = mix(
            images,
            names,
            None if whole is None else np.isin(hash_images(whole.images), seen),
            earlier and (earlier.dataset, earlier.splits),
            seed,
        )
    except DataError as error:  # it may be because nothing is rehearsed
        raise DataError(". ".join([str(error), *notices])) from error
    dataset = dataclasses.replace(dataset, together=model.together or keeps_together(dataset))
    if isinstance(own, Dataset):
        dataset = dataclasses.replace(dataset, source=own.source)
    record = {
        "model": PRETRAINED if str(place) == PRETRAINED else str(Path(place).resolve()),
        "sha256": _hash(model),
        "class_names": list(model.class_names),
        "own_images": own_images,
        "earlier": earlier and earlier.record,
    }
    told = [dataset.notice] if dataset.notice else []
    return Start(model, dataset, earlier and earlier.dataset, seen, record, told + notices)


def find_again(
    run: Run,
    dataset: Dataset,
    data_dir: str | os.PathLike[str] | None,
    progress: Progress,
) -> Start | None:
    """Find what an interrupted run went on from; None if it began anew.

    Raises
    ------
    RunError
        The model is gone, or is another.
    """
    start = run.start
    if start is None:
        return None
    try:
        model = find_start(start["model"])
    except (ModelError, RunError):
        model = None
    if model is None or _hash(model) != start["sha256"]:
        raise RunError(
            f"{start['model']} is no longer the model that {run.path} went on from: train again"
        )
    earlier = start["earlier"]
    if earlier is not None:
        earlier, _ = load_earlier(earlier, start["model"], None, data_dir, progress)
    return Start(model, dataset, earlier, np.empty(0, np.uint64), start, [])


def _hash(model: Model) -> str:
    return hashlib.sha256(model.onnx).hexdigest()


def _find_earlier(
    owner: str,
    model: Model,
    learned: Dataset | None,
    data_dir: str | os.PathLike[str] | None,
    progress: Progress,
) -> _Earlier:
    """Load what a model has learned before; raise `RunError` if it is not known or gone."""
    start, record = model.provenance.get("start"), model.provenance.get("dataset")
    recipe = trained_by(model)
    if start is not None:  # it went on from another itself, with a share of the same data
        record = start["earlier"] if has_form(start, START_FORM) else None
    elif recipe is not None and isinstance(record, Mapping) and has_form(record, {"sha256": str}):
        if "source" not in record:  # as in an ONNX file, which has the hash and the name alone
            learned = learned or _find_named(owner, record, data_dir, progress)
            record = {**describe_dataset(learned), "sha256": record["sha256"]}
        record = {**record, "holdout": dataclasses.asdict(recipe.holdout), "seed": recipe.seed}
    if not isinstance(record, Mapping) or not has_form(record, EARLIER_FORM):
        if learned is None:
            raise RunError(f"the data that {owner} was trained on are not known: {_NAME_THEM}")
        holdout = dataclasses.asdict(Holdout())
        record = {**describe_dataset(learned), "holdout": holdout, "seed": 0}
    return _Earlier(*load_earlier(record, owner, learned, data_dir, progress), {**record})


_NAME_THEM = "name them with --dataset NAME beside --data"


def _find_named(
    owner: str,
    record: Mapping[str, Any],
    data_dir: str | os.PathLike[str] | None,
    progress: Progress,
) -> Dataset:
    """Load a published data set of which a name or only a hash is known."""
    name = record.get("name")
    packaged = load_pretrained().provenance["dataset"]
    if name is None and record["sha256"] == packaged["sha256"]:
        name = "mnist"
    if name not in DATASET_NAMES:
        told = (
            "data whose name the file does not hold" if name is None else f"{name}, your own data"
        )
        raise RunError(f"{owner} was trained on {told}: name the run in its place, or {_NAME_THEM}")
    return load_dataset(name, data_dir, progress)


def _find_seen(place: Path, earlier: _Earlier | None) -> NDArray[np.uint64]:
    """Return the hashes of the images that a model was trained or validated on."""
    seen = [np.empty(0, np.uint64)]
    if (place / SEEN_FILE).is_file():
        seen.append(read_seen(place / SEEN_FILE))
    if earlier is not None:
        splits = earlier.splits
        seen += [hash_images(part.images) for part in (splits.train, splits.validation)]
    return np.unique(np.concatenate(seen))
