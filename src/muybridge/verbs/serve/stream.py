"""A live stream over a WebSocket: frames in, scores and events out, the newest frame first.

One task takes what comes, another works on it. What comes while that is busy replaces what waits, as far as the format
allows: of JPEG pictures the newest alone is kept; of H.264 all are decoded, and where even that lags, all is passed
over up to the next key frame. What is passed over is counted, and said.
"""

import asyncio
import json
import math
import struct
import time
from typing import Any

from fastapi import FastAPI, WebSocket
from starlette.websockets import WebSocketDisconnect

from muybridge.errors import UserError
from muybridge.inference.timeline.live_scoring import LiveAnswer, LiveScorer
from muybridge.verbs.serve.hosting import HostedModel
from muybridge.verbs.serve.refusal import RefusalError, line_of
from muybridge.verbs.serve.security import SUBPROTOCOL
from muybridge.verbs.serve.service import Service
from muybridge.verbs.serve.stream_inbox import Inbox, Part
from muybridge.video.isolation import current
from muybridge.video.live_pictures import IsolatedPictures

SILENCE_SECONDS = 60.0
"""A client that sends nothing for so long has gone."""

TOP = 5
_MOST_TEXT = 10_000
# H.264 puts no picture off by more than 16 others.
_REORDERED = 64
_SAY_DROPPED_SECONDS = 1.0
_DRAIN_LOOK_SECONDS = 0.5
_CLOSE_DONE, _CLOSE_REFUSED, _CLOSE_TRY_AGAIN_LATER = 1000, 1008, 1013
_MOST_SECONDS = 1e12
"""No clock shows more, and what is computed with it stays a number."""


class _Ended(Exception):  # noqa: N818 - no error: the client is done
    pass


def add_stream(app: FastAPI, service: Service) -> None:
    """Add the route."""

    @app.websocket("/stream")
    async def stream(socket: WebSocket, model: str | None = None) -> None:
        offered = socket.scope.get("subprotocols", [])
        await socket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in offered else None)
        try:
            hosted = service.models.get(model)
            hosted.require_recognizer()
            with service.stream_place():
                await _Stream(service, hosted, socket).run()
        except (WebSocketDisconnect, _Ended):
            return
        except RefusalError as refusal:
            await _fail(socket, refusal)
        except UserError as error:
            await _fail(socket, RefusalError(422, line_of(error)))


async def _fail(socket: WebSocket, refusal: RefusalError) -> None:
    later = {} if refusal.retry_after is None else {"retry_after": refusal.retry_after}
    try:
        await socket.send_text(json.dumps({"type": "error", "detail": refusal.detail, **later}))
        await socket.close(_CLOSE_TRY_AGAIN_LATER if later else _CLOSE_REFUSED)
    except (WebSocketDisconnect, RuntimeError):  # it has gone meanwhile
        return


