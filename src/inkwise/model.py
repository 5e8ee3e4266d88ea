"""The trained artifact: save, load, predict, and answer about pictures."""

import contextlib
import dataclasses
import functools
import hashlib
import itertools
import json
import math
import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

import inkwise
from inkwise.calibration import Calibration
from inkwise.errors import ArgumentError, InkwiseError, ModelError, NoInkError
from inkwise.files import json_bytes, read_bytes, storage, write_together
from inkwise.networks.ensemble import Ensemble, from_json, members, to_json
from inkwise.networks.layers import Network
from inkwise.networks.onnx import (
    INPUT,
    LOGITS,
    OUTPUTS,
    PROBABILITIES,
    SCORE,
    expose,
    read_metadata,
    read_weights,
    to_onnx,
)
from inkwise.networks.rotations import check_rotations
from inkwise.provenance import available_cores

if TYPE_CHECKING:
    from concurrent.futures import Future

    from onnxruntime import InferenceSession

    from inkwise.ink import Ink, Picture

SCHEMA = "inkwise-model/3"
WEIGHTS_FILE = "weights.safetensors"
ONNX_FILE = "model.onnx"
DOCUMENT_FILE = "model.json"

BATCH = 32
"""Images in one pass of a core; from 16 to 64 is fastest, more fall out of the core's cache."""

CHUNK = 8
"""Pictures that a core reads and answers at once; more would keep the first answers waiting."""

CANDIDATES = 3
"""How many classes an answer names."""

Verdict = Literal["digit", "unsure", "not a digit"]


@dataclasses.dataclass(frozen=True, eq=False)
class Answer:
    """What a model says about a picture.

    Parameters
    ----------
    verdict : {"digit", "unsure", "not a digit"}
        ``digit``: it looks like one of the model's classes, whatever they are, and the label is
        the one; ``unsure``: the label is the likeliest of several; ``not a digit``: it looks like
        none of the classes, or holds no ink.
    label : str or None
        The name of the likeliest class; None where the picture is not a digit.
    probability : float
        That of the likeliest class, calibrated; 0 where there is no ink.
    top : tuple of (str, float)
        The three likeliest classes and their probabilities, the likeliest first; fewer where the
        model has fewer, none where there is no ink.
    score : float
        How much the picture looks like any of the classes, see `Calibration`; minus infinity
        where there is no ink.
    ink : Ink or None
        What the network saw, and where in the picture; None where there is no ink.
    """

    verdict: Verdict
    label: str | None
    probability: float
    top: tuple[tuple[str, float], ...]
    score: float
    ink: "Ink | None"


NO_INK = Answer("not a digit", None, 0.0, (), -math.inf, None)
"""The answer about a picture in which there is no ink."""


