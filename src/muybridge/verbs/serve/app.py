"""The routes of the server."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from muybridge.text import printable
from muybridge.verbs.serve import label_studio
from muybridge.verbs.serve.annotations import KINDS, annotation_file
from muybridge.verbs.serve.metrics import CONTENT_TYPE_LATEST, Counted
from muybridge.verbs.serve.openapi import describe, form_of_files, json_body, problems
from muybridge.verbs.serve.page_files import page_file
from muybridge.verbs.serve.refusal import RefusalError
from muybridge.verbs.serve.schemas import (
    AnnotationsFormat,
    GivenSegments,
    JobState,
    LabelStudioRequest,
    ModelList,
    PredictionList,
    ScoreTable,
)
from muybridge.verbs.serve.security import BODY, CountedBody, Guard
from muybridge.verbs.serve.service import Service
from muybridge.verbs.serve.stream import add_stream
from muybridge.verbs.serve.uploads import Upload, receive_files, request_folder, require_room

MOST_TOP = 1000
UPLOAD_PATHS = ("/predict", "/timeline")
_TIDY_SECONDS = 30.0
_ROWS_AT_ONCE = 1000

_Body = TypeVar("_Body", bound=BaseModel)
ModelName = Annotated[str | None, Query(max_length=300, description="which model; default: the first")]


def build_app(service: Service, *, token: str) -> Guard:
    """The server as an ASGI application."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.jobs.begin()
        tidying = asyncio.create_task(_tidy(service))
        try:
            yield
        finally:
            tidying.cancel()

    app = FastAPI(
        title="muybridge",
        version=version("muybridge"),
        summary="Action recognition from video.",
        docs_url=None,  # their pages load scripts of other hosts
        redoc_url=None,
        lifespan=lifespan,
    )
    _add_errors(app)
    _add_pages(app)
    _add_health(app, service)
    _add_predict(app, service)
    _add_timeline(app, service)
    label_studio.add_setup(app, service, read_json=_read_json)
    add_stream(app, service)
    describe(app, token=bool(token))
    return Guard(Counted(app, service.metrics), service.config, token=token, uploads=UPLOAD_PATHS)


