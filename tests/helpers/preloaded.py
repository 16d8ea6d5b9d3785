"""What commands import, once for all of them; see `faults.Commands`."""

import lightning.pytorch
import torch

import muybridge.cli
import muybridge.evaluation.plots
import muybridge.verbs.check
import muybridge.verbs.ensemble.job
import muybridge.verbs.evaluate
import muybridge.verbs.export.job
import muybridge.verbs.predict.job
import muybridge.verbs.train.job

torch.set_num_threads(1)
__all__ = ["lightning", "muybridge", "torch"]