def choose_readings(
    inks: "Iterable[Ink]", scores: NDArray[np.float32]
) -> "Iterator[tuple[Ink, int]]":
    """Choose of every ink's readings the one that looks most like any of the classes.

    Parameters
    ----------
    inks : iterable of Ink
    scores : ndarray of float32, shape (R,)
        Of all their `readings`, one after another.

    Yields
    ------
    Ink
        With the reading as its image.
    int
        The reading's place in `scores`.
    """
    first = 0
    for ink in inks:
        count = len(ink.readings)
        place = int(scores[first : first + count].argmax())
        yield ink.read_as(place), first + place
        first += count


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
        The weights are not those of the network, or the class names not as many as its outputs,
        or two of them are the same.
    ArgumentError
        The rotations are none.
    """

    network: Network | Ensemble
    weights: Mapping[str, NDArray[np.float32]]
    class_names: tuple[str, ...]
    provenance: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    calibration: Calibration = dataclasses.field(default_factory=Calibration)
    rotations: tuple[float, ...] = (0.0,)

    def __post_init__(self) -> None:
        expected = {
            name: shape
            for line in self.network.summary()
            for name, shape in line.parameters.items()
        }
        found = {name: array.shape for name, array in self.weights.items()}
        if found != expected:
            odd = sorted(
                name for name in {*found, *expected} if found.get(name) != expected.get(name)
            )
            raise ModelError(f"the weights do not fit the network: {', '.join(odd)}")
        if any(array.dtype != np.float32 for array in self.weights.values()):
            raise ModelError("the weights must be float32")
        if not all(isinstance(name, str) for name in self.class_names):
            raise ModelError(f"class names must be text, not {self.class_names}")
        if len(set(self.class_names)) != len(self.class_names):
            raise ModelError(f"two classes have one name: {', '.join(self.class_names)}")
        if len(self.class_names) != self.network.classes:
            raise ModelError(
                f"{len(self.class_names)} class names do not go with the network's "
                f"{self.network.classes} outputs"
            )
        check_rotations(self.rotations)

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
        return np.concatenate(
            [
                self.layer_outputs(images, prefix + member.summary()[-2].name)
                for prefix, member in members(self.network)
            ],
            axis=1,
        )

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
        rest = iter(pictures)
        chunk = [*itertools.islice(rest, CHUNK)]
        if len(chunk) < CHUNK:  # not worth a thread
            yield from self._answer(chunk)
            return

        from concurrent.futures import ThreadPoolExecutor

        cores = available_cores()
        _ = self._session  # made once, and not by each thread
        pending: deque[Future[list[Answer | InkwiseError]]] = deque()
        with ThreadPoolExecutor(cores) as pool:
            try:
                while chunk or pending:
                    while chunk and len(pending) <= cores:
                        pending.append(pool.submit(self._answer, chunk))
                        chunk = [*itertools.islice(rest, CHUNK)]
                    yield from pending.popleft().result()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _answer(self, pictures: "Sequence[Picture | InkwiseError]") -> list[Answer | InkwiseError]:
        inks = [self.find_ink(picture) for picture in pictures]
        found = [ink for ink in inks if not isinstance(ink, InkwiseError)]
        readings = [reading for ink in found for reading in ink.readings]
        images = np.array(readings, np.uint8).reshape(-1, *self.network.image_size)
        probabilities, scores = self.run(images, PROBABILITIES, SCORE)
        chosen = choose_readings(found, scores)
        answers: list[Answer | InkwiseError] = []
        for ink in inks:
            if isinstance(ink, NoInkError):
                answers.append(NO_INK)
            elif isinstance(ink, InkwiseError):
                answers.append(ink)
            else:
                seen, row = next(chosen)
                answers.append(self.judge(seen, probabilities[row], float(scores[row])))
        return answers

    def find_ink(self, picture: "Picture | InkwiseError") -> "Ink | InkwiseError":
        """Bring a picture to what the network expects, or return why that cannot be done."""
        from inkwise.ink import CANVAS, Ink, normalise, take_as_is

        if isinstance(picture, InkwiseError):
            return picture
        height, width = self.network.image_size
        try:
            if (height, width) == (CANVAS, CANVAS):
                return normalise(picture)
            image = take_as_is(picture, (height, width))
        except InkwiseError as error:
            return error
        return Ink(image, "light ink", (0, 0, height, width), 1.0)

    def judge(self, ink: "Ink", probabilities: NDArray[np.float32], score: float) -> Answer:
        """Make an answer of what the network gave for an ink: probabilities (classes,), a score."""
        likeliest_first = (-probabilities).argsort(kind="stable")[:CANDIDATES]
        top = tuple(
            (self.class_names[place], float(probabilities[place])) for place in likeliest_first
        )
        label, probability = top[0]
        verdict = self.verdict(probability, score)
        named = None if verdict == "not a digit" else label
        return Answer(verdict, named, probability, top, score, ink)

    def verdict(self, probability: float, score: float) -> Verdict:
        """Return the verdict on one image; see `verdicts`."""
        (verdict,) = self.verdicts(np.array([probability]), np.array([score]))
        return verdict

    def verdicts(
        self, probability: NDArray[np.floating[Any]], score: NDArray[np.floating[Any]]
    ) -> list[Verdict]:
        """Return the verdicts on images.

        Parameters
        ----------
        probability : ndarray of float, shape (N,)
            Of the likeliest class.
        score : ndarray of float, shape (N,)
        """
        # NumPy would round the limits to float32, and one image get another verdict than it did.
        unsure = probability.astype(np.float64) < self.calibration.lowest_probability
        foreign = score.astype(np.float64) < self.calibration.lowest_score
        return np.where(foreign, "not a digit", np.where(unsure, "unsure", "digit")).tolist()

    def run(self, images: NDArray[np.uint8], *outputs: str) -> list[NDArray[np.float32]]:
        """Return outputs of the ONNX file, by their names, for whoever needs several in one pass.

        Parameters
        ----------
        images : ndarray of uint8, shape (N, H, W)
            As for `predict_proba`. Up to `BATCH` of them are computed on the caller's core.
        *outputs : str
            Of `inkwise.networks.onnx.OUTPUTS`.

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
        try:
            if len(images) <= BATCH:
                return _run_batch(session, images, outputs)
            return _run_on_all_cores(session, images, outputs)
        except Exception as error:  # ONNX Runtime's have no base: here for a graph that is damaged
            raise ModelError(f"{ONNX_FILE} cannot be run: train the model again") from error

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
        import safetensors.numpy

        folder = Path(folder)
        document = {
            "schema": SCHEMA,
            "input": self._contract,
            "class_names": list(self.class_names),
            "network": to_json(self.network),
            "calibration": self.calibration.to_dict(),
            "rotations": list(self.rotations),
            "provenance": dict(self.provenance),
            "onnx_sha256": hashlib.sha256(self.onnx).hexdigest(),
        }
        weights = safetensors.numpy.save(
            {name: np.ascontiguousarray(array) for name, array in self.weights.items()},
            metadata={"model_json_sha256": _document_hash(document)},
        )
        signed = {**document, "weights_sha256": hashlib.sha256(weights).hexdigest()}
        write_together(
            {
                folder / WEIGHTS_FILE: weights,
                folder / ONNX_FILE: self.onnx,
                folder / DOCUMENT_FILE: json_bytes(signed),
            }
        )
        return folder

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
        folder = Path(folder)
        for name in (DOCUMENT_FILE, WEIGHTS_FILE, ONNX_FILE):
            with storage(folder, "read"):
                missing = not (folder / name).is_file()
            if missing:
                raise ModelError(f"there is no model in {folder}: it has no {name}")
        document = _read_document(folder / DOCUMENT_FILE)
        raw = _read_verified(folder / WEIGHTS_FILE, document.pop("weights_sha256", None))
        weights, metadata = _read_weights(raw, folder / WEIGHTS_FILE)
        intact = False
        with contextlib.suppress(ValueError, RecursionError):  # what `save` would not have written
            intact = metadata.get("model_json_sha256") == _document_hash(document)
        if not intact:
            raise ModelError(
                f"{folder / DOCUMENT_FILE} was changed after the model was saved; copy or train "
                "the model again"
            )
        onnx = _read_verified(folder / ONNX_FILE, document.get("onnx_sha256"))
        try:
            model = cls(
                _read_network(document),
                weights,
                tuple(document["class_names"]),
                dict(document["provenance"]),
                Calibration.from_dict(document["calibration"]),
                tuple(document["rotations"]),
            )
        except (KeyError, TypeError, ValueError, ModelError) as error:
            raise ModelError(
                f"{folder / DOCUMENT_FILE} does not describe a whole model "
                f"({type(error).__name__}: {error}): train the model again"
            ) from error
        vars(model)["onnx"] = onnx  # what the property would make, without the onnx package
        return model

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
        try:
            metadata = read_metadata(content)
            described = (
                "input",
                "class_names",
                "network",
                "calibration",
                "rotations",
                "recipe",
            )
            document = {key: json.loads(metadata[key]) for key in described if key in metadata}
            provenance = {key: document[key] for key in ("recipe",) if key in document}
            if "dataset_sha256" in metadata:
                provenance["dataset"] = {"sha256": metadata["dataset_sha256"]}
            network = _read_network(document)
            model = cls(
                network,
                read_weights(content, network),
                tuple(document["class_names"]),
                provenance,
                Calibration.from_dict(document["calibration"]),
                tuple(document["rotations"]),
            )
        except (KeyError, TypeError, ValueError, RecursionError, ModelError) as error:
            raise ModelError(
                f"the ONNX file is not one that inkwise wrote ({type(error).__name__}: {error})"
            ) from error
        vars(model)["onnx"] = content
        return model

    @functools.cached_property
    def onnx(self) -> bytes:
        """The model as an ONNX file, with scaling, temperature and softmax in its graph.

        Its metadata hold the class names, the input contract, the network's layers, the
        calibration, the rotations, the recipe, the data set's hash and the version of inkwise,
        all but the last two as JSON.
        """
        metadata = {
            "class_names": _json(self.class_names),
            "input": _json(self._contract),
            "network": _json(to_json(self.network)),
            "calibration": _json(self.calibration.to_dict()),
            "rotations": _json(self.rotations),
            "inkwise_version": inkwise.__version__,
        }
        if "recipe" in self.provenance:
            metadata["recipe"] = _json(self.provenance["recipe"])
        dataset = self.provenance.get("dataset")
        if isinstance(dataset, Mapping) and isinstance(dataset.get("sha256"), str):
            metadata["dataset_sha256"] = dataset["sha256"]
        return to_onnx(
            self.network, self.weights, metadata, self.calibration.temperature, self.rotations
        )

    @property
    def _contract(self) -> dict[str, Any]:
        """What the network takes, as JSON values."""
        return {
            "dtype": "uint8",
            "shape": ["N", *self.network.image_size],
            "range": [0, 255],
            "polarity": "light ink on a black ground",
            "scaling": "divided by 255",
        }

    @functools.cached_property
    def _inner_session(self) -> "tuple[InferenceSession, dict[str, str]]":
        """What runs the model with its layers' values as outputs, and their names by layer."""
        combined = isinstance(self.network, Ensemble) or len(self.rotations) > 1
        content, outputs = expose(self.onnx, self.network, combined)
        return _open_session(content), outputs

    @functools.cached_property
    def _session(self) -> "InferenceSession":
        session = _open_session(self.onnx)
        each = ["N", self.network.classes]
        shapes = {PROBABILITIES: each, LOGITS: each, SCORE: ["N"]}
        contract = [
            (INPUT, "tensor(uint8)", ["N", *self.network.image_size]),
            *((name, "tensor(float)", shapes[name]) for name in OUTPUTS),
        ]
        ends = [*session.get_inputs(), *session.get_outputs()]
        if [(end.name, end.type, end.shape) for end in ends] != contract:
            raise ModelError(
                f"{ONNX_FILE} and {DOCUMENT_FILE} do not describe the same model: train it again"
            )
        return session


