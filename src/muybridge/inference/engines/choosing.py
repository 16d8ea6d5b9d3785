"""Choosing among a run's exports by what the user asked for."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import torch

from muybridge.errors import UserError
from muybridge.inference.engines.engine import EngineName, Precision
from muybridge.inference.engines.exports import Export, find_exports
from muybridge.inference.engines.openvino_engine import has_bf16
from muybridge.text import did_you_mean

RUNTIMES: dict[EngineName, str] = {"torch": "torch", "onnx": "onnxruntime", "openvino": "openvino"}
"""Module that runs each engine."""

NAMES = ("auto", *get_args(EngineName))


@dataclass(frozen=True)
class Choice:
    """Which export to use, None for the plain model in torch, and why, in words for the user."""

    export: Path | None
    why: str


def choose_export(run: Path, name: str, *, weights_sha256: str, device: torch.device) -> Choice:
    """Find the export that a user means.

    Args:
        run: The run directory.
        name: ``torch``: the plain model. ``onnx`` or ``openvino``: the fastest export for it that passed its check,
            of any precision. An engine with a precision, such as ``openvino-int8``: exactly that, even if its check
            was overruled. ``auto``: the fastest of all that is installed and passed, the plain model included.
        weights_sha256: Of the model in the run; exports of other weights do not count.
        device: Where the plain model would compute; on a GPU ``auto`` takes it, as exports compute on the CPU.

    Raises:
        UserError: If there is no such export; it says how to make it.
    """
    if name == "torch":
        return Choice(None, "engine torch")
    exports = find_exports(run)
    if name in exports:
        if Export.load(exports[name]).source_weights_sha256 != weights_sha256:
            raise UserError(f"{exports[name]} is of other weights than the model of {run}; {_command(run, name)}")
        return Choice(exports[name], f"engine {name}")
    if name not in NAMES:
        if name.rpartition("-")[0] in RUNTIMES and name.rpartition("-")[2] in get_args(Precision):
            raise UserError(f"{run} has no export {name}; {_command(run, name)}")
        raise UserError(f"engine {name} is unknown{did_you_mean(name, [*NAMES, *exports])}")
    loaded = {path: Export.load(path) for path in exports.values()}
    usable, left_out = [], []
    for path, export in loaded.items():
        if name not in ("auto", export.engine):
            continue
        if export.source_weights_sha256 != weights_sha256:
            left_out.append(f"{export.name} is of other weights")
        elif not export.parity.passed:
            left_out.append(f"{export.name} did not pass its check")
        elif name == "auto" and find_spec(RUNTIMES[export.engine]) is None:
            left_out.append(f"{export.name} needs pip install 'muybridge[{export.engine}]'")
        elif name == "auto" and export.name == "openvino-bf16" and not has_bf16():
            left_out.append(f"{export.name} needs a processor with bfloat16")
        else:
            usable.append((export.latency.ratio, path))
    remarks = f" (left out: {'; '.join(left_out)})" if left_out else ""
    if name != "auto":
        if not usable:
            raise UserError(f"{run} has no usable export for {name}{remarks}; {_command(run, name)}")
        path = max(usable)[1]
        return Choice(path, f"engine {path.name}{remarks}")
    if device.type != "cpu":
        return Choice(None, f"engine torch: exports compute on the CPU, torch on {device.type}")
    if usable and max(usable)[0] > 1:
        ratio, path = max(usable)
        return Choice(path, f"engine {path.name}, {ratio:.1f} times as fast as torch when it was exported{remarks}")
    return Choice(None, f"engine torch: {'no faster export' if loaded else 'nothing is exported'}{remarks}")


def _command(run: Path, name: str) -> str:
    engine, _, precision = name.partition("-")
    extra = f" --precision {precision}" if precision else ""
    return f"make it with: muybridge export {run} --to {engine}{extra}"