async def _tidy(service: Service) -> None:
    while True:
        await asyncio.sleep(_TIDY_SECONDS)
        await asyncio.to_thread(service.jobs.tidy)


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(RefusalError)
    async def _refused(request: Request, refusal: RefusalError) -> Response:
        body = request.scope.get(BODY)
        if isinstance(body, CountedBody):
            await body.drain()
        return JSONResponse({"detail": refusal.detail}, refusal.status, refusal.headers)

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> Response:
        known = {404: "there is nothing here; see /openapi.json", 405: "not with this method; see /openapi.json"}
        line = known.get(error.status_code, printable(str(error.detail)))
        return JSONResponse({"detail": line}, error.status_code, error.headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> Response:
        return JSONResponse({"detail": line_of_invalid(error.errors())}, 422)

    @app.exception_handler(Exception)
    async def _broken(_: Request, error: Exception) -> Response:
        return JSONResponse({"detail": f"the server could not: {type(error).__name__}"}, 500)


def line_of_invalid(errors: Any) -> str:
    """The first thing that is wrong with a request, in a line."""
    first = errors[0]
    place = ".".join(str(part) for part in first["loc"] if part not in ("query", "body", "path"))
    return printable(f"{place}: {first['msg']}" if place else str(first["msg"]))


def _add_pages(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    async def _index() -> Response:
        return page_file("index.html")

    @app.get("/page/{name}", include_in_schema=False)
    async def _page(name: str) -> Response:
        return page_file(name)


def _add_health(app: FastAPI, service: Service) -> None:
    @app.get("/health", tags=["server"], summary="Whether the server runs", responses=problems())
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/ready", tags=["server"], summary="Whether it takes on work", responses=problems(503))
    async def ready() -> dict[str, str]:
        if not service.is_ready:
            raise RefusalError(503, "the server takes on nothing now", retry_after=10)
        return {"status": "ready"}

    @app.get(
        "/metrics",
        tags=["server"],
        summary="What the server counts, for Prometheus",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **problems(401)},
    )
    async def metrics() -> Response:
        return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    @app.get("/models", tags=["models"], summary="The models", response_model=ModelList, responses=problems(401))
    async def models() -> dict[str, Any]:
        return {"default": service.models.default.name, "models": [model.to_dict() for model in service.models]}


def _add_predict(app: FastAPI, service: Service) -> None:
    @app.post(
        "/predict",
        tags=["models"],
        summary="Name the action in files",
        description="Send files as a form. A body of JSON is a request of Label Studio, which is answered as it asks.",
        response_model=PredictionList,
        responses=problems(400, 401, 403, 404, 408, 413, 415, 422, 503),
        openapi_extra=form_of_files("files", several=True, json_model=LabelStudioRequest),
    )
    async def predict(
        request: Request, model: ModelName = None, top: Annotated[int, Query(ge=1, le=MOST_TOP)] = 5
    ) -> Response:
        hosted = service.models.get(model)
        if _content_type(request).startswith("application/json"):
            asked = await _read_json(request, LabelStudioRequest)
            with service.place():
                return JSONResponse(await label_studio.predict(service, hosted, asked))
        with service.place(), request_folder(service.root) as folder:
            uploads = await _uploads(request, folder, field_name="files")
            answers = await service.predict(hosted, [upload.path for upload in uploads])
        found = [_file_prediction(upload, answer, top) for upload, answer in zip(uploads, answers, strict=True)]
        status = 422 if all(each["error"] is not None for each in found) else 200
        body: dict[str, Any] = {"model": hosted.name, "predictions": found}
        if status == 422:
            body["detail"] = f"no file could be read; {found[0]['file']}: {found[0]['error']}"
        return JSONResponse(body, status)


def _file_prediction(upload: Upload, answer: Any, top: int) -> dict[str, Any]:
    if isinstance(answer, str):
        return {"file": upload.name, "error": printable(answer)}
    scores = [{"label": label, "score": round(score, 6)} for label, score in answer.ranking[:top]]
    return {
        "file": upload.name,
        "label": answer.label,
        "score": scores[0]["score"],
        "none_of_these": answer.none_of_these,
        "scores": scores,
        "error": None,
    }


async def _uploads(request: Request, folder: Path, *, field_name: str, most_files: int = 256) -> list[Upload]:
    announced = request.headers.get("content-length", "")
    require_room(folder, int(announced) if announced.isascii() and announced.isdigit() else 0)
    return await receive_files(
        request.stream(), _content_type(request), folder, field_name=field_name, most_files=most_files
    )


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").strip()


async def _read_json(request: Request, model: type[_Body]) -> _Body:
    """The body of a request as a model of it.

    Raises:
        RefusalError: It is something else.
    """
    body = await request.body()
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise RefusalError(422, line_of_invalid(error.errors(include_url=False, include_input=False))) from None


def _add_timeline(app: FastAPI, service: Service) -> None:
    jobs = service.jobs

    @app.post(
        "/timeline",
        tags=["timelines"],
        summary="Say what happens when in a long video",
        status_code=202,
        response_model=JobState,
        responses=problems(400, 401, 403, 404, 408, 413, 415, 422, 503),
        openapi_extra=form_of_files("file", several=False),
    )
    async def begin(request: Request, model: ModelName = None) -> Response:
        hosted = service.models.get(model)
        hosted.require_recognizer()
        service.require_open()
        jobs.require_place()
        name, folder = jobs.new_folder()
        try:
            with service.place():
                [upload] = await _uploads(request, folder, field_name="file", most_files=1)
            job = jobs.add(name, folder, upload.path, shown_name=upload.name, model=hosted)
        except BaseException:
            await asyncio.to_thread(jobs.discard, folder)
            raise
        return JSONResponse(job.to_dict(), 202, {"location": f"/timeline/{job.id}"})

    @app.get(
        "/timeline/{id}",
        tags=["timelines"],
        summary="How far it is",
        response_model=JobState,
        responses=problems(401, 404),
    )
    async def state(id: str) -> Response:
        return JSONResponse(jobs.get(id).to_dict())

    @app.get(
        "/timeline/{id}/events",
        tags=["timelines"],
        summary="How far it is, again and again, as server-sent events",
        description="Events are named progress, done, failed and cancelled; their data is the timeline as JSON. The "
        "stream ends after one of the last three.",
        response_class=Response,
        responses={200: {"content": {"text/event-stream": {}}}, **problems(401, 404)},
    )
    async def events(id: str) -> Response:
        job = jobs.get(id)

        async def lines() -> AsyncIterator[str]:
            async for event in jobs.events(job):
                yield ": still there\n\n" if event is None else f"event: {event[0]}\ndata: {json.dumps(event[1])}\n\n"

        return StreamingResponse(lines(), media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    @app.get(
        "/timeline/{id}/scores",
        tags=["timelines"],
        summary="The probabilities so far",
        response_model=ScoreTable,
        responses=problems(401, 404),
    )
    async def scores(id: str) -> Response:
        return StreamingResponse(_score_parts(jobs.get(id)), media_type="application/json")

    @app.get(
        "/timeline/{id}/video",
        tags=["timelines"],
        summary="The video as H.264, where browsers do not play the file",
        response_class=Response,
        responses={200: {"content": {"video/mp4": {}}}, **problems(401, 404)},
    )
    async def video(id: str) -> Response:
        job = jobs.get(id)
        if job.copy is None:
            why = "browsers play the file itself" if job.plays else job.copy_error or "it is not written yet"
            raise RefusalError(404, f"there is no copy for browsers: {why}")
        return FileResponse(job.copy, media_type="video/mp4")

    @app.post(
        "/timeline/{id}/annotations",
        tags=["timelines"],
        summary="Segments as a file of annotations",
        description="Its labels need not be classes of the model.",
        response_class=Response,
        responses={
            200: {"content": {kind.partition(";")[0]: {} for kind in KINDS.values()}},
            **problems(400, 401, 403, 404, 413, 422),
        },
        openapi_extra=json_body(GivenSegments),
    )
    async def annotations(request: Request, id: str, format: AnnotationsFormat = "csv") -> Response:
        job = jobs.get(id)
        given = await _read_json(request, GivenSegments)
        with service.place():
            data, name, kind = await asyncio.to_thread(annotation_file, job, given.segments, format, service.root)
        return Response(data, media_type=kind, headers={"content-disposition": _attachment(name)})

    @app.delete(
        "/timeline/{id}",
        tags=["timelines"],
        summary="Cancel it, and forget it with its files",
        status_code=204,
        response_class=Response,
        responses=problems(401, 403, 404),
    )
    async def delete(id: str) -> Response:
        await asyncio.to_thread(jobs.delete, id)
        return Response(status_code=204)


def _attachment(name: str) -> str:
    """The header that names a download (RFC 6266)."""
    plain = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._- ") else "_" for letter in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _score_parts(job: Any) -> Iterator[str]:
    """The scores as JSON, some rows at a time, so that hours of them are never one text."""
    track = job.track()
    classes = list(job.model.recognizer.classes)
    yield f'{{"step_seconds": {job.step_seconds}, "classes": {json.dumps(classes)}, "probabilities": ['
    if track is not None:
        probabilities_NK = track.probabilities_NK().round(5)
        for first in range(0, len(probabilities_NK), _ROWS_AT_ONCE):
            rows = json.dumps(probabilities_NK[first : first + _ROWS_AT_ONCE].tolist())[1:-1]
            yield f", {rows}" if first else rows
    yield "]}"