def _open_session(content: bytes) -> "InferenceSession":
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # An image is too little work to share: whole batches run side by side instead.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors are raised, and printing is not ours to do
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has a dozen kinds of "damaged", and no base
        raise ModelError(f"{ONNX_FILE} is no ONNX model: train the model again") from error


def _run_batch(
    session: "InferenceSession", images: NDArray[np.uint8], outputs: Sequence[str]
) -> list[NDArray[np.float32]]:
    # Inside the network of a model that looks at several angles, those of the first come first.
    return [values[: len(images)] for values in session.run(outputs, {INPUT: images})]


def _run_on_all_cores(
    session: "InferenceSession", images: NDArray[np.uint8], outputs: Sequence[str]
) -> list[NDArray[np.float32]]:
    """Return the outputs for all images, every core one batch after another.

    The batches are the same on any number of cores, and so are the answers.
    """
    from concurrent.futures import ThreadPoolExecutor

    batches: list[list[NDArray[np.float32]]] = [[]] * math.ceil(len(images) / BATCH)
    places = iter(range(len(batches)))
    taking = threading.Lock()

    def work() -> None:
        while True:
            with taking:
                place = next(places, None)
            if place is None:
                return
            batch = images[place * BATCH : (place + 1) * BATCH]
            batches[place] = _run_batch(session, batch, outputs)

    workers = min(available_cores(), len(batches))
    with ThreadPoolExecutor(workers) as pool:
        helpers = [pool.submit(work) for _ in range(workers - 1)]
        try:
            work()
        finally:
            with taking:
                deque(places, maxlen=0)  # an error or Ctrl-C leaves the helpers nothing to do
    for helper in helpers:
        helper.result()
    return [np.concatenate(parts) for parts in zip(*batches, strict=True)]


def _read_network(document: Mapping[str, Any]) -> Network | Ensemble:
    _, height, width = document["input"]["shape"]
    return from_json((height, width), document["network"])


def _document_hash(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(_json(document).encode()).hexdigest()


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)


def _read_document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise ModelError(
            f"{path} is truncated or not JSON: copy or train the model again"
        ) from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise ModelError(f"{path} does not describe an inkwise model (schema {SCHEMA})")
    return document


def _read_verified(path: Path, sha256: object) -> bytes:
    raw = read_bytes(path)
    if hashlib.sha256(raw).hexdigest() != sha256:
        raise ModelError(
            f"{path} is not the file that {DOCUMENT_FILE} was written with: it was changed, cut "
            "or mixed up; copy or train the model again"
        )
    return raw


def _read_weights(raw: bytes, path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    import safetensors
    import safetensors.numpy

    try:
        weights = safetensors.numpy.load(raw)
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise ModelError(f"{path} is not a safetensors file: {error}") from error
    # The library returns the arrays only; the header it has just checked holds the metadata.
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    return weights, header.get("__metadata__") or {}
