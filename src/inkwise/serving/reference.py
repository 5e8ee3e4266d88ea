"""The API reference: an OpenAPI document, and a page that shows it."""

import functools
from collections.abc import Mapping
from http import HTTPStatus
from importlib import resources
from typing import Any

import jinja2
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from markupsafe import Markup, escape
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from inkwise.serving.problems import MEDIA_TYPE
from inkwise.serving.schemas import (
    ArrayRequest,
    ExplanationRequest,
    InferenceRequest,
    Instances,
    NumbersRequest,
    PictureRequest,
    ProblemDocument,
)
from inkwise.serving.security import OPEN
from inkwise.serving.settings import Settings

_SCHEMA = "#/components/schemas/"

_PROBLEM = f"{_SCHEMA}ProblemDocument"

TAGS = [
    {"name": "Pictures and arrays", "description": "The service's own API."},
    {
        "name": "Open Inference Protocol",
        "description": "The protocol of clients of KServe and Triton, with binary tensors.",
    },
    {
        "name": "KServe, version 1",
        "description": "The protocol of older clients of KServe, and of TensorFlow Serving.",
    },
    {"name": "Operation", "description": "Monitoring of the service."},
]

UNSEEN = (
    ArrayRequest,
    ExplanationRequest,
    InferenceRequest,
    Instances,
    NumbersRequest,
    PictureRequest,
    ProblemDocument,
)
"""Schemas that FastAPI does not know, because our code reads and writes these documents itself."""

SAMPLES = "x-codeSamples"
"""The extension of OpenAPI in which documentation tools look for examples."""


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the error responses that a route may give."""
    content = {MEDIA_TYPE: {"schema": {"$ref": _PROBLEM}}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": content}
        for status in statuses
    }


def body_of(kinds: Mapping[str, type[BaseModel] | dict[str, Any]]) -> dict[str, Any]:
    """Describe a request body by its possible media types and their schemas."""
    content = {
        kind: {
            "schema": schema if isinstance(schema, dict) else {"$ref": _SCHEMA + schema.__name__}
        }
        for kind, schema in kinds.items()
    }
    return {"requestBody": {"required": True, "content": content}}


def curl(*commands: str) -> dict[str, Any]:
    """Describe examples for a shell; ``{url}`` stands for the service's address."""
    return {SAMPLES: [{"lang": "Shell", "source": command} for command in commands]}


def complete(app: FastAPI, settings: Settings) -> None:
    """Add to the OpenAPI document what FastAPI does not know: problems, and the token."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
                tags=TAGS,
            )
            components = made["components"]
            _, described = models_json_schema(
                [(each, "validation") for each in UNSEEN], ref_template=_SCHEMA + "{model}"
            )
            components["schemas"] |= described["$defs"]
            if settings.token is not None:
                components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
                for path, operations in made["paths"].items():
                    for operation in operations.values():
                        operation["security"] = [] if path in OPEN else [{"token": []}]
                        if path not in OPEN:
                            operation["responses"] |= {
                                str(status): told for status, told in problem_responses(401).items()
                            }
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def render(document: Mapping[str, Any], url: str) -> str:
    """Return the page that shows an OpenAPI document.

    Parameters
    ----------
    document : mapping
        The OpenAPI document that `complete` made.
    url : str
        The service's address, for the examples.
    """
    schemas = document["components"]["schemas"]
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            shown = {
                "method": method.upper(),
                "path": path,
                "summary": operation["summary"],
                "description": operation.get("description", ""),
                "samples": [
                    sample["source"].format(url=url) for sample in operation.get(SAMPLES, ())
                ],
                "parameters": operation.get("parameters", ()),
                "body": {
                    kind: _fields(content["schema"], schemas)
                    for kind, content in operation.get("requestBody", {}).get("content", {}).items()
                },
                "answers": {
                    status: _fields(_schema_of(answer), schemas)
                    for status, answer in operation["responses"].items()
                    if status == "200"
                },
                "problems": {
                    status: answer["description"]
                    for status, answer in operation["responses"].items()
                    if status != "200"
                },
            }
            groups.setdefault(operation["tags"][0], []).append(shown)
    return _template().render(
        info=document["info"],
        groups=groups,
        told={tag["name"]: tag["description"] for tag in document["tags"]},
    )


def _schema_of(answer: Mapping[str, Any]) -> dict[str, Any]:
    for content in answer.get("content", {}).values():
        return content.get("schema", {})
    return {}


def _fields(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return a schema's fields; those of nested schemas are prefixed with their parent's name."""
    schema = _resolve(schema, schemas)
    fields = []
    for name, each in schema.get("properties", {}).items():
        fields.append(
            {"name": name, "kind": _kind(each, schemas), "told": each.get("description", "")}
        )
        inner = _resolve(each.get("items", each), schemas)
        fields += [
            {**field, "name": f"{name}.{field['name']}"} for field in _fields(inner, schemas)
        ]
    return fields


def _resolve(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    return schemas[schema["$ref"].removeprefix(_SCHEMA)] if "$ref" in schema else schema


def _kind(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    """Return a value's type in a word or two."""
    if "anyOf" in schema:
        return " or ".join(_kind(each, schemas) for each in schema["anyOf"])
    if "$ref" in schema:
        return "object"
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if schema.get("format") == "binary":
        return "file"
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"list of {_kind(schema['items'], schemas)}" if "items" in schema else "list"
    return {"integer": "whole number", "boolean": "true or false", "string": "text"}.get(kind, kind)


def _code(text: str) -> Markup:
    """Mark text between backticks as code; the rest stays text."""
    parts = [escape(part) for part in text.split("`")]
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else part
        for place, part in enumerate(parts)
    )


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["code"] = _code
    source = resources.files("inkwise.serving").joinpath("reference.html.jinja")
    return environment.from_string(source.read_text(encoding="utf-8"))
