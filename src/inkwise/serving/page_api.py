"""Routes for the web page beside prediction: the model, explanations, and corrections."""

import asyncio
import logging

import numpy as np
from fastapi import APIRouter, Request, Response
from numpy.typing import NDArray

from inkwise.errors import InkwiseError, StorageError
from inkwise.explanation.evidence import where
from inkwise.explanation.neighbours import Neighbour
from inkwise.explanation.occlusion import Occlusion
from inkwise.serving.batching import Seen
from inkwise.serving.bodies import Taken, check_query, media_type, read_pictures
from inkwise.serving.problems import Problem, about_picture
from inkwise.serving.reference import body_of, curl, problem_responses
from inkwise.serving.schemas import (
    ExplanationAnswer,
    ExplanationRequest,
    KeptPicture,
    ServedModel,
)
from inkwise.serving.service import Served, Service
from inkwise.serving.v1 import FILE, answer_json, describe, describe_taken, name_of

NEIGHBOURS = 8
"""Number of training images that an explanation shows."""

_TAKEN = Taken(ExplanationRequest)

_log = logging.getLogger(__name__)


def make_router(service: Service) -> APIRouter:
    """Return the routes; the one for corrections exists only if they are kept."""
    router = APIRouter(prefix="/v1", tags=["Pictures and arrays"])
    loop_of = asyncio.get_running_loop

    @router.get(
        "/model",
        summary="Describe the model and the limits of requests",
        response_model=ServedModel,
        openapi_extra=curl("curl {url}/v1/model"),
    )
    async def model() -> Response:
        """State the class names, the image size, the limits, and the service's features."""
        served = service.served
        return answer_json(
            {
                "model": name_of(served),
                "class_names": served.model.class_names,
                "image_size": served.model.network.image_size,
                "has_neighbours": served.neighbours is not None,
                "keeps_corrections": service.kept_pictures is not None,
                "most_bytes": service.limits.body_bytes,
                "most_pixels": service.limits.pixels,
            }
        )

    @router.post(
        "/explain",
        summary="Explain the answer about a picture",
        responses={
            200: {"model": ExplanationAnswer},
            **problem_responses(400, 408, 413, 415, 422, 503),
        },
        openapi_extra={
            **describe_taken(_TAKEN),
            **curl("curl -H 'Content-Type: image/png' --data-binary @seven.png {url}/v1/explain"),
        },
    )
    async def explain(request: Request) -> Response:
        """Erase the ink of one picture patch by patch, and measure how the answer weakens.

        This takes the network about eighty times the work of the answer alone. The map shows what
        the answer depends on; it does not prove why the network gives it.
        """
        service.batcher.make_sure_of_room()
        pictures = await read_pictures(request, service.limits, _TAKEN)
        if len(pictures.contents) > 1:
            raise Problem(
                422, "only one picture or page is explained at a time: send one request for each"
            )
        served, (picture,) = service.served, pictures.contents
        if isinstance(picture, InkwiseError):
            seen = Seen(picture, None)
        else:
            (seen,) = await service.batcher.see(served.model, [picture], pictures.hand)
        evidence = strongest = near = None
        image = _image_to_explain(seen)
        if image is not None:
            occlusion = Occlusion(image)
            outputs = await service.batcher.run(served.model, occlusion.copies)
            values = occlusion.map(outputs.logits)
            evidence = values.astype(float).round(4).tolist()
            strongest = where(values) if values.max() > 0 else None
            if served.neighbours is not None:
                near = await loop_of().run_in_executor(
                    service.batcher.pool,
                    served.neighbours.nearest,
                    served.model,
                    image,
                    NEIGHBOURS,
                )
        return answer_json(
            {
                "model": name_of(served),
                "picture": describe(pictures.names[0], seen, served, with_image=True),
                "evidence": evidence,
                "strongest": strongest,
                "neighbours": near and [_neighbour(each, served) for each in near],
            }
        )

    if (kept_pictures := service.kept_pictures) is None:
        return router

    @router.post(
        "/corrections",
        status_code=201,
        summary="Keep a misclassified picture with its true class",
        responses={
            201: {"model": KeptPicture},
            **problem_responses(400, 408, 413, 415, 422, 503, 507),
        },
        openapi_extra={
            **body_of({"image/*": FILE}),
            "parameters": [
                {
                    "name": "label",
                    "in": "query",
                    "required": True,
                    "schema": {"type": "string"},
                    "description": "The true class: one of the model's class names.",
                }
            ],
            **curl(
                "curl -H 'Content-Type: image/png' --data-binary @seven.png \\\n"
                "  '{url}/v1/corrections?label=7'"
            ),
        },
    )
    async def correct(request: Request) -> Response:
        """Keep a picture that the model misclassified, for later training.

        Only its pixels are kept, and nothing else of the file. If the same picture is sent again
        with another class, it moves to that class.
        """
        # Any web page that a user of this machine visits could send a form here. For an image
        # type, the browser first asks this service for permission (a CORS preflight request).
        if not media_type(request).startswith("image/"):
            raise Problem(
                415, "send the picture itself as the body, as image/png or another image type"
            )
        check_query(request, ["label"])
        label = request.query_params.get("label")
        names = service.served.model.class_names
        if label not in names:
            told = ", ".join(names)
            raise Problem(422, f"name the true class as ?label=, one of {told[:500]}")
        body = await request.body()
        try:
            file = await loop_of().run_in_executor(
                service.batcher.pool, kept_pictures.keep, body, label
            )
        except StorageError as error:
            _log.exception("a correction was not kept", extra={"fields": {"reason": str(error)}})
            raise Problem(
                507, "the picture could not be kept: the service's log says why"
            ) from error
        except InkwiseError as error:
            told_of = about_picture(error)
            raise Problem(told_of["status"], told_of["detail"]) from error
        return answer_json({"label": label, "file": file}, 201)

    return router


def _image_to_explain(seen: Seen) -> NDArray[np.uint8] | None:
    """Return what the network saw, (H, W), unless it was several things or nothing."""
    if isinstance(seen.answer, InkwiseError) or seen.answer.verdict == "several":
        return None
    return None if seen.answer.ink is None else seen.answer.ink.image


def _neighbour(each: Neighbour, served: Served) -> dict[str, object]:
    return {
        "label": served.model.class_names[each.label],
        "similarity": round(each.similarity, 4),
        "image": each.image.tolist(),
    }
