"""How the API is described, where FastAPI cannot see it from the code: bodies that are read as they come."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from muybridge.verbs.serve.schemas import GivenSegments, LabelStudioRequest, LabelStudioSetup, Problem

_WHAT = {
    400: "The request is damaged.",
    401: "The token is missing or wrong.",
    403: "The page or the host name is not allowed to ask.",
    404: "There is no such model or timeline.",
    408: "The rest of the request did not come.",
    413: "The request is too large.",
    415: "The body is of another kind.",
    422: "What is asked makes no sense, or no file could be read.",
    503: "There is no room now; Retry-After says when to come back.",
}
_RETRY = {"Retry-After": {"description": "seconds", "schema": {"type": "integer"}}}
_EXAMPLES: dict[str, dict[str, Any]] = {
    "GivenSegments": {"segments": [{"start_seconds": 1.2, "end_seconds": 4.8, "label": "Biking"}]},
    "LabelStudioRequest": {
        "tasks": [{"id": 7, "data": {"video": "http://localhost:8080/data/upload/1/game.mp4"}}],
        "label_config": '<View><TimelineLabels name="videoLabels" toName="video"><Label value="Biking"/>'
        '</TimelineLabels><Video name="video" value="$video"/></View>',
    },
    "LabelStudioSetup": {"project": "1.1700000000", "schema": "<View/>", "hostname": "http://localhost:8080"},
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals of a route."""
    found: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        found[status] = {"model": Problem, "description": _WHAT[status]}
        if status == 503:
            found[status]["headers"] = _RETRY
    return found


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """A route whose body is JSON."""
    return {"requestBody": {"required": True, "content": {"application/json": _json_content(model)}}}


def _json_content(model: type[BaseModel]) -> dict[str, Any]:
    reference = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"schema": reference, "example": _EXAMPLES[model.__name__]}


def form_of_files(field_name: str, *, several: bool, json_model: type[BaseModel] | None = None) -> dict[str, Any]:
    """A route whose body is a form with files, or JSON."""
    file = {"type": "string", "format": "binary"}
    field = {"type": "array", "items": file, "minItems": 1} if several else file
    schema = {"type": "object", "properties": {field_name: field}, "required": [field_name]}
    content: dict[str, Any] = {"multipart/form-data": {"schema": schema}}
    if json_model is not None:
        content["application/json"] = _json_content(json_model)
    return {"requestBody": {"required": True, "content": content}}


def describe(app: FastAPI, *, token: bool) -> None:
    """Complete the description of an application whose routes are all there."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema:
            return app.openapi_schema
        found = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
        schemas = found["components"].setdefault("schemas", {})
        for model in (GivenSegments, LabelStudioRequest, LabelStudioSetup):
            own = model.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(own.pop("$defs", {}))
            schemas[model.__name__] = own
        for unused in ("HTTPValidationError", "ValidationError"):  # errors have one shape here
            schemas.pop(unused, None)
        for path in found["paths"].values():
            for route in path.values():
                _one_shape(route)
        if token:
            found["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            found["security"] = [{"token": []}]
        app.openapi_schema = found
        return found

    app.openapi = openapi  # type: ignore[method-assign]


def _one_shape(route: dict[str, Any]) -> None:
    """Replace FastAPI's own error by the one that is answered."""
    invalid = route["responses"].get("422")
    if invalid is not None:
        reference = {"$ref": "#/components/schemas/Problem"}
        invalid["description"] = _WHAT[422]
        invalid["content"] = {"application/json": {"schema": reference}}