class _Stream:
    def __init__(self, service: Service, model: HostedModel, socket: WebSocket) -> None:
        self._service = service
        self._model = model
        self._socket = socket
        self._scorer: LiveScorer
        self._inbox: Inbox
        # Of the parts that went to the decoder, which counts them: when they are shown.
        self._seconds_of: dict[int, float] = {}
        self._sent = 0
        self._said_dropped = 0
        self._said_at = 0.0

    async def run(self) -> None:
        """Serve one stream to its end."""
        format = await self._start()
        isolation = current()
        assert isolation is not None, "a server decodes in isolation"
        self._inbox = Inbox(keeps_all=format == "h264")
        self._scorer = await asyncio.to_thread(self._model.look_live)
        with isolation.hold() as held:
            recognizer = self._model.recognizer
            pictures = await asyncio.to_thread(
                IsolatedPictures, held, format, size_px=recognizer.size_px, fit=recognizer.fit
            )
            await self._send(
                {
                    "type": "ready",
                    "frames_per_second": self._scorer.frames_per_second,
                    "look_ahead_seconds": round(self._scorer.look_ahead_seconds, 3),
                }
            )
            await self._both(pictures)

    async def _both(self, pictures: IsolatedPictures) -> None:
        """Receive and answer until one of the two ends; then the other is over, too."""
        tasks = [
            asyncio.create_task(each) for each in (self._receive(), self._answer(pictures), self._watch_the_server())
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if tasks[0] in done and tasks[0].exception() is None:  # the client has stopped: what waits is answered
                await tasks[1]
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _start(self) -> Any:
        text = await self._text()
        try:
            asked = json.loads(text)
        except ValueError:
            asked = None
        if not isinstance(asked, dict) or asked.get("type") != "start" or asked.get("format") not in ("jpeg", "h264"):
            raise RefusalError(422, 'a stream begins with {"type": "start", "format": "jpeg"} or "h264"')
        return asked["format"]

    async def _text(self) -> str:
        message = await self._message()
        text = message.get("text")
        if not isinstance(text, str) or len(text) > _MOST_TEXT:
            raise RefusalError(422, "a stream begins with a message of text")
        return text

    async def _message(self) -> Any:
        try:
            message = await asyncio.wait_for(self._socket.receive(), SILENCE_SECONDS)
        except TimeoutError:
            raise RefusalError(408, f"nothing came for {SILENCE_SECONDS:g} s") from None
        if message["type"] == "websocket.disconnect":
            raise _Ended
        return message

    async def _receive(self) -> None:
        newest = -math.inf
        while True:
            message = await self._message()
            data = message.get("bytes")
            if data is None:
                if str(message.get("text"))[:_MOST_TEXT].strip() == '{"type":"stop"}':
                    self._inbox.stop()
                    return
                raise RefusalError(422, 'frames are binary messages; {"type":"stop"} ends the stream')
            if len(data) <= 8:
                raise RefusalError(422, "a frame is 8 bytes of its time and then the picture")
            (seconds,) = struct.unpack(">d", data[:8])
            if not math.isfinite(seconds):
                raise RefusalError(422, "the time of a frame is no number")
            if abs(seconds) > _MOST_SECONDS:
                raise RefusalError(422, f"the time of a frame is {seconds:g} s; give at most {_MOST_SECONDS:g}")
            if seconds < newest:
                raise RefusalError(
                    422, f"the time of a frame is {seconds:g} s, after {newest:g} s; it must not go back"
                )
            newest = seconds
            self._inbox.put(seconds, data[8:])

    async def _watch_the_server(self) -> None:
        while not self._service.is_draining:
            await asyncio.sleep(_DRAIN_LOOK_SECONDS)
        raise RefusalError(503, "the server is about to end")

    async def _answer(self, pictures: IsolatedPictures) -> None:
        while taken := await self._inbox.take():
            answers = await asyncio.to_thread(self._look, pictures, taken)
            await self._send_answers(answers)
            await self._say_dropped()
        await self._send_answers([await asyncio.to_thread(self._scorer.finish)])
        await self._say_dropped(at_once=True)
        await self._socket.close(_CLOSE_DONE)
        raise _Ended

    def _look(self, pictures: IsolatedPictures, taken: list[Part]) -> list[LiveAnswer]:
        """Decode and score; of several pictures that are due, only the newest is scored."""
        if not self._inbox.keeps_all:  # what the model does not look at need not be decoded
            taken = [part for part in taken if self._scorer.is_due(part.seconds)]
        if not taken:
            return []
        for part in taken:
            self._seconds_of[self._sent] = part.seconds
            self._sent += 1
        due = []
        for number, picture_HWC in pictures.decode([part.data for part in taken]):
            seconds = self._seconds_of[number]
            if self._scorer.is_due(seconds):
                due.append((seconds, picture_HWC))
        for number in [each for each in self._seconds_of if each < self._sent - _REORDERED]:
            del self._seconds_of[number]
        if not due:
            return []
        self._inbox.dropped += len(due) - 1
        self._service.metrics.frames.labels(self._model.name, "scored").inc()
        seconds, picture_HWC = due[-1]
        return [self._scorer.push(picture_HWC, seconds)]

    async def _send_answers(self, answers: list[LiveAnswer]) -> None:
        for answer in answers:
            for score in answer.scores:
                best = sorted(range(len(self._scorer.classes)), key=lambda k: -float(score.probabilities_K[k]))[:TOP]
                await self._send(
                    {
                        "type": "score",
                        "seconds": round(score.seconds, 3),
                        "label": score.label,
                        "score": round(score.score, 6),
                        "none_of_these": score.none_of_these,
                        "scores": [
                            {"label": self._scorer.classes[k], "score": round(float(score.probabilities_K[k]), 6)}
                            for k in best
                        ],
                    }
                )
            for event in answer.events:
                await self._send({"type": "event", **event.to_dict()})

    async def _say_dropped(self, *, at_once: bool = False) -> None:
        now = time.monotonic()
        if self._inbox.dropped == self._said_dropped or (now - self._said_at < _SAY_DROPPED_SECONDS and not at_once):
            return
        new = self._inbox.dropped - self._said_dropped
        self._service.metrics.frames.labels(self._model.name, "dropped").inc(new)
        self._said_dropped, self._said_at = self._inbox.dropped, now
        await self._send({"type": "dropped", "count": self._inbox.dropped})

    async def _send(self, values: dict[str, Any]) -> None:
        try:
            await self._socket.send_text(json.dumps(values))
        except RuntimeError:  # starlette's word for a client that has gone
            raise _Ended from None
