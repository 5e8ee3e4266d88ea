"""The trained model: prediction, classification of pictures, saving and loading."""

import dataclasses
import functools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inkwise.errors import ArgumentError, DataError, InkwiseError
from inkwise.model.answers import Answer, answer_each
from inkwise.model.calibration import Calibration
from inkwise.model.hands import check_hand
from inkwise.model.inference import open_model
from inkwise.model.model_parts import Parts
from inkwise.model.saving import ONNX_FILE, load_parts, onnx_metadata, parts_from_onnx, save_parts
from inkwise.networks.as_onnx import LOGITS, PROBABILITIES, expose, to_onnx
from inkwise.networks.ensemble import Ensemble, members
from inkwise.networks.network import Network
from inkwise.networks.sessions import open_session, run_session
from inkwise.system.arrays import as_array, as_images
from inkwise.system.shown import html_table

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

    from inkwise.ink import Picture
    from inkwise.reading.checks import Check
    from inkwise.reading.numbers import Numbers


@dataclasses.dataclass(frozen=True, eq=False)
class Model:
    """A trained network with all that is needed to use it.

    Parameters
    ----------
    network : Network or Ensemble
        The description from which the network is built.
    weights : mapping of str to ndarray of float32
        The trained arrays, with the names and shapes that ``network.summary()`` states.
    class_names : tuple of str
        The name of each class, in the order of the probabilities.
    provenance : mapping
        Where the model comes from, as JSON values: recipe (the configuration of its training),
        data set and its hash, split sizes, library versions, headline metrics. Predictions do not
        depend on it.
    calibration : Calibration
        The temperature and the thresholds that turn logits into probabilities and verdicts.
    rotations : tuple of float
        Angles by which every image is rotated before the network sees it, in degrees
        counter-clockwise, from -90 to 90. Several are test-time augmentation: the probabilities
        and the scores are averaged over them.
    together : bool
        Whether all ink of a picture is kept together, as classes such as i, ÷ and ä are made of
        several pieces; see `inkwise.ink.normalise`. Then no answer is ``several``.

    Raises
    ------
    ModelError
        The weights do not fit the network, or are not finite; or the number of class names is not
        that of the network's outputs, or two class names are the same.
    ArgumentError
        The rotations are not different angles in their range.

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
    together: bool = False

    def __post_init__(self) -> None:
        self._parts().check()

    def __getstate__(self) -> dict[str, Any]:
        # Sessions of ONNX Runtime cannot go to another process, and are opened when needed.
        return {name: value for name, value in vars(self).items() if "session" not in name}

    def predict_proba(self, images: ArrayLike) -> NDArray[np.float32]:
        """Return the probability of every class for every image.

        Parameters
        ----------
        images : array-like, shape (N, H, W), (N, H, W, 1), (N, 1, H, W) or (N, H·W)
            Grey levels with light ink (the foreground) on a black background, of the size that the
            network was trained on: whole numbers from 0 to 255 of any dtype, the same divided by
            255 as floats, or booleans. NumPy arrays, nested lists, tensors and tables will do, as
            for `inkwise.Split`.

        Returns
        -------
        ndarray of float32, shape (N, classes)
            Calibrated probabilities; each row sums to 1 within rounding.

        Raises
        ------
        ArgumentError
            The images hold other values, or have another shape or size.
        ModelError
            ``model.onnx`` does not hold the model that ``model.json`` describes, although their
            hashes agree.
        """
        (probabilities,) = self.run(images, PROBABILITIES)
        return probabilities

    def logits(self, images: ArrayLike) -> NDArray[np.float32]:
        """Return the logits, float32 (N, classes), before temperature scaling.

        Of an ensemble, or with several rotations, they are the logarithm of the averaged
        probabilities plus the averaged score. Arguments and errors are those of `predict_proba`.
        """
        (logits,) = self.run(images, LOGITS)
        return logits

    def layer_outputs(self, images: ArrayLike, layer: str) -> NDArray[np.float32]:
        """Return the output of a layer inside the network for every image, after its ReLU.

        Parameters
        ----------
        images : array-like
            Images as for `predict_proba`.
        layer : str
            The layer's name in ``network.summary()``.

        Returns
        -------
        ndarray of float32, shape (N, C, H, W) or (N, features)
            Feature maps with the channels first, or feature vectors; a flattened feature map is in
            the order of its channels. With several rotations, the output for the first of them.

        Raises
        ------
        ArgumentError
            There is no such layer; or as for `predict_proba`.
        ModelError
            As for `predict_proba`.
        """
        session, outputs = self._inner_session
        if layer not in outputs:
            raise ArgumentError(f"there is no layer {layer!r}: use {', '.join(outputs)}")
        (values,) = self._run(session, images, [outputs[layer]])
        return values

    def features(self, images: ArrayLike) -> NDArray[np.float32]:
        """Return the feature vector of every image, float32 (N, F): the input of the last layer.

        The last layer is linear: the logits are weighted sums of these numbers, plus a bias. The
        feature vectors of an ensemble's members are concatenated. Arguments and errors are those
        of `predict_proba`.
        """
        session, outputs = self._inner_session
        last = [
            outputs[prefix + member.summary()[-2].name] for prefix, member in members(self.network)
        ]
        return np.concatenate(self._run(session, images, last), axis=1)

    def predict(self, images: ArrayLike) -> NDArray[np.int64]:
        """Return the index of the most probable class, int64 (N,); see `predict_proba`."""
        return self.predict_proba(images).argmax(axis=1)

    def classify(self, pictures: "Iterable[Picture]", *, hand: str = "any") -> list[Answer]:
        """Classify pictures of one digit each, with preprocessing.

        Parameters
        ----------
        pictures : iterable
            The pictures, each in any form that `inkwise.ink.normalise` takes: a path, the bytes of
            an encoded file, a PIL image or an array or tensor. An array or tensor of shape
            (N, H, W) or (N, H, W, 3 or 4) is N pictures. Put a single picture into a list:
            ``classify(["seven.png"])``.
        hand : {"any", "europe", "america"}
            Where the writers learned to write. It shifts the odds between a 1 and a 7 where a
            shape may be either; see `inkwise.model.hands`.

        Returns
        -------
        list of Answer
            One answer for each picture, in their order. A picture without ink gets an answer too,
            with the verdict ``not a digit``.

        Raises
        ------
        ArgumentError
            `pictures` is a single picture, or there is no such hand.
        DataError, StorageError
            A picture is damaged or cannot be read; the message names its index. A model for
            another image size than 28×28 takes only pictures of exactly that size, with light ink
            on a black background.
        """
        from inkwise.ink.normalising import refuse_single

        refuse_single(pictures)
        if len(getattr(pictures, "shape", ())) > 1:  # one of a single axis may hold paths
            pictures = as_array(pictures, "pictures")
        answers = []
        for place, answer in enumerate(self.classify_each(pictures, hand=hand)):
            if isinstance(answer, InkwiseError):
                raise type(answer)(f"pictures[{place}]: {answer}") from answer
            answers.append(answer)
        return answers

    def classify_each(
        self, pictures: "Iterable[Picture | InkwiseError]", *, hand: str = "any"
    ) -> Iterator[Answer | InkwiseError]:
        """Classify one picture after another; a damaged one does not stop the others.

        Parameters
        ----------
        pictures : iterable
            Pictures as for `classify`. They are drawn from the iterable as they are needed, a few
            ahead of the answers, so that there may be any number of them. An error in place of a
            picture is yielded unchanged.
        hand : {"any", "europe", "america"}
            As for `classify`.

        Yields
        ------
        Answer, or InkwiseError
            The answer about each picture, in their order, or the error if it cannot be read.

        Raises
        ------
        ArgumentError
            There is no such hand.
        """
        check_hand(hand)
        return answer_each(self, map(_read_tensor, pictures), hand)

    def read(
        self,
        picture: "Picture",
        *,
        digits: int | None = None,
        pattern: str | None = None,
        check: "str | Check | None" = None,
        marks: bool = True,
    ) -> "Numbers":
        """Read the numbers in a picture: in one line or in several, digit by digit.

        Parameters
        ----------
        picture : Picture
            A picture in any form that `inkwise.ink.normalise` takes.
        digits : int, optional
            How many digits each number has.
        pattern : str, optional
            What each number looks like: ``#`` is a digit, anything else itself, as in ``##.##``.
        check : {"luhn", "isbn", "mod11", "iban:XX"} or callable, optional
            The rule of each number's check digit, where XX is an IBAN's country; or a function
            that takes a text and tells whether it can be right.
        marks : bool
            Whether points, commas, apostrophes, dashes and ``=`` are read, or left out.

        Returns
        -------
        Numbers
            A list of `Number`, from top to bottom, and in each line from left to right; empty if
            there is no number. Its ``dropped`` says what else is in the picture. A single digit is
            read as `classify` reads it. `digits`, `pattern` and `check` choose among the readings
            of what is written, and never invent one: if no reading is allowed, the likeliest one is
            returned, and is unsure.

        Raises
        ------
        ArgumentError
            There is no such check, or the model's classes are not the ten digits.
        DataError, StorageError
            The picture is damaged or cannot be read.

        Examples
        --------
        >>> import inkwise, numpy
        >>> from PIL import Image
        >>> digits = inkwise.load_dataset("optdigits").test.images[[4, 12, 13]]
        >>> picture = Image.fromarray(255 - numpy.hstack(digits)).resize((336, 112))
        >>> [number.text for number in inkwise.load_pretrained().read(picture)]
        ['507']
        """
        from inkwise.ink.sources import read_once
        from inkwise.reading.alphabet import require_digits
        from inkwise.reading.checks import make_check
        from inkwise.reading.numbers import Numbers, may_be_one_digit, one_digit, read_numbers

        require_digits(self.class_names)
        allows = make_check(digits, pattern, check)
        pixels = _read_tensor(picture)
        if isinstance(pixels, InkwiseError):
            raise pixels
        pixels = read_once(pixels)  # it is decoded several times
        numbers = read_numbers(pixels, allows, marks=marks)
        if not may_be_one_digit(numbers):
            return numbers
        (answer,) = self.classify([pixels])
        if answer.label is None or answer.ink is None:
            if answer.verdict == "several":
                return numbers
            # A digit that is small beside its page passes for a speck there.
            small = answer.ink is None and len(numbers) > 0
            if small and numbers[0].verdict == "number":
                return Numbers([numbers[0].unsure()], numbers.dropped)
            return Numbers((), tuple(dict.fromkeys((*numbers.dropped, *["specks"] * small))))
        if numbers and len(numbers[0].text) != 1 and answer.verdict != "digit":
            return numbers
        one = one_digit(answer.top, answer.ink.box, sure=answer.verdict == "digit")
        one = one if allows is None or allows(one.text) else one.unsure()
        return Numbers([one], answer.ink.dropped)

    def run(self, images: ArrayLike, *outputs: str) -> list[NDArray[np.float32]]:
        """Return several outputs of the ONNX file from one pass over the images.

        Parameters
        ----------
        images : array-like
            Images as for `predict_proba`. Up to `inkwise.networks.sessions.BATCH` of them are
            computed on the caller's thread, more of them on every core.
        *outputs : str
            Names of outputs, from `inkwise.networks.as_onnx.OUTPUTS`.

        Returns
        -------
        list of ndarray of float32
            The outputs, in the order of their names.

        Raises
        ------
        ArgumentError, ModelError
            As `predict_proba` does.
        """
        return self._run(self._session, images, outputs)

    def _run(
        self, session: "InferenceSession", images: ArrayLike, outputs: Sequence[str]
    ) -> list[NDArray[np.float32]]:
        height, width = self.network.image_size
        try:
            levels = as_images(images, (height, width))
        except DataError as error:
            raise ArgumentError(str(error)) from error
        if levels.shape[1:] != (height, width):
            raise ArgumentError(
                f"this model takes images of shape (N, {height}, {width}), not of shape "
                f"{levels.shape}"
            )
        return run_session(session, levels, outputs, ONNX_FILE)

    def with_provenance(self, **entries: Any) -> "Model":
        """Return the same model with entries added to its provenance."""
        return dataclasses.replace(self, provenance={**self.provenance, **entries})

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the model as ``weights.safetensors``, ``model.onnx`` and ``model.json``.

        The files hold each other's hashes, so that files that were changed, or that belong to
        different models, are detected when the model is loaded.

        Parameters
        ----------
        folder : path-like
            The folder. It is created if it is missing; a model in it is replaced.

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
            The folder that `save` was given.

        Returns
        -------
        Model
            A model that gives the same probabilities as the saved one, to the bit.

        Raises
        ------
        ModelError
            A file is missing, truncated, changed, or was not written by inkwise; or the files
            belong to different models.
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
            The file's content, as in `onnx` and in the file that `inkwise export --format onnx`
            writes.

        Returns
        -------
        Model
            A model that gives the same probabilities, to the bit. Its provenance holds only the
            recipe and the data set's hash.

        Raises
        ------
        ModelError
            The file is damaged, was not written by inkwise, or has int8 weights.
        """
        return cls._of(parts_from_onnx(content), content)

    @classmethod
    def _of(cls, parts: Parts, onnx: bytes) -> "Model":
        model = cls(*parts)
        vars(model)["onnx"] = onnx  # the cached property's value, without needing the onnx package
        return model

    def _repr_html_(self) -> str:
        height, width = self.network.image_size
        layers = [
            (
                line.name,
                type(line.layer).__name__,
                "×".join(map(str, line.output_shape)),
                f"{line.parameter_count:,}",
            )
            for line in self.network.summary()
        ]
        caption = (
            f"{len(self.class_names)} classes ({', '.join(self.class_names)}), images of "
            f"{height}×{width}, {self.network.parameter_count:,} parameters"
        )
        return html_table(caption, layers, ("layer", "kind", "output", "parameters"))

    def _parts(self) -> Parts:
        return Parts(
            self.network,
            self.weights,
            self.class_names,
            self.provenance,
            self.calibration,
            self.rotations,
            self.together,
        )

    @functools.cached_property
    def onnx(self) -> bytes:
        """The model as an ONNX file, with pixel scaling, temperature and softmax in its graph.

        Its metadata are the class names, the description of the input, the network's layers, the
        calibration, the rotations, the recipe, the data set's hash and the version of inkwise;
        all but the last two are JSON.
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
        """A session whose outputs are those of the layers, and each output's name by layer."""
        combined = isinstance(self.network, Ensemble) or len(self.rotations) > 1
        content, outputs = expose(self.onnx, self.network, combined)
        return open_session(content, ONNX_FILE), outputs

    @functools.cached_property
    def _session(self) -> "InferenceSession":
        return open_model(self.onnx, self.network)


def _read_tensor(picture: "Picture | InkwiseError") -> "Picture | InkwiseError":
    """Return a tensor as an array, or the error if that is impossible; all else unchanged."""
    if isinstance(picture, np.ndarray | str | bytes) or not hasattr(picture, "__array__"):
        return picture
    try:
        return as_array(picture, "picture")
    except DataError as error:
        return error
