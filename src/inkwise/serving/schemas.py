"""The shapes of what is sent and answered: checked on the way in, described in the reference."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Strict(BaseModel):
    """A document that has no other fields than these."""

    model_config = ConfigDict(extra="forbid")


class PictureRequest(Strict):
    """Pictures of one digit each."""

    pictures: list[str] = Field(
        min_length=1, description="Files of any usual format, each in base64, without a prefix."
    )
    with_image: bool = Field(False, description="Show what the network saw of each.")


class ArrayRequest(Strict):
    """Images as the network takes them: light ink on a black ground."""

    images: list[Any] = Field(
        description="Whole numbers from 0 to 255, nested as (N, H, W), or (H, W) for one image."
    )


class ModelName(BaseModel):
    """Which model answered."""

    name: str
    version: str = Field(description="Changes when the model does.")


class ProblemDocument(BaseModel):
    """Why there is no answer, after RFC 9457."""

    type: str
    title: str
    status: int
    detail: str = Field(description="What is wrong, and what to do.")


class PictureAnswer(BaseModel):
    """What one picture shows, or the reason why there is no answer."""

    file: str | None = Field(description="What the caller called it.")
    label: str | None = Field(None, description="The likeliest class; null if it is not a digit.")
    probability: float | None = Field(None, ge=0, le=1)
    verdict: Literal["digit", "unsure", "not a digit"] | None = None
    top: list[tuple[str, float]] | None = Field(
        None, description="The three likeliest classes and their probabilities."
    )
    probabilities: dict[str, float] | None = Field(
        None, description="Of every class; null if there is no ink."
    )
    score: float | None = Field(
        None, description="How much it looks like any of the classes; null if there is no ink."
    )
    polarity: Literal["light ink", "dark ink"] | None = Field(
        None, description="What the ink was, beside its ground."
    )
    box: tuple[int, int, int, int] | None = Field(
        None, description="Top, left, bottom, right of the ink, in the picture's pixels."
    )
    scale: float | None = Field(None, description="The network's pixels per pixel of the picture.")
    dropped: list[str] | None = Field(
        None, description="What else was in the picture: lines, specks."
    )
    image: list[list[int]] | None = Field(
        None, description="What the network saw, if asked for with `with_image`."
    )
    error: ProblemDocument | None = Field(None, description="Why there is no answer.")


class PictureAnswers(BaseModel):
    """An answer a picture, in their order."""

    model: ModelName
    pictures: list[PictureAnswer]


class ArrayAnswers(BaseModel):
    """A value an image in every list, in their order."""

    model: ModelName
    class_names: list[str] = Field(description="In the order of the probabilities.")
    labels: list[str | None] = Field(description="Null where it is not a digit.")
    verdicts: list[Literal["digit", "unsure", "not a digit"]]
    probabilities: list[list[float]]
    scores: list[float]


class NearbyImage(BaseModel):
    """A training image that looks alike to the network."""

    label: str = Field(description="Its class.")
    similarity: float = Field(description="At most 1, which is for the same image.")
    image: list[list[int]]


class ExplanationAnswer(BaseModel):
    """What an answer about one picture hangs on."""

    model: ModelName
    picture: PictureAnswer = Field(description="As from `/v1/predict`, with its image.")
    evidence: list[list[float]] | None = Field(
        description="By occlusion, a number a pixel of the image: by how much the likeliest class' "
        "logit falls when the ink there is blanked; null if there is no ink."
    )
    strongest: str | None = Field(
        description="Where in the image that is most, as `upper left`; null if it is nowhere."
    )
    neighbours: list[NearbyImage] | None = Field(
        description="The most alike of the run's training images, the nearest first; null where "
        "the service has none."
    )


class ServedModel(BaseModel):
    """What is served, and what it takes."""

    model: ModelName
    class_names: list[str] = Field(description="In the order of the probabilities.")
    image_size: tuple[int, int] = Field(description="Height and width that the network takes.")
    has_neighbours: bool = Field(description="Whether explanations show training images.")
    keeps_corrections: bool = Field(description="Whether `/v1/corrections` is there.")
    most_bytes: int = Field(description="In the body of a request.")
    most_pixels: int = Field(description="In a picture.")


class KeptPicture(BaseModel):
    """A correction that was kept."""

    label: str
    file: str = Field(description="Its name in the folder of its class.")


class Tensor(BaseModel):
    """A tensor of the Open Inference Protocol, on its way in."""

    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, Any] = {}
    data: list[Any] | None = None


class WantedTensor(BaseModel):
    """A tensor of the Open Inference Protocol that is asked for."""

    name: str
    parameters: dict[str, Any] = {}


class InferenceRequest(BaseModel):
    """A request of the Open Inference Protocol."""

    id: str | None = None
    parameters: dict[str, Any] = {}
    inputs: list[Tensor]
    outputs: list[WantedTensor] | None = None


class GivenTensor(BaseModel):
    """A tensor of the Open Inference Protocol, on its way out."""

    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, Any] | None = None
    data: list[float] | None = None


class InferenceResponse(BaseModel):
    """An answer of the Open Inference Protocol."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[GivenTensor]


class TensorMetadata(BaseModel):
    """What is known about a tensor."""

    name: str
    datatype: str
    shape: list[int] = Field(description="-1 where any number will do.")


class ModelMetadata(BaseModel):
    """What is known about a model."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ServerMetadata(BaseModel):
    """What is known about the service."""

    name: str
    version: str
    extensions: list[str]


class Live(BaseModel):
    """Whether the service runs."""

    live: bool


class Ready(BaseModel):
    """Whether it can be asked."""

    ready: bool


class ModelReady(BaseModel):
    """Whether a model can be asked."""

    name: str
    ready: bool
