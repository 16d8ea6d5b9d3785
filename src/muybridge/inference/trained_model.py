"""What every model can do with video, be it one network or an ensemble: name the action in files and in clips.

Notable: decoding runs in threads ahead of the network, and a file that does not decode is an answer, not the end.
Frames that are decoded already, as an array, take the same way as those of a file.

Axes: T frames, H, W, C (RGB), K classes.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, overload

import numpy as np
import numpy.typing as npt
import torch

from muybridge.dataset.catalog import Clip
from muybridge.errors import UserError, VideoError
from muybridge.inference.answers import Answer, Prediction
from muybridge.inference.predictions import ClipPrediction
from muybridge.inference.rejection import Rejection
from muybridge.inference.views import AS_TRAINED, Views
from muybridge.video.in_memory import FrameArray

Video = str | Path | npt.NDArray[Any] | torch.Tensor
"""What ``predict`` takes: a file, or frames (T, H, W, 3), uint8 RGB."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True, eq=False)
class ArrayClip:
    """Frames that are decoded already, and the part of them between two times; None leaves that side open."""

    frames: FrameArray
    start_seconds: float | None = None
    end_seconds: float | None = None


Source = Clip | ArrayClip
"""What a model scores."""

Decoded = list[Any]
"""What a model makes of a decoded clip; the model alone knows what is in it."""


