"""The public door: every verb as a function, every result as a dataclass.

Names are looked up when they are first used (PEP 562), because torch takes seconds to import and ``--help`` should
not wait for it.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from muybridge.errors import Interrupted, UserError, VideoError
    from muybridge.evaluation.evaluation import Evaluation
    from muybridge.experiment.complete import TrainResult
    from muybridge.inference.ensemble import Ensemble
    from muybridge.inference.loading import load
    from muybridge.inference.recognizer import Recognizer
    from muybridge.inference.trained_model import Prediction
    from muybridge.inference.views import Views
    from muybridge.recipes.data import DataConfig
    from muybridge.recipes.recipe import Recipe
    from muybridge.recipes.store import LIST_STYLE as LIST_STYLE
    from muybridge.recipes.store import load_recipe
    from muybridge.recipes.store import read_values as read_values
    from muybridge.recipes.store import recipe_config as recipe_config
    from muybridge.reporting.job import report
    from muybridge.verbs.cache import CacheContents, CachedDataset, ClearedCache, cache_contents, clear_cache
    from muybridge.verbs.check import CheckResult, check
    from muybridge.verbs.demo.job import DemoResult, demo
    from muybridge.verbs.ensemble.job import ensemble
    from muybridge.verbs.ensemble.result import EnsembleResult
    from muybridge.verbs.evaluate import evaluate
    from muybridge.verbs.export.job import ExportResult, export
    from muybridge.verbs.get.job import GetResult, get
    from muybridge.verbs.list_runs import RunAccuracy, RunList, RunSummary, list_runs
    from muybridge.verbs.predict import predict
    from muybridge.verbs.sweep.job import sweep
    from muybridge.verbs.sweep.results import SweepResult
    from muybridge.verbs.train.default_recipe import available_recipe as available_recipe
    from muybridge.verbs.train.job import resume, train
    from muybridge.verbs.train.profile import profile as profile

_HOMES = {
    # For the command line alone.
    "LIST_STYLE": "muybridge.recipes.store",
    "available_recipe": "muybridge.verbs.train.default_recipe",
    "profile": "muybridge.verbs.train.profile",
    "read_values": "muybridge.recipes.store",
    "recipe_config": "muybridge.recipes.store",
    # For everybody.
    "cache_contents": "muybridge.verbs.cache",
    "CacheContents": "muybridge.verbs.cache",
    "CachedDataset": "muybridge.verbs.cache",
    "clear_cache": "muybridge.verbs.cache",
    "ClearedCache": "muybridge.verbs.cache",
    "list_runs": "muybridge.verbs.list_runs",
    "RunAccuracy": "muybridge.verbs.list_runs",
    "RunList": "muybridge.verbs.list_runs",
    "RunSummary": "muybridge.verbs.list_runs",
    "check": "muybridge.verbs.check",
    "CheckResult": "muybridge.verbs.check",
    "DataConfig": "muybridge.recipes.data",
    "demo": "muybridge.verbs.demo.job",
    "DemoResult": "muybridge.verbs.demo.job",
    "Ensemble": "muybridge.inference.ensemble",
    "ensemble": "muybridge.verbs.ensemble.job",
    "EnsembleResult": "muybridge.verbs.ensemble.result",
    "evaluate": "muybridge.verbs.evaluate",
    "Evaluation": "muybridge.evaluation.evaluation",
    "export": "muybridge.verbs.export.job",
    "ExportResult": "muybridge.verbs.export.job",
    "get": "muybridge.verbs.get.job",
    "GetResult": "muybridge.verbs.get.job",
    "Interrupted": "muybridge.errors",
    "load": "muybridge.inference.loading",
    "load_recipe": "muybridge.recipes.store",
    "predict": "muybridge.verbs.predict",
    "Prediction": "muybridge.inference.trained_model",
    "Recipe": "muybridge.recipes.recipe",
    "Recognizer": "muybridge.inference.recognizer",
    "report": "muybridge.reporting.job",
    "resume": "muybridge.verbs.train.job",
    "sweep": "muybridge.verbs.sweep.job",
    "SweepResult": "muybridge.verbs.sweep.results",
    "train": "muybridge.verbs.train.job",
    "TrainResult": "muybridge.experiment.complete",
    "UserError": "muybridge.errors",
    "VideoError": "muybridge.errors",
    "Views": "muybridge.inference.views",
}
__all__ = [
    "CacheContents",
    "CachedDataset",
    "CheckResult",
    "ClearedCache",
    "DataConfig",
    "DemoResult",
    "Ensemble",
    "EnsembleResult",
    "Evaluation",
    "ExportResult",
    "GetResult",
    "Interrupted",
    "Prediction",
    "Recipe",
    "Recognizer",
    "RunAccuracy",
    "RunList",
    "RunSummary",
    "SweepResult",
    "TrainResult",
    "UserError",
    "VideoError",
    "Views",
    "cache_contents",
    "check",
    "clear_cache",
    "demo",
    "ensemble",
    "evaluate",
    "export",
    "get",
    "list_runs",
    "load",
    "load_recipe",
    "predict",
    "report",
    "resume",
    "sweep",
    "train",
]


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module 'muybridge.api' has no attribute {name!r}")
        return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
