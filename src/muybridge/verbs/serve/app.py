"""The routes of the server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from muybridge.text import printable
from muybridge.verbs.serve import label_studio
from muybridge.verbs.serve.bodies import content_type_of, line_of_invalid, read_json, read_uploads
from muybridge.verbs.serve.metrics import CONTENT_TYPE_LATEST, Counted
from muybridge.verbs.serve.openapi import describe, form_of_files, problems
from muybridge.verbs.serve.page_files import page_file
from muybridge.verbs.serve.refusal import RefusalError
from muybridge.verbs.serve.schemas import (
    LabelStudioRequest,
    ModelList,
    PredictionList,
)
from muybridge.verbs.serve.security import BODY, CountedBody, Guard
from muybridge.verbs.serve.service import Service
from muybridge.verbs.serve.stream import add_stream
from muybridge.verbs.serve.timeline_routes import ModelName, add_timelines
from muybridge.verbs.serve.uploads import Upload, request_folder

MOST_TOP = 1000
UPLOAD_PATHS = ("/predict", "/timeline")
_TIDY_SECONDS = 30.0


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
    add_timelines(app, service)
    label_studio.add_setup(app, service)
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
        return {
            "default": service.models.default.name,
            "models": [model.to_dict() for model in service.models],
            "max_upload_bytes": service.config.most_bytes,
        }


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
        if content_type_of(request).startswith("application/json"):
            asked = await read_json(request, LabelStudioRequest)
            with service.place():
                return JSONResponse(await label_studio.predict(service, hosted, asked))
        with service.place(), request_folder(service.root) as folder:
            uploads = await read_uploads(request, folder, field_name="files")
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
