"""Schemas of requests and responses: requests are checked, and the reference describes both."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

HAND = (
    "Where the writers learned to write. It shifts the odds between a 1 with an upstroke and a 7 "
    "without a bar, where a shape may be either."
)

WITH_IMAGE = "Whether to return the preprocessed image that the network saw."


class Strict(BaseModel):
    """A document that may have no other fields than those that its class states."""

    model_config = ConfigDict(extra="forbid")


class PicturesRequest(Strict):
    """What requests with pictures have in common."""

    pictures: list[str] = Field(
        min_length=1,
        description="Image files of any usual format, each encoded in base64 (either alphabet), or "
        "as a data URL.",
    )


class PictureRequest(PicturesRequest):
    """Pictures of one digit each."""

    with_image: bool = Field(False, description=WITH_IMAGE)
    hand: Literal["any", "europe", "america"] = Field("any", description=HAND)


class NumbersRequest(PicturesRequest):
    """Pictures of numbers; what is known of the numbers is in the query."""


class ExplanationRequest(PicturesRequest):
    """A picture of one digit."""

    hand: Literal["any", "europe", "america"] = Field("any", description=HAND)


class ArrayRequest(Strict):
    """Images that are ready for the network: light ink on a black background."""

    images: list[Any] = Field(
        description="Whole numbers from 0 to 255, nested as (N, H, W), or (H, W) for one image."
    )


class Instances(BaseModel):
    """A request of KServe's protocol, version 1."""

    instances: list[Any] | None = Field(
        None, description="The images: whole numbers from 0 to 255, nested as (N, H, W)."
    )
    inputs: list[Any] | None = Field(None, description="The same under its other name.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.instances is None) == (self.inputs is None):
            raise ValueError("send the images as `instances`, or as `inputs`")
        return self


class ModelName(BaseModel):
    """Which model answered."""

    name: str
    version: str = Field(description="An identifier that changes whenever the model changes.")


class ProblemDocument(BaseModel):
    """The reason why there is no answer, in the form of RFC 9457."""

    type: str
    title: str
    status: int
    detail: str = Field(description="What is wrong, and what to do about it.")


class PictureAnswer(BaseModel):
    """The answer about one picture, or the reason why there is none."""

    file: str | None = Field(description="The file name that the client gave.")
    label: str | None = Field(
        None,
        description="The likeliest class; null if the verdict is `several` or `not a digit`.",
    )
    probability: float | None = Field(
        None, ge=0, le=1, description="Calibrated probability of the likeliest class."
    )
    verdict: Literal["digit", "unsure", "several", "not a digit"] | None = Field(
        None,
        description="`digit`, or that the model abstains: `unsure`, `several` or `not a digit`.",
    )
    top: list[tuple[str, float]] | None = Field(
        None, description="The three likeliest classes and their probabilities."
    )
    probabilities: dict[str, float] | None = Field(
        None, description="The probability of every class; null without ink, or of several things."
    )
    score: float | None = Field(
        None,
        description="Energy score: the higher, the more the picture looks like one of the classes; "
        "null if there is no ink.",
    )
    polarity: Literal["light ink", "dark ink"] | None = Field(
        None, description="Whether the ink is lighter or darker than the background."
    )
    box: tuple[int, int, int, int] | None = Field(
        None,
        description="Bounding box of the ink, in the picture's pixels: top, left, bottom, right.",
    )
    scale: float | None = Field(
        None, description="Pixels of the network's image per pixel of the picture."
    )
    dropped: list[str] | None = Field(
        None,
        description="What preprocessing removed from the picture: `lines`, `surroundings`, "
        "`specks`.",
    )
    parts: list[tuple[int, int, int, int]] | None = Field(
        None,
        description="Boxes of the several things that the picture shows, like `box`, from left to "
        "right; empty unless the verdict is `several`.",
    )
    image: list[list[int]] | None = Field(
        None,
        description="The preprocessed image that the network saw, if `with_image` asked for it.",
    )
    error: ProblemDocument | None = Field(
        None, description="The reason why there is no answer; absent if there is one."
    )


class PictureAnswers(BaseModel):
    """One answer for each picture, in their order."""

    model: ModelName
    pictures: list[PictureAnswer]


class DigitReading(BaseModel):
    """A sign of a number."""

    label: str = Field(
        description="A digit; a mark, one of `.,'-=`; or `?` for anything else between them."
    )
    probability: float = Field(ge=0, le=1, description="Probability that it stands there.")
    verdict: Literal["digit", "mark", "unsure"]
    top: list[tuple[str, float]] = Field(description="What may stand there, the likeliest first.")
    box: tuple[int, int, int, int] = Field(
        description="Bounding box of its ink, in the picture's pixels: top, left, bottom, right."
    )


class NumberReading(BaseModel):
    """A number that was read."""

    text: str = Field(description="Its digits and marks; empty if it is not a number.")
    probability: float = Field(
        ge=0, le=1, description="Calibrated probability that all of them are right."
    )
    verdict: Literal["number", "unsure", "not a number"] = Field(
        description="`unsure` if the probability is below 95%, `not a number` below 5%."
    )
    others: list[tuple[str, float]] = Field(
        description="The next best readings and their probabilities."
    )
    digits: list[DigitReading]
    box: tuple[int, int, int, int] = Field(description="Bounding box of the number, like theirs.")


class NumbersOfPicture(BaseModel):
    """The numbers in one picture, or the reason why it could not be read."""

    file: str | None = Field(description="The file name that the client gave.")
    numbers: list[NumberReading] | None = Field(
        None, description="From top to bottom, and in each line from left to right."
    )
    dropped: list[str] | None = Field(
        None,
        description="What else is in the picture and was left out, such as `lines`, `specks`, "
        "`pale ink`, `other signs` beside numbers and `writing without digits`.",
    )
    error: ProblemDocument | None = Field(
        None, description="The reason why nothing was read; absent if there is none."
    )


class PictureNumbers(BaseModel):
    """The numbers of each picture, in their order."""

    model: ModelName
    pictures: list[NumbersOfPicture]


class ArrayAnswers(BaseModel):
    """The answers about images; every list but `class_names` has one item for each image."""

    model: ModelName
    class_names: list[str] = Field(
        description="The names of the classes, in the order of the probabilities."
    )
    labels: list[str | None] = Field(
        description="The likeliest class of each image; null if the verdict is `not a digit`."
    )
    verdicts: list[Literal["digit", "unsure", "not a digit"]] = Field(
        description="`digit`, or that the model abstains: `unsure` or `not a digit`."
    )
    probabilities: list[list[float]] = Field(
        description="The calibrated probability of every class, for each image."
    )
    scores: list[float] = Field(
        description="Energy scores: the higher, the more an image looks like one of the classes."
    )


class NearbyImage(BaseModel):
    """A training image whose feature vector is similar to the picture's."""

    label: str = Field(description="The training image's class.")
    similarity: float = Field(
        description="Cosine similarity of the feature vectors; 1 for the same image."
    )
    image: list[list[int]] = Field(description="The training image's grey levels, 0 to 255.")


class ExplanationAnswer(BaseModel):
    """What an answer about one picture depends on."""

    model: ModelName
    picture: PictureAnswer = Field(
        description="The answer, as `/v1/predict` gives it, with the preprocessed image."
    )
    evidence: list[list[float]] | None = Field(
        description="Occlusion map: for each pixel of the image, by how much the logit of the "
        "likeliest class falls when the ink there is erased; null if there is no ink."
    )
    strongest: str | None = Field(
        description="The part of the image where the map is highest, such as `upper left`; null "
        "if no ink there counts for the class."
    )
    neighbours: list[NearbyImage] | None = Field(
        description="The run's training images whose feature vectors are nearest to the picture's, "
        "the nearest first; null if the service has none."
    )


class ServedModel(BaseModel):
    """The model that is served, and the limits of requests."""

    model: ModelName
    class_names: list[str] = Field(
        description="The names of the classes, in the order of the probabilities."
    )
    image_size: tuple[int, int] = Field(description="Height and width of the network's images.")
    has_neighbours: bool = Field(description="Whether explanations include training images.")
    keeps_corrections: bool = Field(description="Whether `/v1/corrections` is available.")
    most_bytes: int = Field(description="Largest number of bytes in a request body.")
    most_pixels: int = Field(description="Largest number of pixels in a picture.")


class KeptPicture(BaseModel):
    """A correction that was kept."""

    label: str
    file: str = Field(description="The name of its file in the folder of its class.")


class Tensor(BaseModel):
    """A tensor of a request of the Open Inference Protocol."""

    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, Any] = {}
    data: list[Any] | None = None


