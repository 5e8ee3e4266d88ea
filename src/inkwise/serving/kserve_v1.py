"""KServe's protocol, version 1, which is also TensorFlow Serving's: ``:predict``.

References
----------
KServe, "Data Plane (V1)"; TensorFlow Serving, "RESTful API".
"""

import asyncio

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

    return router


def _read(body: bytes, size: tuple[int, int], limits: Limits) -> NDArray[np.uint8]:
    document = read_json(Instances, body)
    given = document.inputs if document.instances is None else document.instances
    return from_nested(given, size, limits)
