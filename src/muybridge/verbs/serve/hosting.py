"""The models of a server: each loaded once, under a name, for all requests."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from muybridge.errors import UserError
from muybridge.evaluation.phrases import span
from muybridge.evaluation.run_accuracy import kept_accuracy
from muybridge.inference.ensemble import Ensemble
from muybridge.inference.loading import load
from muybridge.inference.recognizer import Recognizer
from muybridge.inference.timeline.live_scoring import LiveScorer
from muybridge.inference.timeline.video_scoring import require_recognizer
from muybridge.recipes.timeline_rules import LIKELIEST_RATE, SegmentRules, WindowConfig
from muybridge.recipes.tuned_rules import chosen_rules
from muybridge.remote_runs import local_run
from muybridge.runs import RunFolder
from muybridge.text import did_you_mean, percent, printable
from muybridge.verbs.serve.batching import Batcher
from muybridge.verbs.serve.refusal import RefusalError


@dataclass(eq=False)
class HostedModel:
    """A model that is served.

    Attributes:
        name: What clients call it.
        path: Its run or model folder.
        model: It.
        batcher: Answers for clips.
        windows: How long videos are looked at.
        rules: How their scores become segments.
        accuracy: What it gets right on clips held out, in words; None where that was not measured.
        frames_per_second: How often it looks at a long video or a stream.
        look_ahead_seconds: How far behind the newest frame of a stream the moment lies that a score is of.
    """

    name: str
    path: Path
    model: Recognizer | Ensemble
    batcher: Batcher
    windows: WindowConfig = field(default_factory=WindowConfig)
    rules: SegmentRules = field(default_factory=SegmentRules)
    accuracy: str | None = None
    frames_per_second: float = LIKELIEST_RATE
    look_ahead_seconds: float = 0.0

    def look_live(self) -> LiveScorer:
        """Begin a live stream.

        Raises:
            UserError: The model cannot take it.
        """
        return LiveScorer(self.recognizer, self.windows, self.rules)

    @property
    def recognizer(self) -> Recognizer:
        """The model, where it can look at long videos: in torch, which sees each frame once.

        Raises:
            UserError: It cannot.
        """
        return require_recognizer(self.model, self.path).in_torch()

    def require_recognizer(self) -> Recognizer:
        """The same for a request.

        Raises:
            RefusalError: It cannot.
        """
        try:
            return self.recognizer
        except UserError:
            raise RefusalError(
                422, f"{self.name} is an ensemble, which serves clips alone; ask a model that is none"
            ) from None

    def to_dict(self) -> dict[str, Any]:
        """What clients see."""
        config = self.model.net.config if isinstance(self.model, Recognizer) else None
        members = list(self.model.members) if isinstance(self.model, Ensemble) else []
        return {
            "name": self.name,
            "classes": list(self.model.classes),
            "encoder": f"ensemble of {', '.join(members)}" if config is None else config.encoder,
            "head": self.model.combination.rule if isinstance(self.model, Ensemble) else str(config and config.head),
            "frames_per_second": self.frames_per_second,
            "window_seconds": self.windows.window_seconds,
            "look_ahead_seconds": round(self.look_ahead_seconds, 3),
            "none_of_these": isinstance(self.model, Recognizer) and self.model.rejection is not None,
            "accuracy": self.accuracy,
        }


class Models:
    """All models of a server, the first of which answers where a request names none."""

    def __init__(self, models: Sequence[HostedModel]) -> None:
        self._models = {model.name: model for model in models}
        self.default = models[0]

    def __iter__(self) -> Iterator[HostedModel]:
        return iter(self._models.values())

    def get(self, name: str | None) -> HostedModel:
        """A model by its name.

        Raises:
            RefusalError: There is none of that name.
        """
        if not name:
            return self.default
        model = self._models.get(name)
        if model is None:
            raise RefusalError(404, f"there is no model {printable(name)!r}{did_you_mean(name, self._models)}")
        return model

    def close(self) -> None:
        """End what computes."""
        with ExitStack() as ending:
            for model in self._models.values():
                ending.callback(model.batcher.close)


def load_models(
    runs: Sequence[Path],
    *,
    engine: str,
    device: str,
    announce: Callable[[str], None],
    on_batch: Callable[[str, int], None] | None = None,
) -> Models:
    """Load models, each under the name of its folder.

    Raises:
        UserError: There is no whole model in one of them.
    """
    models: list[HostedModel] = []
    names: set[str] = set()
    with ExitStack() as on_error:
        for run in runs:
            name = _free_name(run, names)
            model = load(run, device=device, engine=engine, announce=partial(_announce, announce, name))
            _, windows, rules = chosen_rules(run, None, None)
            counted = None if on_batch is None else partial(on_batch, name)
            batcher = Batcher(model, on_batch=counted)
            on_error.callback(batcher.close)
            hosted = HostedModel(name, run, model, batcher, windows=windows, rules=rules, accuracy=_accuracy(run))
            if isinstance(model, Recognizer):
                live = hosted.look_live()
                hosted.frames_per_second, hosted.look_ahead_seconds = live.frames_per_second, live.look_ahead_seconds
            models.append(hosted)
        on_error.pop_all()
    return Models(models)


def _announce(announce: Callable[[str], None], name: str, why: str) -> None:
    announce(f"{name}: {why}")


def _free_name(run: Path, taken: set[str]) -> str:
    path = run.resolve()
    stem = printable(path.parent.name if path.name == "model" else path.name) or "model"
    name, number = stem, 2
    while name in taken:
        name, number = f"{stem}-{number}", number + 1
    taken.add(name)
    return name


def _accuracy(run: Path) -> str | None:
    """What the run's own measurement says."""
    kept = kept_accuracy(RunFolder(local_run(run)))
    if kept is None:
        return None
    return f"{percent(kept.value)} ({span(kept.interval)}; {kept.correct} of {kept.clips} test clips)"
