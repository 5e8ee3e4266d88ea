"""The trained artifact, and all that can be asked of it."""

import dataclasses
import functools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import ArgumentError, InkwiseError
from inkwise.model.answers import Answer, answer_each
from inkwise.model.calibration import Calibration
from inkwise.model.inference import open_model, open_session, run_session
from inkwise.model.parts import Parts
from inkwise.model.saving import load_parts, onnx_metadata, parts_from_onnx, save_parts
from inkwise.networks.as_onnx import LOGITS, PROBABILITIES, expose, to_onnx
from inkwise.networks.ensemble import Ensemble, members
from inkwise.networks.layers import Network

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

    from inkwise.ink import Picture


@dataclasses.dataclass(frozen=True, eq=False)
class Model:
    """A trained network with all that is needed to use it.

    Parameters
    ----------
    network : Network or Ensemble
        The description from which the network is built.
    weights : mapping of str to ndarray of float32
        The trained arrays, by the names and of the shapes that ``network.summary()`` states.
    class_names : tuple of str
        One a class, in the order of the probabilities.
    provenance : mapping
        JSON values: recipe, data set and its hash, split sizes, library versions, headline
        metrics. It decides nothing in prediction.
    calibration : Calibration
        What makes probabilities and verdicts of the network's logits.
    rotations : tuple of float
        Angles at which it looks at every image, in degrees counter-clockwise, from -90 to 90. Of
        several, it averages the probabilities and the scores.

    Raises
    ------
    ModelError
        The weights are not those of the network, or not finite, or the class names not as many as
        its outputs, or two of them are the same.
    ArgumentError
        The rotations are none.

    Examples
    --------
    >>> import inkwise
    >>> model = inkwise.Run("runs/small").model
    >>> images = inkwise.load_dataset("optdigits").test.images
    >>> model.predict_proba(images).shape
    (359, 10)
    >>> model.predict(images[:3]).dtype
    dtype('int64')
    >>> inkwise.Model.load(model.save("models/copy")).class_names[-1]
    '9'
    """

    network: Network | Ensemble
    weights: Mapping[str, NDArray[np.float32]]
    class_names: tuple[str, ...]
    provenance: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    calibration: Calibration = dataclasses.field(default_factory=Calibration)
    rotations: tuple[float, ...] = (0.0,)

    def __post_init__(self) -> None:
        self._parts().check()

    def predict_proba(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probability of every class for every image.

        Parameters
        ----------
        images : ndarray of uint8, shape (N, H, W)
            Grey levels, light ink on a black ground, of the size the network was trained on.

        Returns
        -------
        ndarray of float32, shape (N, classes)
            Rows sum to 1 within rounding.

        Raises
        ------
        ArgumentError
            The images have another type or size.
        ModelError
            ``model.onnx`` holds something else than what ``model.json`` describes, though their
            hashes agree.
        """
        (probabilities,) = self.run(images, PROBABILITIES)
        return probabilities

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return what the last layer gives, float32 (N, classes), before the temperature.

        Arguments and errors are those of `predict_proba`.
        """
        (logits,) = self.run(images, LOGITS)
        return logits

    def layer_outputs(self, images: NDArray[np.uint8], layer: str) -> NDArray[np.float32]:
        """Return what a layer inside the network gives for every image, after its ReLU.

        Parameters
        ----------
        images : ndarray of uint8, shape (N, H, W)
            As for `predict_proba`.
        layer : str
            Its name in ``network.summary()``.

        Returns
        -------
        ndarray of float32, shape (N, C, H, W) or (N, features)
            Maps with the channels first; a vector made of maps is in the same order. Of a model
            that looks at several angles, what it gives at the first.

        Raises
        ------
        ArgumentError
            There is no such layer, or the images have another type or size.
        ModelError
            As for `predict_proba`.
        """
        session, outputs = self._inner_session
        if layer not in outputs:
            raise ArgumentError(f"there is no layer {layer!r}: use {', '.join(outputs)}")
        (values,) = self._run(session, images, [outputs[layer]])
        return values

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return what the last layer is given for every image, float32 (N, F).

        It is all that the network knows of an image when it decides: the logits are weighted sums
        of these numbers. Of an ensemble, those of all members side by side. Arguments and errors
        are those of `predict_proba`.
        """
        session, outputs = self._inner_session
        last = [
            outputs[prefix + member.summary()[-2].name] for prefix, member in members(self.network)
        ]
        return np.concatenate(self._run(session, images, last), axis=1)

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return the index of the most probable class, int64 (N,); see `predict_proba`."""
        return self.predict_proba(images).argmax(axis=1)

    def classify(self, pictures: "Iterable[Picture]") -> list[Answer]:
        """Tell what pictures show, each of one digit, or that they show none.

        Parameters
        ----------
        pictures : iterable
            Each of them anything that `inkwise.ink.normalise` takes: a path, an encoded file's
            bytes, a PIL image, an array. An array of shape (N, H, W) or (N, H, W, 3 or 4) is N
            pictures. A single picture goes into a list: ``classify(["seven.png"])``.

        Returns
        -------
        list of Answer
            One a picture. A picture without ink has one too: it is not a digit.

        Raises
        ------
        ArgumentError
            `pictures` is a single one.
        DataError, StorageError
            A picture is damaged or cannot be read; its place in the list is told. A model for
            images of another size than 28×28 takes pictures of exactly that size, with light ink
            on a black ground, and nothing else.
        """
        one = isinstance(pictures, str | bytes | bytearray | os.PathLike)
        if isinstance(pictures, np.ndarray):
            one = pictures.ndim < 3 or (pictures.ndim == 3 and pictures.shape[2] in (3, 4))
        if one or not isinstance(pictures, Iterable):
            raise ArgumentError("classify takes a list of pictures: put a single one in brackets")
        answers = []
        for place, answer in enumerate(self.classify_each(pictures)):
            if isinstance(answer, InkwiseError):
                raise type(answer)(f"pictures[{place}]: {answer}") from answer
            answers.append(answer)
        return answers

    def classify_each(
        self, pictures: "Iterable[Picture | InkwiseError]"
    ) -> Iterator[Answer | InkwiseError]:
        """Tell of one picture after another what it shows; a damaged one does not stop the others.

        Parameters
        ----------
        pictures : iterable
            As for `classify`. They are taken as they are needed, a few ahead of the answers, so
            that there may be any number of them. An error in a picture's place comes out again.

        Yields
        ------
        Answer, or InkwiseError
            In the order of the pictures; the error of a picture that cannot be read.
        """
        return answer_each(self, pictures)

    def run(self, images: NDArray[np.uint8], *outputs: str) -> list[NDArray[np.float32]]:
        """Return outputs of the ONNX file, by their names, for whoever needs several in one pass.

        Parameters
        ----------
        images : ndarray of uint8, shape (N, H, W)
            As for `predict_proba`. Up to `BATCH` of them are computed on the caller's core.
        *outputs : str
            Of `inkwise.networks.as_onnx.OUTPUTS`.

        Raises
        ------
        ArgumentError, ModelError
            As `predict_proba` does.
        """
        return self._run(self._session, images, outputs)

    def _run(
        self, session: "InferenceSession", images: NDArray[np.uint8], outputs: Sequence[str]
    ) -> list[NDArray[np.float32]]:
        images = np.asarray(images)
        height, width = self.network.image_size
        if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != (height, width):
            raise ArgumentError(
                f"this model takes uint8 images of shape (N, {height}, {width}), not "
                f"{images.dtype} of shape {images.shape}"
            )
        return run_session(session, images, outputs)

    def with_provenance(self, **entries: Any) -> "Model":
        """Return the same model with entries added to its provenance."""
        return dataclasses.replace(self, provenance={**self.provenance, **entries})

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the model as ``weights.safetensors``, ``model.onnx`` and ``model.json``.

        The files hold each other's hashes, so that mixed or changed ones are noticed when the
        model is loaded.

        Parameters
        ----------
        folder : path-like
            Created if missing; a model that stands there is replaced.

        Returns
        -------
        Path
            `folder`.

        Raises
        ------
        StorageError
            The folder cannot be written.
        """
        save_parts(self._parts(), self.onnx, Path(folder))
        return Path(folder)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> "Model":
        """Read a model that `save` wrote; no code from its files is run.

        Parameters
        ----------
        folder : path-like

        Returns
        -------
        Model
            It gives the same probabilities, to the bit, as the one that was saved.

        Raises
        ------
        ModelError
            A file is missing, truncated, changed or foreign, or they do not belong together.
        StorageError
            A file cannot be read.
        """
        parts, onnx = load_parts(Path(folder))
        return cls._of(parts, onnx)

    @classmethod
    def from_onnx(cls, content: bytes) -> "Model":
        """Read a model back from its ONNX file alone.

        Parameters
        ----------
        content : bytes
            What `onnx` holds, for instance read from the file that `inkwise export --format onnx`
            wrote.

        Returns
        -------
        Model
            It gives the same probabilities, to the bit. Of its provenance there are the recipe
            and the data set's hash.

        Raises
        ------
        ModelError
            The file is damaged or foreign, or inkwise wrote it with int8 weights.
        """
        return cls._of(parts_from_onnx(content), content)

    @classmethod
    def _of(cls, parts: Parts, onnx: bytes) -> "Model":
        model = cls(*parts)
        vars(model)["onnx"] = onnx  # what the property would make, without the onnx package
        return model

    def _parts(self) -> Parts:
        return Parts(
            self.network,
            self.weights,
            self.class_names,
            self.provenance,
            self.calibration,
            self.rotations,
        )

    @functools.cached_property
    def onnx(self) -> bytes:
        """The model as an ONNX file, with scaling, temperature and softmax in its graph.

        Its metadata hold the class names, the input contract, the network's layers, the
        calibration, the rotations, the recipe, the data set's hash and the version of inkwise,
        all but the last two as JSON.
        """
        return to_onnx(
            self.network,
            self.weights,
            onnx_metadata(self._parts()),
            self.calibration.temperature,
            self.rotations,
        )

    @functools.cached_property
    def _inner_session(self) -> "tuple[InferenceSession, dict[str, str]]":
        """What runs the model with its layers' values as outputs, and their names by layer."""
        combined = isinstance(self.network, Ensemble) or len(self.rotations) > 1
        content, outputs = expose(self.onnx, self.network, combined)
        return open_session(content), outputs

    @functools.cached_property
    def _session(self) -> "InferenceSession":
        return open_model(self.onnx, self.network)
