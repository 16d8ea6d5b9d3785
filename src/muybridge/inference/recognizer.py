"""A trained recognizer on video files: frames in, named scores out.

Notable: what a prediction needs (classes, sampler, size, pixel scaling) is saved with the weights, so a model
sees a new clip exactly as it saw its training clips. Decoding runs in threads ahead of the network.

Axes: B batch, T frames, H, W, C (RGB), K classes, V views.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from muybridge.allocator import keep_freed_memory
from muybridge.cores import available_cores
from muybridge.dataset.catalog import Clip
from muybridge.errors import UserError
from muybridge.evaluation.predictions import ClipPrediction
from muybridge.inference.voting import vote
from muybridge.models.recognizer import RecognizerNet
from muybridge.models.saving import load_recognizer, save_recognizer
from muybridge.pipeline.loader import Item, collate
from muybridge.video.decoding import read_sampled
from muybridge.video.errors import VideoError
from muybridge.video.sampling import Sampler, sampler_from_dict

Frames = npt.NDArray[np.uint8]
Scores = npt.NDArray[np.float64]
Windows = Literal["one", "all"]
Combine = Literal["mean", "vote"]


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


class Recognizer:
    """A trained network with all that it needs to read a video.

    Args:
        net: The network.
        classes: Names of its K classes.
        sampler: Which frames of a clip it sees.
        size_px: Side of the square frames.
        windows: ``"all"`` if a prediction combines all windows of a clip (a `SlidingSampler`'s), else ``"one"``.
        combine: How the scores of several windows or views become one.
        device: Where it computes; default: a GPU if there is one.
    """

    def __init__(
        self,
        net: RecognizerNet,
        *,
        classes: Sequence[str],
        sampler: Sampler,
        size_px: int,
        windows: Windows = "one",
        combine: Combine = "mean",
        device: str | None = None,
    ) -> None:
        keep_freed_memory()
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.net = net.to(self.device).eval()
        self.classes = tuple(classes)
        self.sampler = sampler
        self.size_px = size_px
        self.windows = windows
        self.combine = combine

    @classmethod
    def load(cls, folder: Path, *, device: str | None = None) -> "Recognizer":
        """Load a run, or the model folder inside one.

        Raises:
            UserError: If there is no whole model there.
        """
        if (folder / "model").is_dir():
            folder = folder / "model"
        net, metadata = load_recognizer(folder)
        preprocessing = metadata.preprocessing
        return cls(
            net,
            classes=metadata.classes,
            sampler=sampler_from_dict(preprocessing["sampler"]),
            size_px=preprocessing["size_px"],
            # Models saved before these two existed use one window.
            windows=preprocessing.get("windows", "one"),
            combine=preprocessing.get("combine", "mean"),
            device=device,
        )

    def save(self, folder: Path) -> None:
        """Save the network with its classes and preprocessing."""
        preprocessing: dict[str, Any] = {
            "sampler": self.sampler.to_dict(),
            "size_px": self.size_px,
            "windows": self.windows,
            "combine": self.combine,
        }
        save_recognizer(folder, self.net, classes=self.classes, preprocessing=preprocessing)

    def predict(self, video: str | Path, *, views: int | None = None) -> Prediction:
        """Recognise the action in a video file.

        Args:
            video: The file; the whole of it is taken as one clip.
            views: How many samplings of the clip to combine; default: one, or all windows, as in training.

        Returns:
            All classes with their probabilities.

        Raises:
            VideoError: If the file does not decode.
        """
        clip = _whole_file(Path(video))
        return self._rank(clip.path, self._probabilities(self._views(clip, views)))

    def predict_files(
        self, paths: Sequence[Path], *, views: int | None = None, workers: int | None = None
    ) -> Iterator[Prediction]:
        """Recognise many videos, in order; one that does not decode gives a prediction with its error.

        Args:
            paths: The files.
            views: As in ``predict``.
            workers: Threads that decode ahead of the network; default: one per core.
        """
        for clip, probabilities_K, error in self._score(
            [_whole_file(path) for path in paths], views=views, workers=workers
        ):
            yield (
                Prediction(clip.path, (), error) if probabilities_K is None else self._rank(clip.path, probabilities_K)
            )

    def predict_clips(
        self, clips: Sequence[Clip], *, views: int | None = None, workers: int | None = None
    ) -> Iterator[ClipPrediction]:
        """Recognise labelled clips, in order, for evaluation; arguments as in ``predict_files``."""
        for clip, probabilities_K, error in self._score(clips, views=views, workers=workers):
            yield ClipPrediction(
                clip_id=clip.id,
                path=str(clip.path),
                label=clip.label,
                group=clip.group or None,
                probabilities=probabilities_K,
                error=error,
            )

    def _rank(self, path: Path, probabilities_K: Scores) -> Prediction:
        order = np.argsort(-probabilities_K, kind="stable")
        return Prediction(path, tuple((self.classes[k], float(probabilities_K[k])) for k in order))

    def _score(
        self, clips: Sequence[Clip], *, views: int | None, workers: int | None
    ) -> Iterator[tuple[Clip, Scores | None, str | None]]:
        """Probabilities of each clip, or why there are none; threads decode ahead of the network."""
        workers = workers or available_cores()
        waiting: deque[tuple[Clip, Future[list[Frames]]]] = deque()
        upcoming = iter(clips)
        with ThreadPoolExecutor(workers) as pool:
            try:
                while True:
                    # A short queue: enough to keep the threads busy, little enough to keep memory flat.
                    while len(waiting) < 2 * workers and (clip := next(upcoming, None)) is not None:
                        waiting.append((clip, pool.submit(self._views, clip, views)))
                    if not waiting:
                        return
                    clip, future = waiting.popleft()
                    try:
                        frames = future.result()
                    except VideoError as failure:
                        yield clip, None, failure.reason
                    else:
                        yield clip, self._probabilities(frames), None
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _views(self, clip: Clip, views: int | None) -> list[Frames]:
        if views is None and self.windows == "one":
            views = 1
        if views is not None and views < 1:
            raise UserError(f"--views is {views}; give 1 or more")
        sampled = read_sampled(
            clip.path,
            self.sampler,
            views=views,
            size_px=self.size_px,
            start_seconds=clip.start_seconds,
            end_seconds=clip.end_seconds,
        )
        return [sampled.frames_THWC[positions] for positions in sampled.views]

    @torch.inference_mode()
    def _probabilities(self, views: list[Frames]) -> Scores:
        """Class probabilities of one clip from those of its views."""
        batch = collate([Item(frames_THWC, 0) for frames_THWC in views])
        logits_VK = self.net(batch.frames_BTHWC.to(self.device), batch.lengths_B.to(self.device))
        probabilities_VK = logits_VK.double().softmax(dim=1).cpu().numpy()
        return vote(probabilities_VK) if self.combine == "vote" else np.asarray(probabilities_VK.mean(axis=0))


def _whole_file(path: Path) -> Clip:
    return Clip(path=path, label="", group="")
