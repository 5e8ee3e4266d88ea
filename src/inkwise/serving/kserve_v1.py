"""KServe's protocol, version 1, which is also TensorFlow Serving's: ``:predict``.

References
----------
KServe, "Data Plane (V1)"; TensorFlow Serving, "RESTful API".
"""

import asyncio
from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response
from numpy.typing import NDArray

from inkwise.serving.bodies import JSON, LONG, from_nested, media_type, read_json
from inkwise.serving.problems import Problem
from inkwise.serving.reference import body_of, curl, problem_responses
from inkwise.serving.schemas import Instances, ModelNames, ModelReady, Predictions
from inkwise.serving.service import NAME, Service
from inkwise.serving.settings import Limits
from inkwise.serving.v1 import answer_json

_PREDICT = {
    **body_of({JSON: Instances}),
    **curl(
        "python3 -c 'import json; print(json.dumps({{\"instances\": [[[0] * 28] * 28]}}))' |\n"
        "  curl -H 'Content-Type: application/json' -d @- {url}/v1/models/inkwise:predict"
    ),
}


def make_router(service: Service) -> APIRouter:
    """Return the routes under ``/v1/models``."""
    router = APIRouter(prefix="/v1/models", tags=["KServe, version 1"])

    @router.get("", summary="List the models", responses={200: {"model": ModelNames}})
    async def models() -> Response:
        """Name the one model that is served."""
        return answer_json({"models": [NAME]})

    @router.get("/{name}:{verb}", include_in_schema=False)
    async def no_get(name: str, verb: str) -> Response:
        service.find(name)
        raise Problem(
            405, f":{verb} is not asked by GET: send instances by POST", {"Allow": "POST"}
        )

    @router.get(
        "/{name}",
        summary="Can the model answer requests?",
        responses={200: {"model": ModelReady}, **problem_responses(404)},
    )
    async def ready(name: str) -> Response:
        """Respond with status 200 if there is a model of this name."""
        service.find(name)
        return answer_json({"name": NAME, "ready": True})

    @router.post(
        "/{name}:predict",
        summary="Return the probability of every class",
        responses={
            200: {"model": Predictions},
            **problem_responses(400, 404, 408, 413, 415, 422, 503),
        },
        openapi_extra=_PREDICT,
    )
    async def predict(request: Request, name: str) -> Response:
        """Accept images that are ready for the network, light ink on a black background.

        There is no preprocessing. Each prediction is a list of probabilities, in the order of the
        classes that `/v1/model` names.
        """
        model = service.find(name).model
        service.batcher.make_sure_of_room()
        if (kind := media_type(request)) != JSON:
            raise Problem(415, f"send instances as {JSON}, not as {kind[:80] or 'no type'}")
        body = await request.body()
        arguments = body, model.network.image_size, service.limits
        if len(body) > LONG:
            images = await asyncio.to_thread(_read, *arguments)
        else:
            images = _read(*arguments)
        outputs = await service.batcher.run(model, images)
        probabilities = outputs.probabilities.astype(np.float64).round(6)
        return answer_json({"predictions": probabilities.tolist()})

    @router.post("/{name}:{verb}", include_in_schema=False)
    async def no_verb(name: str, verb: str) -> Response:
        service.find(name)
        if verb == "explain":  # which the protocol leaves to each service
            raise Problem(
                501, "there is no :explain: /v1/explain explains the answer for a picture"
            )
        raise Problem(404, f"there is no :{verb[:80]}: use :predict")

    return router


def _read(body: bytes, size: tuple[int, int], limits: Limits) -> NDArray[np.uint8]:
    document = read_json(Instances, body)
    name = "inputs" if document.instances is None else "instances"
    given: Any = getattr(document, name)
    depth, inner = 0, given
    while isinstance(inner, list) and inner:
        depth, inner = depth + 1, inner[0]
    wanted = f"{name} must be a list of images, each of {size[0]} rows of {size[1]} numbers"
    if isinstance(inner, dict):
        raise Problem(422, f"{wanted}, without names or base64")
    if not isinstance(inner, list) and depth != 3:
        # Two deep is one image elsewhere; here the outermost list is always that of instances.
        alone = depth == 2 and (len(given), len(given[0])) == size
        hint = "put a single image in brackets" if alone else f"here lists are {depth} deep"
        raise Problem(422, f"{wanted}: {hint}")
    return from_nested(given, size, limits)
