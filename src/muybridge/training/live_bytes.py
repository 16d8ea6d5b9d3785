"""The bytes of all tensors that are alive at once.

Notable: the one place that uses a name of torch without a promise: ``torch.utils._python_dispatch.TorchDispatchMode``,
which torch's own guide to extending it describes. It holds for torch 2.6 to 2.13, and a test counts with it.
"""

import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within, counts the bytes of all tensors that are made, while they live.

    Attributes:
        now: Bytes alive.
        peak: Most of them at once.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now: int = 0
        self.peak: int = 0
        self._known: dict[int, weakref.finalize[[int, int], Any]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and count what it made."""
        result = func(*args, **(kwargs or {}))
        for tensor in _tensors(result):
            self._add(tensor.untyped_storage())
        return result

    def _add(self, storage: torch.UntypedStorage) -> None:
        # torch keeps one Python object per storage for as long as the storage lives.
        key = id(storage)
        if key not in self._known:
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
            self._known[key] = weakref.finalize(storage, self._drop, key, storage.nbytes())

    def _drop(self, key: int, size: int) -> None:
        del self._known[key]
        self.now -= size


def _tensors(result: Any) -> Iterable[Tensor]:
    """The tensors in what an operation returns: one, or a nested tuple or list of them and of other things."""
    if isinstance(result, Tensor):
        yield result
    elif isinstance(result, tuple | list):
        for item in result:
            yield from _tensors(item)
