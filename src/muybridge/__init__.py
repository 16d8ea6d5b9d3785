"""Action recognition from video: a CNN per frame and a network over time.

``muybridge.load(run).predict("clip.avi")`` names the action in a video; ``train`` and ``evaluate`` are the main
jobs. They are imported when they are first used, because torch takes seconds to import.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from muybridge.api import ensemble as ensemble
    from muybridge.api import evaluate as evaluate
    from muybridge.api import export as export
    from muybridge.api import load as load
    from muybridge.api import report as report
    from muybridge.api import sweep as sweep
    from muybridge.api import train as train
    from muybridge.inference.ensemble import Ensemble as Ensemble
    from muybridge.inference.model import Prediction as Prediction
    from muybridge.inference.recognizer import Recognizer as Recognizer
    from muybridge.inference.views import Views as Views
    from muybridge.recipes.loading import load_recipe as load_recipe
    from muybridge.recipes.recipe import Recipe as Recipe

_HOMES = {
    "ensemble": "muybridge.api",
    "evaluate": "muybridge.api",
    "export": "muybridge.api",
    "load": "muybridge.api",
    "report": "muybridge.api",
    "sweep": "muybridge.api",
    "train": "muybridge.api",
    "Ensemble": "muybridge.inference.ensemble",
    "Prediction": "muybridge.inference.model",
    "Recognizer": "muybridge.inference.recognizer",
    "Views": "muybridge.inference.views",
    "load_recipe": "muybridge.recipes.loading",
    "Recipe": "muybridge.recipes.recipe",
}
__all__ = sorted(_HOMES)  # pyright: ignore


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'muybridge' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
