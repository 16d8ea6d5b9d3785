"""Training on a Ray cluster: Ray Train starts the processes and ends them together; the rest is as with torchrun.

Notable: clips, cache and run directory must be where every machine of the cluster finds them under the same path. What
the first process prints comes through Ray, which puts the worker's name in front.
"""

import os
import pickle
import tempfile
from pathlib import Path
from typing import Any

from muybridge.errors import Interrupted, UserError
from muybridge.experiment.complete import TrainResult
from muybridge.ray_cluster import cluster_for, require_ray
from muybridge.verbs.train.calls import Call, Processes


def run_on_ray(call: Call, processes: Processes) -> TrainResult:
    """Make a call in processes that Ray Train starts, and return its result.

    Raises:
        UserError: If Ray is not installed, or a process ends before the work is done.
    """
    require_ray("ray.train.torch")
    from ray.train import RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer
    from ray.util.queue import Queue

    cluster = cluster_for(call.values["device"], quiet=False)
    answers = Queue(maxsize=1)
    words = {"call": pickle.dumps(call), "folder": str(Path.cwd()), "answers": answers}
    with tempfile.TemporaryDirectory(prefix="muybridge-ray-") as storage:
        trainer = TorchTrainer(
            _work,
            train_loop_config=words,
            scaling_config=ScalingConfig(
                num_workers=(processes.device_count or 1) * processes.node_count, use_gpu=cluster.gpus > 0
            ),
            run_config=RunConfig(storage_path=storage),
        )
        failed: Exception | None = None
        try:
            trainer.fit()
        except Exception as error:  # Ray's own, of several kinds
            failed = error
    outcome = None if answers.empty() else pickle.loads(answers.get())
    if isinstance(outcome, TrainResult):
        return outcome
    if isinstance(outcome, BaseException):
        raise outcome
    why = " ".join(str(failed).split())[:300] if failed is not None else "its first process gave no answer"
    raise UserError(f"Ray ended the training: {why}; continue it with: muybridge train --resume RUN") from failed


def _work(words: dict[str, Any]) -> None:
    """What each of Ray's workers runs."""
    os.chdir(words["folder"])
    call: Call = pickle.loads(words["call"])
    try:
        outcome: Any = call.make()
    except (UserError, Interrupted) as error:
        outcome = error
    except SystemExit as left:  # another process is lost, and the first one says so
        raise RuntimeError(f"this process ended with code {left.code}") from left
    if os.environ.get("RANK", "0") == "0":
        words["answers"].put(pickle.dumps(outcome))
