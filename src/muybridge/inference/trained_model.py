"""What every model can do with video, be it one network or an ensemble: name the action in files and in clips.

Notable: decoding runs in threads ahead of the network, and a file that does not decode is an answer, not the end.

Axes: T frames, H, W, C (RGB), K classes.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from muybridge.dataset.catalog import Clip
from muybridge.errors import UserError, VideoError
from muybridge.inference.predictions import ClipPrediction
from muybridge.inference.views import AS_TRAINED, Views
from muybridge.system import available_cores

Scores = npt.NDArray[np.float64]
"""The probabilities of the K classes."""

_Read = TypeVar("_Read")


@dataclass(frozen=True)
class Prediction:
    """What a recognizer says of one video.

    Attributes:
        path: The video file.
        ranking: (class name, probability) from most to least probable, all K classes; empty on an error.
        error: Why the video could not be decoded, or None.
    """

    path: Path
    ranking: tuple[tuple[str, float], ...]
    error: str | None = None

    @property
    def label(self) -> str:
        """The most probable class."""
        return self.ranking[0][0]

    @property
    def score(self) -> float:
        """The probability of the most probable class."""
        return self.ranking[0][1]

    def __str__(self) -> str:
        return f"{self.path}: {self.error}" if self.error else f"{self.label}, {self.score:.2f}"

    def describe(self, top: int) -> str:
        """One line: the file and its ``top`` most probable classes."""
        return f"{self.path}  " + "  ".join(f"{label}, {score:.2f}" for label, score in self.ranking[:top])

    def to_dict(self, top: int) -> dict[str, Any]:
        """Plain values for JSON."""
        actions = [{"label": label, "score": round(score, 6)} for label, score in self.ranking[:top]]
        return {"path": str(self.path), "actions": actions, "error": self.error}


class Model(ABC):
    """A trained model with all that it needs to read a video.

    Attributes:
        classes: Names of its K classes.
        sided_classes: Those whose clips must not be mirrored.
    """

    classes: tuple[str, ...]
    sided_classes: tuple[str, ...]

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Save all that prediction needs; ``muybridge.load`` reads it back."""

    @abstractmethod
    def _score(self, clips: Sequence[Clip], *, views: Views, workers: int | None) -> Iterator[Scores | VideoError]:
        """The probabilities of each clip, in order, or why it could not be decoded."""

    def predict(self, video: str | Path, *, views: Views = AS_TRAINED) -> Prediction:
        """Recognise the action in a video file.

        Args:
            video: The file; the whole of it is taken as one clip.
            views: Which views of the clip to combine; default: one, or all windows, as in training.

        Returns:
            All classes with their probabilities.

        Raises:
            VideoError: If the file does not decode.
            UserError: If mirrored views are asked for, but left and right matter to a class.
        """
        path = Path(video)
        [scores] = self._score([_whole_file(path)], views=views, workers=1)
        if isinstance(scores, VideoError):
            raise scores
        return self._rank(path, scores)

    def predict_files(
        self, paths: Sequence[Path], *, views: Views = AS_TRAINED, workers: int | None = None
    ) -> Iterator[Prediction]:
        """Recognise many videos, in order; one that does not decode gives a prediction with its error.

        Args:
            paths: The files.
            views: As in ``predict``.
            workers: Threads that decode ahead of the network; default: one per core.
        """
        found = self._score([_whole_file(path) for path in paths], views=views, workers=workers)
        for path, scores in zip(paths, found, strict=True):
            if isinstance(scores, VideoError):
                yield Prediction(path, (), scores.reason)
            else:
                yield self._rank(path, scores)

    def predict_clips(
        self, clips: Sequence[Clip], *, views: Views = AS_TRAINED, workers: int | None = None
    ) -> Iterator[ClipPrediction]:
        """Recognise labelled clips, in order, for evaluation; arguments as in ``predict_files``."""
        found = self._score(clips, views=views, workers=workers)
        for clip, scores in zip(clips, found, strict=True):
            yield clip_prediction(clip, scores)

    def _check(self, views: Views) -> None:
        if views.flip and self.sided_classes:
            raise UserError(
                f"views.flip mirrors clips, but left and right matter to the class "
                f"{self.sided_classes[0]}; leave it out"
            )

    def _rank(self, path: Path, probabilities_K: Scores) -> Prediction:
        order = np.argsort(-probabilities_K, kind="stable")
        return Prediction(path, tuple((self.classes[k], float(probabilities_K[k])) for k in order))


def clip_prediction(clip: Clip, scores: Scores | VideoError) -> ClipPrediction:
    """What evaluation keeps of one clip."""
    probabilities, error = (None, scores.reason) if isinstance(scores, VideoError) else (scores, None)
    return ClipPrediction(clip.id, str(clip.path), clip.label, clip.group or None, probabilities, error)


def read_ahead(
    clips: Sequence[Clip], read: Callable[[Clip], _Read], *, workers: int | None, ahead: int = 0
) -> Iterator[_Read]:
    """Call ``read`` on each clip, in threads that run a little ahead; yield the results in order.

    Args:
        clips: The clips.
        read: Decodes one clip; what it raises is raised here.
        workers: Number of threads; default: one per core.
        ahead: How many clips the caller takes at once, so that as many are read while it works on them.
    """
    workers = workers or available_cores()
    limit = 2 * workers + ahead
    waiting: deque[Future[_Read]] = deque()
    upcoming = iter(clips)
    with ThreadPoolExecutor(workers) as pool:
        try:
            while True:
                # A short queue: enough to keep the threads busy, little enough to keep memory flat.
                while len(waiting) < limit and (clip := next(upcoming, None)) is not None:
                    waiting.append(pool.submit(read, clip))
                if not waiting:
                    return
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _whole_file(path: Path) -> Clip:
    return Clip(path=path, label="", group="")
