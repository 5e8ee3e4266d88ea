"""The reference: an OpenAPI document, and a page that shows it."""

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
    InferenceRequest,
    PictureRequest,
    ProblemDocument,
)
from inkwise.serving.security import OPEN
from inkwise.serving.settings import Settings

_SCHEMA = "#/components/schemas/"

_PROBLEM = f"{_SCHEMA}ProblemDocument"

TAGS = [
    {"name": "Pictures and arrays", "description": "The service's own interface."},
    {
        "name": "Open Inference Protocol",
        "description": "What clients of KServe and Triton speak, with binary tensors.",
    },
    {"name": "Operation", "description": "For those who run the service."},
]

UNSEEN = (ArrayRequest, InferenceRequest, PictureRequest, ProblemDocument)
"""What FastAPI does not describe, because it neither reads nor writes it."""

SAMPLES = "x-codeSamples"
"""Where OpenAPI documents hold examples, by an agreement of those who show them."""


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the problems that a route may answer with."""
    content = {MEDIA_TYPE: {"schema": {"$ref": _PROBLEM}}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": content}
        for status in statuses
    }


def body_of(kinds: Mapping[str, type[BaseModel] | dict[str, Any]]) -> dict[str, Any]:
    """Describe a body by the media types that it may have."""
    content = {
        kind: {
            "schema": schema if isinstance(schema, dict) else {"$ref": _SCHEMA + schema.__name__}
        }
        for kind, schema in kinds.items()
    }
    return {"requestBody": {"required": True, "content": content}}


def curl(*commands: str) -> dict[str, Any]:
    """Give examples for a shell; ``{url}`` is where the service is."""
    return {SAMPLES: [{"lang": "Shell", "source": command} for command in commands]}


def complete(app: FastAPI, settings: Settings) -> None:
    """Fill in what FastAPI does not know of: how problems look, and that a token is asked for."""

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
        What `complete` made.
    url : str
        Where the service is, for the examples.
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
    """Return a document's fields, those of documents within it indented by their name."""
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
    """Return in a word or two what a value may be."""
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
    """Show what is between backticks as code; the rest stays text."""
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
