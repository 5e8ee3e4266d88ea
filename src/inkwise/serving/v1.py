"""The service's own API, version 1: classification of pictures and of arrays."""

import math
from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from inkwise.errors import InkwiseError
from inkwise.model.hands import HANDS
from inkwise.serving.batching import Seen
from inkwise.serving.bodies import (
    FORM,
    JSON,
    NPY,
    OCTETS,
    Taken,
    check_query,
    read_images,
    read_pictures,
)
from inkwise.serving.problems import about_picture
from inkwise.serving.reference import body_of, curl, problem_responses
from inkwise.serving.schemas import (
    HAND,
    WITH_IMAGE,
    ArrayAnswers,
    ArrayRequest,
    PictureAnswers,
    PictureRequest,
)
from inkwise.serving.service import NAME, Served, Service

FILE = {"type": "string", "format": "binary"}
"""The OpenAPI schema of bytes."""

_FILES = {
    "type": "array",
    "items": FILE,
    "minItems": 1,
    "description": "Image files of any usual format, each with a filename.",
}

_OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "with_image": ({"type": "boolean", "default": False}, WITH_IMAGE),
    "hand": ({"type": "string", "enum": [*HANDS], "default": "any"}, HAND),
}
"""The schema and the description of each option that goes with a picture."""

_TAKEN = Taken(PictureRequest)


def describe_taken(taken: Taken) -> dict[str, Any]:
    """Describe, for OpenAPI, the bodies with pictures that an endpoint takes, and their options."""
    options = {name: _OPTIONS[name] for name in taken.options}
    form = {
        "type": "object",
        "properties": {
            "pictures": _FILES,
            **{name: {**schema, "description": told} for name, (schema, told) in options.items()},
        },
        "required": ["pictures"],
        "additionalProperties": False,
    }
    return {
        **body_of({FORM: form, JSON: taken.document, "image/*": FILE}),
        "parameters": [
            {
                "name": name,
                "in": "query",
                "schema": schema,
                "description": f"{told} A form or JSON has it as a field instead.",
            }
            for name, (schema, told) in options.items()
        ],
    }


_ARRAYS = body_of({OCTETS: FILE, NPY: FILE, JSON: ArrayRequest})

_SHAPE: dict[str, Any] = {
    "schema": {"type": "string", "pattern": r"^[0-9]+(,[0-9]+){1,2}$"},
    "description": "The shape of raw bytes: N,H,W, or H,W for one image.",
    "required": False,
}


def make_router(service: Service) -> APIRouter:
    """Return the routes under ``/v1``."""
    router = APIRouter(prefix="/v1", tags=["Pictures and arrays"])

    @router.post(
        "/predict",
        summary="Classify pictures",
        responses={
            200: {"model": PictureAnswers},
            **problem_responses(400, 408, 413, 415, 422, 503),
        },
        openapi_extra={
            **describe_taken(_TAKEN),
            **curl(
                "curl -F pictures=@seven.png -F pictures=@photo.jpg {url}/v1/predict",
                "curl -H 'Content-Type: image/png' --data-binary @seven.png {url}/v1/predict",
                'printf \'{{"pictures": ["%s"]}}\' "$(base64 < seven.png | tr -d \'\\n\')" | \\\n'
                "  curl -H 'Content-Type: application/json' -d @- {url}/v1/predict",
            ),
        },
    )
    async def predict(request: Request) -> Response:
        """Accept photos, scans and drawings of one digit each, of any usual format and size.

        A picture that cannot be read has an `error` in its entry; the others are answered.
        """
        service.batcher.make_sure_of_room()
        pictures = await read_pictures(request, service.limits, _TAKEN)
        served = service.served
        readable = [each for each in pictures.contents if not isinstance(each, InkwiseError)]
        seen = iter(await service.batcher.see(served.model, readable, pictures.hand))
        entries = []
        for name, picture in zip(pictures.names, pictures.contents, strict=True):
            each = Seen(picture, None) if isinstance(picture, InkwiseError) else next(seen)
            entries.append(describe(name, each, served, with_image=pictures.with_image))
            service.metrics.verdict(entries[-1].get("verdict", "unreadable"))
        return answer_json({"model": name_of(served), "pictures": entries})

    @router.post(
        "/predict/array",
        summary="Classify images that are ready for the network",
        responses={200: {"model": ArrayAnswers}, **problem_responses(400, 408, 413, 415, 422, 503)},
        openapi_extra={
            **_ARRAYS,
            "parameters": [
                {"name": "shape", "in": "query", **_SHAPE},
                {"name": "X-Shape", "in": "header", **_SHAPE},
            ],
            **curl(
                "curl -H 'Content-Type: application/octet-stream' --data-binary @images.raw \\\n"
                "  '{url}/v1/predict/array?shape=256,28,28'",
                "curl -H 'Content-Type: application/x-npy' --data-binary @images.npy \\\n"
                "  {url}/v1/predict/array",
            ),
        },
    )
    async def predict_array(request: Request) -> Response:
        """Accept uint8 grey levels, light ink on a black background, of the model's image size.

        There is no preprocessing: nothing is cropped, centred or scaled. Raw bytes are in row-major
        order.
        """
        service.batcher.make_sure_of_room()
        check_query(request, ["shape"])
        served = service.served
        model = served.model
        images = await read_images(request, model.network.image_size, service.limits)
        outputs = await service.batcher.run(model, images)
        probabilities = outputs.probabilities
        best = probabilities.argmax(axis=1)
        verdicts = model.calibration.verdicts(
            probabilities[np.arange(len(best)), best], outputs.scores
        )
        for verdict in set(verdicts):
            service.metrics.verdict(verdict, verdicts.count(verdict))
        return answer_json(
            {
                "model": name_of(served),
                "class_names": model.class_names,
                "labels": [
                    None if verdict == "not a digit" else model.class_names[place]
                    for place, verdict in zip(best.tolist(), verdicts, strict=True)
                ],
                "verdicts": verdicts,
                "probabilities": probabilities.astype(np.float64).round(6).tolist(),
                "scores": outputs.scores.astype(np.float64).round(4).tolist(),
            }
        )

    return router


def answer_json(document: dict[str, Any], status: int = 200) -> Response:
    """Return a response with a JSON document."""
    return Response(to_json(document), status, media_type="application/json")


def name_of(served: Served) -> dict[str, str]:
    """Return the name and version of a model."""
    return {"name": NAME, "version": served.version}


def describe(name: str | None, seen: Seen, served: Served, *, with_image: bool) -> dict[str, Any]:
    """Return the entry about a picture, with the same keys as `inkwise predict --json`."""
    answer = seen.answer
    if isinstance(answer, InkwiseError):
        return {"file": name, "error": about_picture(answer)}
    ink = answer.ink
    entry = {
        "file": name,
        "label": answer.label,
        "probability": round(answer.probability, 6),
        "verdict": answer.verdict,
        "top": [(label, round(probability, 6)) for label, probability in answer.top],
        "probabilities": dict(zip(served.model.class_names, seen.probabilities, strict=True))
        if seen.probabilities and answer.top
        else None,
        "score": None if answer.score == -math.inf else round(answer.score, 4),
        "polarity": None if ink is None else ink.polarity,
        "box": None if ink is None else ink.box,
        "scale": None if ink is None else ink.scale,
        "dropped": None if ink is None else ink.dropped,
        "parts": answer.parts,
    }
    if with_image:
        entry["image"] = None if ink is None else ink.image.tolist()
    return entry