class WantedTensor(BaseModel):
    """An output that a request of the Open Inference Protocol asks for."""

    name: str
    parameters: dict[str, Any] = {}


class InferenceRequest(BaseModel):
    """A request of the Open Inference Protocol."""

    id: str | None = None
    parameters: dict[str, Any] = {}
    inputs: list[Tensor]
    outputs: list[WantedTensor] | None = None


class GivenTensor(BaseModel):
    """A tensor of a response of the Open Inference Protocol."""

    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, Any] | None = None
    data: list[float] | None = None


class InferenceResponse(BaseModel):
    """A response of the Open Inference Protocol."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[GivenTensor]


class ModelNames(BaseModel):
    """The models that are served."""

    models: list[str]


class Predictions(BaseModel):
    """A response of KServe's protocol, version 1."""

    predictions: list[list[float]] = Field(
        description="The calibrated probability of every class, for each image."
    )


class TensorMetadata(BaseModel):
    """The description of an input or output of a model."""

    name: str
    datatype: str
    shape: list[int] = Field(description="The tensor's shape; -1 stands for any number.")


class ModelMetadata(BaseModel):
    """The description of a model."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ServerMetadata(BaseModel):
    """The description of the service."""

    name: str
    version: str
    extensions: list[str]


class Live(BaseModel):
    """Whether the service runs."""

    live: bool


class Ready(BaseModel):
    """Whether the service can answer requests."""

    ready: bool


class ModelReady(BaseModel):
    """Whether a model can answer requests."""

    name: str
    ready: bool
