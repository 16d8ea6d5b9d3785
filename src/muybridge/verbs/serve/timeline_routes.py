"""The routes of timelines."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Annotated
from urllib.parse import quote

from fastapi import FastAPI, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response, StreamingResponse

from muybridge.verbs.serve.annotations import KINDS, annotation_file
from muybridge.verbs.serve.bodies import read_json, read_uploads
from muybridge.verbs.serve.job_state import Job
from muybridge.verbs.serve.openapi import form_of_files, json_body, problems
from muybridge.verbs.serve.refusal import RefusalError
from muybridge.verbs.serve.schemas import AnnotationsFormat, GivenSegments, JobState, ScoreTable
from muybridge.verbs.serve.service import Service

ModelName = Annotated[str | None, Query(max_length=300, description="which model; default: the first")]
_ROWS_AT_ONCE = 1000


def add_timelines(app: FastAPI, service: Service) -> None:
    """Add them."""
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
                [upload] = await read_uploads(request, folder, field_name="file", most_files=1)
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
        given = await read_json(request, GivenSegments)
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


def _score_parts(job: Job) -> Iterator[str]:
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
