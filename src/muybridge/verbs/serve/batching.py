"""Clips of many requests through one model: decoded in threads, computed side by side in others.

Clips that wait at the same moment go through the network in one batch, as `Recognizer` makes batches of a folder. How
much is decoded ahead is bounded, so memory stays flat whatever waits.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from muybridge.dataset.catalog import Clip
from muybridge.errors import VideoError
from muybridge.inference.answers import Prediction
from muybridge.inference.recognizer import BATCH_CLIPS, BATCH_PIXELS
from muybridge.inference.trained_model import Decoded, Model
from muybridge.system import available_cores
from muybridge.threads import torch_workers


@dataclass(frozen=True, eq=False)
class _Waiting:
    path: Path
    decoded: Decoded
    pixels: int
    future: "Future[Prediction]"


class Batcher:
    """Answers for clips, computed together.

    Args:
        model: The model.
        workers: Threads that decode; default: one per core.
        on_batch: Called with the number of clips of each batch.
    """

    def __init__(
        self, model: Model, *, workers: int | None = None, on_batch: Callable[[int], None] | None = None
    ) -> None:
        workers = workers or available_cores()
        self._model = model
        self._on_batch = on_batch
        self._decoders = ThreadPoolExecutor(workers, thread_name_prefix="decode")
        self._waiting: queue.Queue[_Waiting | None] = queue.Queue(maxsize=workers + BATCH_CLIPS)
        self._left: _Waiting | None = None
        self._choosing = threading.Lock()
        self._ending = ExitStack()
        networks = self._ending.enter_context(torch_workers(model.workers))
        self._ending.callback(self._waiting.put, None)
        self._ending.callback(self._decoders.shutdown, cancel_futures=True)
        self._computing = [networks.submit(self._compute) for _ in range(model.workers)]

    async def predict(self, path: Path) -> Prediction:
        """Name the action in a file; one that does not decode gets a prediction with its error."""
        future: Future[Prediction] = Future()
        self._decoders.submit(self._decode, path, future)
        return await asyncio.wrap_future(future)

    @property
    def is_alive(self) -> bool:
        """Whether it computes."""
        return not any(each.done() for each in self._computing)

    def close(self) -> None:
        """End the threads; what waits is cancelled."""
        self._ending.close()

    def _decode(self, path: Path, future: "Future[Prediction]") -> None:
        if not future.set_running_or_notify_cancel():  # nobody waits for it any more
            return
        try:
            clip = Clip(path=path, label="", group="")
            decoded = self._model.decode(clip)
            if isinstance(decoded, VideoError):
                future.set_result(Prediction(path, (), decoded.reason))
                return
            self._waiting.put(_Waiting(path, decoded, self._model.pixels(decoded), future))
        except BaseException as error:
            future.set_exception(error)

    def _compute(self) -> None:
        while (batch := self._batch()) is not None:
            if self._on_batch is not None:
                self._on_batch(len(batch))
            try:
                answers = self._model.answers([each.decoded for each in batch])
            except BaseException as error:  # whatever it is, those who wait must hear of it
                self._fail(batch, error)
                continue
            for each, answer in zip(batch, answers, strict=True):
                each.future.set_result(self._model.ranked(each.path, answer))

    def _fail(self, batch: list[_Waiting], error: BaseException) -> None:
        """Tell those who wait; of several clips each is tried alone, so that one does not spoil the others."""
        for each in batch:
            if len(batch) == 1:
                each.future.set_exception(error)
                continue
            try:
                [answer] = self._model.answers([each.decoded])
            except BaseException as own:
                each.future.set_exception(own)
            else:
                each.future.set_result(self._model.ranked(each.path, answer))

    def _batch(self) -> list[_Waiting] | None:
        """The clips that wait, as many as go together; None at the end."""
        with self._choosing:
            return self._next()

    def _next(self) -> list[_Waiting] | None:
        first = self._left or self._waiting.get()
        self._left = None
        if first is None:
            self._waiting.put(None)  # for the other threads
            return None
        batch, pixels = [first], first.pixels
        while len(batch) < BATCH_CLIPS:
            try:
                each = self._waiting.get_nowait()
            except queue.Empty:
                break
            if each is None:
                self._waiting.put(None)
                break
            if pixels + each.pixels > BATCH_PIXELS:
                self._left = each
                break
            batch.append(each)
            pixels += each.pixels
        return batch
