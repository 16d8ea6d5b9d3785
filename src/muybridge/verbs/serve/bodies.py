"""Bodies of requests: forms with files, and JSON."""

from pathlib import Path
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from muybridge.text import printable
from muybridge.verbs.serve.refusal import RefusalError
from muybridge.verbs.serve.uploads import MOST_FILES, Upload, receive_files, require_room

Body = TypeVar("Body", bound=BaseModel)


def line_of_invalid(errors: Any) -> str:
    """The first thing that is wrong with a request, in a line."""
    first = errors[0]
    place = ".".join(str(part) for part in first["loc"] if part not in ("query", "body", "path"))
    return printable(f"{place}: {first['msg']}" if place else str(first["msg"]))


async def read_uploads(
    request: Request, folder: Path, *, field_name: str, most_files: int = MOST_FILES
) -> list[Upload]:
    """Write the files of a form to a folder; see `receive_files`."""
    announced = request.headers.get("content-length", "")
    require_room(folder, int(announced) if announced.isascii() and announced.isdigit() else 0)
    return await receive_files(
        request.stream(), content_type_of(request), folder, field_name=field_name, most_files=most_files
    )


def content_type_of(request: Request) -> str:
    """What a request says that its body is."""
    return request.headers.get("content-type", "").strip()


async def read_json(request: Request, model: type[Body]) -> Body:
    """The body of a request as a model of it.

    Raises:
        RefusalError: It is something else.
    """
    body = await request.body()
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise RefusalError(422, line_of_invalid(error.errors(include_url=False, include_input=False))) from None
