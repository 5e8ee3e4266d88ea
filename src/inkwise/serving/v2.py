"""The Open Inference Protocol, version 2, which clients of KServe and Triton use.

References
----------
KServe, "Open Inference Protocol (V2 Inference Protocol)"; NVIDIA, Triton Inference Server,
"Binary Tensor Data Extension" and "Model Repository Extension".
"""

import asyncio
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from inkwise.errors import InkwiseError
from inkwise.networks.as_onnx import INPUT, LOGITS, PROBABILITIES, SCORE
from inkwise.serving import schemas, tensors
from inkwise.serving.bodies import JSON, LONG, OCTETS, media_type
from inkwise.serving.problems import Problem
from inkwise.serving.reference import body_of, curl, problem_responses
from inkwise.serving.service import NAME, Served, Service
from inkwise.version import __version__

_INFER = {
    **body_of({JSON: schemas.InferenceRequest, OCTETS: {"type": "string", "format": "binary"}}),
    "parameters": [
        {
            "name": tensors.HEADER_LENGTH,
            "in": "header",
            "schema": {"type": "integer", "minimum": 0},
            "description": "Number of the body's bytes that are JSON; binary tensors follow them.",
        }
    ],
    **curl(
        'python3 -c \'import json; print(json.dumps({{"inputs": [{{"name": "images", '
        '"datatype": "UINT8",\n'
        '  "shape": [1, 28, 28], "data": [0] * 784}}]}}))\' |\n'
        "  curl -H 'Content-Type: application/json' -d @- {url}/v2/models/inkwise/infer"
    ),
}


def make_router(service: Service) -> APIRouter:
    """Return the routes under ``/v2``."""
    router = APIRouter(prefix="/v2", tags=["Open Inference Protocol"])

    @router.get(
        "", summary="Describe the service", responses={200: {"model": schemas.ServerMetadata}}
    )
    async def server() -> Response:
        """State the name, the version, and the supported extensions of the protocol."""
        extensions = ["binary_tensor_data"]
        return _answer({"name": "inkwise", "version": __version__, "extensions": extensions})

    @router.get(
        "/health/live", summary="Is the service alive?", responses={200: {"model": schemas.Live}}
    )
    async def live() -> Response:
        """Respond as long as the process runs; no token is needed."""
        return _answer({"live": True})

    @router.get(
        "/health/ready",
        summary="Can the service answer requests?",
        responses={200: {"model": schemas.Ready}},
    )
    async def ready() -> Response:
        """Respond once a model is served; no token is needed."""
        return _answer({"ready": True})

    @router.get("/models/{name}/versions/{version}", include_in_schema=False)
    @router.get(
        "/models/{name}",
        summary="Describe the model",
        responses={200: {"model": schemas.ModelMetadata}, **problem_responses(404)},
    )
    async def metadata(request: Request, name: str) -> Response:
        """State name, version, inputs and outputs; also under `/versions/{version}`."""
        served = _find(service, name, request)
        network = served.model.network
        rows = [-1, network.classes]
        outputs = {PROBABILITIES: rows, LOGITS: rows, SCORE: [-1]}
        return _answer(
            {
                "name": NAME,
                "versions": [served.version],
                "platform": "onnxruntime_onnx",
                "inputs": [
                    {"name": INPUT, "datatype": "UINT8", "shape": [-1, *network.image_size]}
                ],
                "outputs": [
                    {"name": each, "datatype": "FP32", "shape": shape}
                    for each, shape in outputs.items()
                ],
            }
        )

    @router.get("/models/{name}/versions/{version}/ready", include_in_schema=False)
    @router.get(
        "/models/{name}/ready",
        summary="Can the model answer requests?",
        responses={200: {"model": schemas.ModelReady}, **problem_responses(404)},
    )
    async def model_ready(request: Request, name: str) -> Response:
        """Respond with status 200 if there is a model of this name."""
        _find(service, name, request)
        return _answer({"name": NAME, "ready": True})

    @router.post("/models/{name}/versions/{version}/infer", include_in_schema=False)
    @router.post(
        "/models/{name}/infer",
        summary="Run the network",
        responses={
            200: {"model": schemas.InferenceResponse},
            **problem_responses(400, 404, 408, 413, 415, 503),
        },
        openapi_extra=_INFER,
    )
    async def infer(request: Request, name: str) -> Response:
        """Accept uint8 images, in JSON or as a binary tensor, and return the requested outputs."""
        served = _find(service, name, request)
        service.batcher.make_sure_of_room()
        kind = media_type(request)
        if kind not in ("", JSON, OCTETS):
            raise Problem(415, f"send the request as {JSON} or {OCTETS}, not as {kind[:80]}")
        body = await request.body()
        length = tensors.header_length(request, len(body))
        arguments = body, length, served.model.network.image_size, service.limits
        if length > LONG:
            document, images = await asyncio.to_thread(tensors.read_request, *arguments)
        else:
            document, images = tensors.read_request(*arguments)
        outputs = await service.batcher.run(served.model, images)
        return tensors.respond(document, outputs, served.version)

    @router.post(
        "/repository/models/{name}/load",
        summary="Load the model again from its files",
        response_class=Response,  # without a body
        responses=problem_responses(400, 401, 403, 404),
        openapi_extra=curl(
            'curl -X POST -H "Authorization: Bearer $INKWISE_TOKEN" \\\n'
            "  {url}/v2/repository/models/inkwise/load"
        ),
    )
    async def load(request: Request, name: str) -> Response:
        """Serve the model that its files hold now; open requests are answered by the old one.

        Other workers follow within a second. The service must require a token. If the model cannot
        be loaded, the old one stays.
        """
        if service.settings.token is None:
            raise Problem(403, "a model can be loaded only if the service was started with a token")
        _find(service, name, request)
        try:
            await service.reload()
        except InkwiseError as error:
            raise Problem(400, str(error)) from error
        service.tell_others()
        return Response()

    return router


def _find(service: Service, name: str, request: Request) -> Served:
    """Return the served model, if the request names it and its version."""
    served = service.find(name)
    version = request.path_params.get("version", served.version)
    if version != served.version:
        raise Problem(404, f"there is no version {version[:80]!r}: there is {served.version!r}")
    return served


def _answer(document: dict[str, Any]) -> Response:
    return Response(to_json(document), media_type=JSON)
