"""Label Studio's contract for models that help annotators: it asks for predictions of tasks, and shows them.

A project's label config says what it wants: TimelineLabels over a Video get segments, Choices about one get a class.
Contract: github.com/HumanSignal/label-studio-ml-backend, `label_studio_ml/api.py`; Label Studio waits 100 seconds.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import numpy as np
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from fastapi import FastAPI, Request

from muybridge.dataset.annotations.label_studio_tasks import region_of
from muybridge.dataset.annotations.video_times import VideoTimes
from muybridge.inference.recognizer import Recognizer
from muybridge.text import printable
from muybridge.verbs.serve.bodies import read_json
from muybridge.verbs.serve.hosting import HostedModel
from muybridge.verbs.serve.job_state import Job
from muybridge.verbs.serve.openapi import json_body, problems
from muybridge.verbs.serve.refusal import RefusalError, busy
from muybridge.verbs.serve.schemas import LabelStudioRequest, LabelStudioSetup, LabelStudioTask, SetupAnswer
from muybridge.verbs.serve.service import Service
from muybridge.verbs.serve.uploads import request_folder

_RATE = 24.0
"""Frames a second that Label Studio counts where the Video tag names none."""


@dataclass(frozen=True)
class Wish:
    """What a control tag of a label config wants.

    Attributes:
        kind: `timelinelabels` or `choices`.
        from_name: Its name.
        to_name: The Video tag that it is about.
        key: Where the video is in a task's data.
        labels: Its labels, as they are spelled, by their spelling in lower case.
        rate: Frames a second as the Video tag says, or ``$KEY``.
    """

    kind: str
    from_name: str
    to_name: str
    key: str
    labels: dict[str, str]
    rate: str


def wishes_of(label_config: str) -> list[Wish]:
    """What a label config wants of a video model.

    Raises:
        RefusalError: It is no XML, or wants nothing of the kind.
    """
    try:
        root = fromstring(label_config)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise RefusalError(422, f"the label config is no XML: {error}") from None
    videos = {each.get("name", ""): each for each in root.iter("Video")}
    found = []
    for tag, child, kind in (("TimelineLabels", "Label", "timelinelabels"), ("Choices", "Choice", "choices")):
        for control in root.iter(tag):
            video = videos.get(control.get("toName", ""))
            if video is not None:
                found.append(_wish(control, child, kind, video))
    if not found:
        raise RefusalError(
            422, "the label config has neither TimelineLabels nor Choices whose toName is a Video; add one of them"
        )
    return found


def _wish(control: Element, child: str, kind: str, video: Element) -> Wish:
    labels = {value.strip().lower(): value for each in control.iter(child) if (value := each.get("value", "").strip())}
    return Wish(
        kind=kind,
        from_name=control.get("name", ""),
        to_name=video.get("name", ""),
        key=video.get("value", "").removeprefix("$"),
        labels=labels,
        rate=video.get("frameRate") or video.get("framerate") or "",
    )


def version_of(model: HostedModel) -> str:
    """What Label Studio calls the version of a model."""
    weights = model.model.weights_sha256 if isinstance(model.model, Recognizer) else ""
    return f"{model.name}-{weights[:8]}" if weights else model.name


def add_setup(app: FastAPI, service: Service) -> None:
    """Add the route that Label Studio calls when a project is connected."""

    @app.post(
        "/setup",
        tags=["Label Studio"],
        summary="Connect a project of Label Studio",
        response_model=SetupAnswer,
        responses=problems(401, 403, 408, 413, 422),
        openapi_extra=json_body(LabelStudioSetup),
    )
    async def setup(request: Request) -> dict[str, str]:
        asked = await read_json(request, LabelStudioSetup)
        if asked.hostname:
            service.fetcher.use_host(asked.hostname)
        return {"model_version": version_of(service.models.default)}


async def predict(service: Service, model: HostedModel, asked: LabelStudioRequest) -> dict[str, Any]:
    """Answer Label Studio: a prediction for each task, in order.

    Raises:
        RefusalError: The config wants nothing that is known here, or no task could be answered.
    """
    wishes = wishes_of(asked.label_config or "")
    results: list[dict[str, Any]] = []
    refusals: list[RefusalError] = []
    try:
        async with asyncio.timeout(service.config.request_seconds):
            for task in asked.tasks:
                try:
                    results.append(await _task(service, model, wishes, task))
                except RefusalError as refusal:
                    refusals.append(refusal)
                    results.append({"result": [], "model_version": version_of(model), "error": refusal.detail})
    except TimeoutError:
        raise busy(f"the answer takes longer than {service.config.request_seconds:g} s", retry_after=10) from None
    if refusals and len(refusals) == len(asked.tasks):
        raise refusals[0]
    return {"results": results, "model_version": version_of(model)}


async def _task(service: Service, model: HostedModel, wishes: list[Wish], task: LabelStudioTask) -> dict[str, Any]:
    regions: list[dict[str, Any]] = []
    with request_folder(service.root) as folder:
        paths: dict[str, tuple[Path, str]] = {}
        for wish in wishes:
            address = task.data.get(wish.key)
            if not isinstance(address, str) or not address:
                raise RefusalError(422, f"task {task.id} has no address in its data, under {wish.key!r}")
            if wish.key not in paths:
                paths[wish.key] = await asyncio.to_thread(service.fetcher.fetch, address, folder, str(len(paths)))
            path, name = paths[wish.key]
            if wish.kind == "choices":
                regions += await _choice(service, model, wish, path)
            else:
                regions += await _spans(service, model, wish, path, name, task)
    scores = [region["score"] for region in regions]
    mean = {"score": float(np.mean(scores))} if scores else {}
    return {"result": regions, "model_version": version_of(model), **mean}


async def _choice(service: Service, model: HostedModel, wish: Wish, path: Path) -> list[dict[str, Any]]:
    [answer] = await service.predict(model, [path])
    if isinstance(answer, str):
        raise RefusalError(422, answer)
    label = wish.labels.get(printable(answer.label).lower())
    if answer.none_of_these or label is None:
        return []
    return [
        {
            "id": f"{wish.from_name}-1",
            "type": "choices",
            "from_name": wish.from_name,
            "to_name": wish.to_name,
            "value": {"choices": [label]},
            "score": answer.score,
        }
    ]


async def _spans(
    service: Service, model: HostedModel, wish: Wish, path: Path, name: str, task: LabelStudioTask
) -> list[dict[str, Any]]:
    job = await _timeline(service, model, path, name)
    assert job.seconds is not None
    times = _times(wish, task, job.seconds)
    regions = []
    for number, segment in enumerate(job.segments, 1):
        label = wish.labels.get(printable(segment.label).lower())
        if label is None:
            continue
        region = region_of(
            segment, times, name=f"{wish.from_name}-{number}", from_name=wish.from_name, to_name=wish.to_name
        )
        if region is not None:
            region["value"]["timelinelabels"] = [label]
            regions.append(region)
    return regions


async def _timeline(service: Service, model: HostedModel, path: Path, name: str) -> Job:
    """A job like any other, in the same queue, that is waited for."""
    model.require_recognizer()
    jobs = service.jobs
    jobs.require_place()
    key, folder = jobs.new_folder()
    try:
        own = folder / path.name
        own.hardlink_to(path)
        job = jobs.add(key, folder, own, shown_name=name, model=model, wants_copy=False)
    except BaseException:
        jobs.discard(folder)
        raise
    try:
        async for _ in jobs.events(job):
            pass
    finally:
        jobs.delete(key)
    if job.status != "done":
        raise RefusalError(422, job.error or "the timeline was cancelled")
    return job


def _times(wish: Wish, task: LabelStudioTask, seconds: float) -> VideoTimes:
    """The frames of a video as Label Studio counts them: evenly, at the rate of the Video tag."""
    given = task.data.get(wish.rate[1:]) if wish.rate.startswith("$") else wish.rate
    try:
        rate = float(str(given)) if given else _RATE
    except ValueError:
        rate = _RATE
    if not 0.1 <= rate <= 1000:
        rate = _RATE
    count = max(1, round(seconds * rate))
    return VideoTimes(np.arange(count) / rate, count / rate, 1, 1)