class Model(ABC):
    """A trained model with all that it needs to read a video.

    Attributes:
        classes: Names of its K classes.
        sided_classes: Those whose clips must not be mirrored.
        rejection: When a clip shows none of the classes; None: it always names one.
    """

    classes: tuple[str, ...]
    sided_classes: tuple[str, ...]
    rejection: Rejection | None = None

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Save all that prediction needs; ``muybridge.load`` reads it back."""

    @abstractmethod
    def _score(self, clips: Sequence[Source], *, views: Views, workers: int | None) -> Iterator[Answer | VideoError]:
        """What is said of each clip, in order, or why it could not be decoded."""

    @abstractmethod
    def decode(self, clip: Source, *, views: Views = AS_TRAINED) -> Decoded | VideoError:
        """Decode what the model needs of a clip, or say why that fails; safe to call in threads."""

    @abstractmethod
    def answers(self, decoded: Sequence[Decoded]) -> list[Answer]:
        """What is said of decoded clips, computed together; in ``workers`` threads at a time."""

    @property
    @abstractmethod
    def workers(self) -> int:
        """How many threads are to call ``answers``, each with clips of its own."""

    def pixels(self, decoded: Decoded) -> int:
        """How many pixels the network sees of a decoded clip: what decides how many are computed together."""
        return sum(self.pixels(each) if isinstance(each, list) else each.size // 3 for each in decoded)

    @overload
    def predict(  # type: ignore[overload-overlap] # a str is a sequence of str, too; the first takes it
        self,
        video: Video,
        *,
        frames_per_second: float | None = ...,
        start_seconds: float | None = ...,
        end_seconds: float | None = ...,
        views: Views = ...,
    ) -> Prediction: ...

    @overload
    def predict(
        self,
        video: Sequence[Video],
        *,
        frames_per_second: float | None = ...,
        start_seconds: float | None = ...,
        end_seconds: float | None = ...,
        views: Views = ...,
    ) -> list[Prediction]: ...

    def predict(
        self,
        video: Video | Sequence[Video],
        *,
        frames_per_second: float | None = None,
        start_seconds: float | None = None,
        end_seconds: float | None = None,
        views: Views = AS_TRAINED,
    ) -> Prediction | list[Prediction]:
        """Recognise the action in a video, or in each of several.

        Args:
            video: A file; or its frames as a NumPy array or a torch tensor (T, H, W, 3), uint8 RGB, of any size: the
                model's own sampler chooses among them, as among those of a file. Or a list of such.
            frames_per_second: The rate of arrays and tensors; only a time range, and a model that takes frames by time,
                need to know it.
            start_seconds: Only frames at or after this time since the first frame.
            end_seconds: Only frames before this time.
            views: Which views of the video to combine; default: one, or all windows, as in training.

        Returns:
            All classes with their probabilities; for a list, a list with one result for each. In a list, what cannot
            be decoded has its ``error``.

        Raises:
            VideoError: If the only video cannot be decoded.
            UserError: If an array is not what is described above, or mirrored views are asked for, but left and right
                matter to a class.
        """

        def source(one: Video, name: str) -> Source:
            if isinstance(one, str | Path):
                return _whole_file(Path(one), start_seconds=start_seconds, end_seconds=end_seconds)
            frames = one.detach().cpu().numpy() if isinstance(one, torch.Tensor) else one
            if not isinstance(frames, np.ndarray):
                raise UserError(
                    f"{name} is a {type(one).__name__}; give a path, a NumPy array or a torch tensor of frames"
                )
            array = FrameArray.checked(frames, frames_per_second=frames_per_second, name=name)
            return ArrayClip(array, start_seconds, end_seconds)

        if isinstance(video, Sequence) and not isinstance(video, str):
            sources = [source(one, f"video[{number}]") for number, one in enumerate(video)]
            return list(self._predictions(sources, views=views, workers=None))
        [answer] = self._score([only := source(video, "video")], views=views, workers=1)
        if isinstance(answer, VideoError):
            raise answer
        return self.ranked(_path(only), answer)

    def predict_files(
        self, paths: Sequence[Path], *, views: Views = AS_TRAINED, workers: int | None = None
    ) -> Iterator[Prediction]:
        """Recognise many videos, in order; one that does not decode gets a prediction with its error.

        Args:
            paths: The files.
            views: As in ``predict``.
            workers: Threads that decode ahead of the network; default: one per core.
        """
        return self._predictions([_whole_file(path) for path in paths], views=views, workers=workers)

    def _predictions(self, sources: Sequence[Source], *, views: Views, workers: int | None) -> Iterator[Prediction]:
        for source, answer in zip(sources, self._score(sources, views=views, workers=workers), strict=True):
            if isinstance(answer, VideoError):
                yield Prediction(_path(source), (), answer.reason)
            else:
                yield self.ranked(_path(source), answer)

    def predict_clips(
        self, clips: Sequence[Clip], *, views: Views = AS_TRAINED, workers: int | None = None
    ) -> Iterator[ClipPrediction]:
        """Recognise labelled clips, in order, for evaluation; arguments as in ``predict_files``."""
        found = self._score(clips, views=views, workers=workers)
        for clip, answer in zip(clips, found, strict=True):
            yield clip_prediction(clip, answer)

    def check_views(self, views: Views) -> None:
        """Refuse views that make no sense for the classes.

        Raises:
            UserError: They are mirrored, and left and right matter.
        """
        if views.flip and self.sided_classes:
            raise UserError(
                f"views.flip mirrors clips, but left and right matter to the class "
                f"{self.sided_classes[0]}; leave it out"
            )

    def ranked(self, path: Path | None, answer: Answer) -> Prediction:
        """An answer with the names of the classes, the most probable first."""
        scores_K = answer.probabilities
        ranking = tuple((self.classes[k], float(scores_K[k])) for k in np.argsort(-scores_K, kind="stable"))
        return Prediction(path, ranking, none_of_these=answer.none_of_these)


def clip_prediction(clip: Clip, answer: Answer | VideoError) -> ClipPrediction:
    """What evaluation keeps of one clip."""
    group = (clip.group or None) if clip.group_known else None
    if isinstance(answer, VideoError):
        return ClipPrediction(clip.id, str(clip.path), clip.label, group, None, answer.reason)
    return ClipPrediction(
        clip.id,
        str(clip.path),
        clip.label,
        group,
        answer.probabilities,
        familiarity=answer.familiarity,
        none_of_these=answer.none_of_these,
    )


def _whole_file(path: Path, *, start_seconds: float | None = None, end_seconds: float | None = None) -> Clip:
    return Clip(path=path, label="", group="", start_seconds=start_seconds, end_seconds=end_seconds)


def _path(source: Source) -> Path | None:
    return source.path if isinstance(source, Clip) else None
