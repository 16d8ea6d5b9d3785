"""Action recognition from video: a CNN per frame and a network over time.

``muybridge.load(run).predict("clip.avi")`` names the action in a video; ``train`` and ``evaluate`` are the main
jobs. They are imported when they are first used, because torch takes seconds to import. ``dir(muybridge)`` lists them.
"""

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from muybridge.api import *  # noqa: F403

    __version__: str
else:

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            return importlib.import_module("importlib.metadata").version("muybridge")
        api = importlib.import_module("muybridge.api")
        if name == "__all__":
            return [*api.__all__, "__version__"]
        if name not in api.__all__:
            # With the module in it, the interpreter adds the closest name to its traceback.
            raise AttributeError(f"module 'muybridge' has no attribute {name!r}", name=name, obj=sys.modules[__name__])
        return getattr(api, name)

    def __dir__() -> list[str]:
        return [*importlib.import_module("muybridge.api").__all__, "__version__"]
