"""The public door: every verb as a function, every result as a dataclass.

Names are looked up when they are first used (PEP 562), because torch takes seconds to import and ``--help`` should
not wait for it. There is one list of them, the imports below: type checkers read it as such, and ``_homes`` reads
it from the source to learn where each name lives.
"""

import ast
import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from muybridge.checking.checking import CheckReport as CheckReport
    from muybridge.dataset.locating import exists as exists
    from muybridge.dataset.segments import Annotations as Annotations
    from muybridge.dataset.segments import Segment as Segment
    from muybridge.dataset.shard_index import holds_features as holds_features
    from muybridge.errors import Interrupted as Interrupted
    from muybridge.errors import NotSavedError as NotSavedError
    from muybridge.errors import UserError as UserError
    from muybridge.errors import VideoError as VideoError
    from muybridge.evaluation.evaluation import Evaluation as Evaluation
    from muybridge.evaluation.run_accuracy import RunAccuracy as RunAccuracy
    from muybridge.evaluation.segment_evaluation import SegmentEvaluation as SegmentEvaluation
    from muybridge.experiment.check_features import FeatureCheck as FeatureCheck
    from muybridge.experiment.check_features import check_features as check_features
    from muybridge.experiment.complete import TrainResult as TrainResult
    from muybridge.inference.answers import Prediction as Prediction
    from muybridge.inference.ensemble import Ensemble as Ensemble
    from muybridge.inference.loading import load as load
    from muybridge.inference.recognizer import Recognizer as Recognizer
    from muybridge.inference.views import Views as Views
    from muybridge.pieces.whole_job import ManyResult as ManyResult
    from muybridge.recipes.augment import AugmentConfig as AugmentConfig
    from muybridge.recipes.cache import CacheConfig as CacheConfig
    from muybridge.recipes.data import DataConfig as DataConfig
    from muybridge.recipes.frames import SamplerConfig as SamplerConfig
    from muybridge.recipes.listing import Measured as Measured
    from muybridge.recipes.listing import RecipeInfo as RecipeInfo
    from muybridge.recipes.listing import describe_recipe as describe_recipe
    from muybridge.recipes.listing import describe_recipes as describe_recipes
    from muybridge.recipes.listing import list_recipes as list_recipes
    from muybridge.recipes.model import ModelConfig as ModelConfig
    from muybridge.recipes.recipe import Recipe as Recipe
    from muybridge.recipes.store import LIST_STYLE as LIST_STYLE
    from muybridge.recipes.store import load_recipe as load_recipe
    from muybridge.recipes.store import read_values as read_values
    from muybridge.recipes.store import recipe_config as recipe_config
    from muybridge.recipes.timeline_rules import SegmentRules as SegmentRules
    from muybridge.recipes.timeline_rules import WindowConfig as WindowConfig
    from muybridge.recipes.training import TrainingConfig as TrainingConfig
    from muybridge.recipes.tuned_rules import tuned_values as tuned_values
    from muybridge.reporting.job import report as report
    from muybridge.verbs.annotations import AnnotationsResult as AnnotationsResult
    from muybridge.verbs.annotations import annotations as annotations
    from muybridge.verbs.cache import CacheContents as CacheContents
    from muybridge.verbs.cache import CachedDataset as CachedDataset
    from muybridge.verbs.cache import ClearedCache as ClearedCache
    from muybridge.verbs.cache import cache_contents as cache_contents
    from muybridge.verbs.cache import clear_cache as clear_cache
    from muybridge.verbs.check import CheckResult as CheckResult
    from muybridge.verbs.check import check as check
    from muybridge.verbs.demo.job import DemoResult as DemoResult
    from muybridge.verbs.demo.job import demo as demo
    from muybridge.verbs.encode import encode as encode
    from muybridge.verbs.ensemble.job import ensemble as ensemble
    from muybridge.verbs.ensemble.result import EnsembleResult as EnsembleResult
    from muybridge.verbs.evaluate import evaluate as evaluate
    from muybridge.verbs.export.job import export as export
    from muybridge.verbs.export.result import ExportResult as ExportResult
    from muybridge.verbs.get.job import GetResult as GetResult
    from muybridge.verbs.get.job import get as get
    from muybridge.verbs.list_runs import RunList as RunList
    from muybridge.verbs.list_runs import RunSummary as RunSummary
    from muybridge.verbs.list_runs import list_runs as list_runs
    from muybridge.verbs.pack.job import pack as pack
    from muybridge.verbs.pack.result import PackResult as PackResult
    from muybridge.verbs.predict.job import predict as predict
    from muybridge.verbs.predict.many import predict_many as predict_many
    from muybridge.verbs.push.job import PushResult as PushResult
    from muybridge.verbs.push.job import push as push
    from muybridge.verbs.serve.config import ServeConfig as ServeConfig
    from muybridge.verbs.serve.job import serve as serve
    from muybridge.verbs.sweep.job import sweep as sweep
    from muybridge.verbs.sweep.results import SweepResult as SweepResult
    from muybridge.verbs.timeline.job import timeline as timeline
    from muybridge.verbs.timeline.result import TimelineResult as TimelineResult
    from muybridge.verbs.timeline.result import VideoTimeline as VideoTimeline
    from muybridge.verbs.train.default_recipe import available_recipe as available_recipe
    from muybridge.verbs.train.job import recipe_of as recipe_of
    from muybridge.verbs.train.job import resume as resume
    from muybridge.verbs.train.job import train as train
    from muybridge.verbs.train.profile import profile as profile
    from muybridge.verbs.unpack import UnpackResult as UnpackResult
    from muybridge.verbs.unpack import unpack as unpack
    from muybridge.verbs.watch.job import watch as watch
    from muybridge.verbs.watch.result import WatchResult as WatchResult
    from muybridge.video.door import VideoFrames as VideoFrames
    from muybridge.video.door import read_frames as read_frames
    from muybridge.video.door import read_views as read_views
    from muybridge.video.sampling import DenseSampler as DenseSampler
    from muybridge.video.sampling import EverySampler as EverySampler
    from muybridge.video.sampling import SlidingSampler as SlidingSampler
    from muybridge.video.sampling import UniformSampler as UniformSampler

_FOR_THE_COMMAND_LINE = {
    "LIST_STYLE",
    "available_recipe",
    "describe_recipe",
    "describe_recipes",
    "exists",
    "holds_features",
    "read_values",
    "recipe_of",
    "recipe_config",
    "tuned_values",
}
"""What is no part of the public door."""


def _homes() -> dict[str, str]:
    """The module of each name that is imported above.

    Raises:
        ImportError: The package was installed without its sources.
    """
    assert __spec__ is not None and __spec__.loader is not None
    source = __spec__.loader.get_source(__name__)  # type: ignore[attr-defined] # every loader of source files has it
    if source is None:
        raise ImportError("muybridge finds its names in its own sources, which are missing; install it with them")
    imports = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    return {
        alias.name: node.module
        for node in imports
        for alias in node.names
        if node.module and node.module.startswith("muybridge.")
    }


if not TYPE_CHECKING:
    _HOMES = _homes()
    __all__ = sorted(set(_HOMES) - _FOR_THE_COMMAND_LINE)

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module 'muybridge' has no attribute {name!r}")
        return getattr(importlib.import_module(_HOMES[name]), name)

    def __dir__() -> list[str]:
        return __all__
