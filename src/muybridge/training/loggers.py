"""Who gets the figures of a training besides its run directory: TensorBoard, Weights & Biases or MLflow.

Notable: metrics.csv is written whatever is chosen; these are extras, for people who look at many trainings in one of
them. All go through Lightning, and none is needed to train.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, get_args

from muybridge.errors import UserError
from muybridge.runs import RunFolder
from muybridge.text import did_you_mean

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger

LoggerName = Literal["csv", "tensorboard", "wandb", "mlflow"]

PROJECT = "muybridge"
"""What all trainings are filed under."""


def check_logger(name: str) -> None:
    """Make sure that a logger is known and installed.

    Raises:
        UserError: If it is not.
    """
    known = get_args(LoggerName)
    if name not in known:
        raise UserError(f"logger {name} is unknown{did_you_mean(name, known)}")
    if name != "csv" and find_spec(name) is None:
        raise UserError(f"logger {name} is not installed: pip install 'muybridge[{name}]'")


@contextmanager
def logging_to(name: LoggerName, run: RunFolder, recipe: Mapping[str, Any]) -> Iterator["Logger | None"]:
    """Lightning's logger for one training; None for ``csv``, as metrics.csv is written anyway.

    Args:
        name: Which one; see ``check_logger``.
        run: TensorBoard's files go into it, those of Weights & Biases, too. MLflow's are in ``mlflow.db`` next to it,
            so that one page shows all runs, or where ``MLFLOW_TRACKING_URI`` says.
        recipe: All options, shown as hyperparameters.
    """
    if name == "csv":
        yield None
        return
    from lightning.pytorch.loggers import MLFlowLogger, TensorBoardLogger, WandbLogger  # two seconds

    if name == "tensorboard":
        logger: Any = TensorBoardLogger(run.path, name="tensorboard", version="", default_hp_metric=False)
    elif name == "wandb":
        # The same for a training that is resumed, which then goes on in the same place.
        identity = sha256(str(run.path.resolve()).encode() + run.split.read_bytes()).hexdigest()[:16]
        project = os.environ.get("WANDB_PROJECT", PROJECT)
        logger = WandbLogger(project=project, name=run.path.name, id=identity, save_dir=run.path, resume="allow")
    else:
        here = f"sqlite:///{(run.path.parent / 'mlflow.db').resolve()}"
        place = os.environ.get("MLFLOW_TRACKING_URI", here)
        logger = MLFlowLogger(experiment_name=PROJECT, run_name=run.path.name, tracking_uri=place)
    logger.log_hyperparams(recipe)
    try:
        yield logger
    finally:
        if name == "wandb":
            logger.experiment.finish()  # else the next training of this process would go on in it
