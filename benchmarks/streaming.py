"""What a frame costs on one thread: MoViNet-A0 frame by frame and in whole clips, next to MobileNet and I3D.

    MUYBRIDGE_WEIGHTS=FOLDER python benchmarks/streaming.py [--rounds 7] [--frames 16]

Encoders run in fp32, prepared as for encoding and answering, from pixels to pooled features, in turns in one process.
Printed is CPU time per frame in milliseconds (median, 10 % and 90 %), because time on the clock says more about what
else runs.
"""

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor

from common import show
from muybridge.models.network import RecognizerNet, build
from muybridge.models.prepared import prepared_copy
from muybridge.recipes.model import ModelConfig


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--frames", type=int, default=16)
    options = parser.parse_args()
    torch.set_num_threads(1)

    movinet = _net("movinet_a0", encoder_output="maps+hidden")
    jobs: dict[str, Callable[[], object]] = {
        f"{movinet.config.encoder} 172 px, streamed": _streamed(movinet, _clip(options.frames, 172)),
        f"{movinet.config.encoder} 172 px, whole clips": _whole(movinet, _clip(options.frames, 172)),
    }
    for encoder, size_px in (("mobilenet", 192), ("efficientnet_lite0", 192), ("i3d", 160)):
        jobs[f"{encoder} {size_px} px"] = _whole(_net(encoder), _clip(options.frames, size_px))

    times: dict[str, list[float]] = {name: [] for name in jobs}
    with torch.inference_mode():
        for number in range(options.rounds + 1):
            for name, job in jobs.items():
                before = time.process_time()
                job()
                if number:  # the first round warms up
                    times[name].append((time.process_time() - before) * 1000 / options.frames)
    for name, values in times.items():
        show(name, values)


def _net(encoder: str, **options: str) -> RecognizerNet:
    net = build(ModelConfig(encoder=encoder, head="mean", trainable="none", **options), 2).eval()  # type: ignore[arg-type]
    return prepared_copy(net, _clip(16, 224), bf16=False)


def _clip(frame_count: int, size_px: int) -> Tensor:
    return torch.randint(0, 256, (1, frame_count, size_px, size_px, 3), dtype=torch.uint8)


def _whole(net: RecognizerNet, clip_BTHWC: Tensor) -> Callable[[], object]:
    return lambda: net.encode(clip_BTHWC)


def _streamed(net: RecognizerNet, clip_BTHWC: Tensor) -> Callable[[], object]:
    def run() -> None:
        state = None
        for frame_BTHWC in clip_BTHWC.split(1, dim=1):
            _, state = net.encode_stream(frame_BTHWC, state)

    return run


if __name__ == "__main__":
    main()
