"""What happens around an epoch: the table of figures, the line on the screen, a second Ctrl-C."""

import signal
import threading
import time
from collections.abc import Callable
from typing import Any, cast

import lightning as L
from lightning.pytorch.callbacks import Callback
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

from muybridge import ranks
from muybridge.console import duration, progress_on, say
from muybridge.pipeline.batches import ActivationBatch, Batch
from muybridge.training.module import RecognizerModule

Row = dict[str, Any]


class EpochTable(Callback):
    """Collects one row of figures per epoch, and keeps them in the checkpoint so that a resume continues them.

    Args:
        on_epoch: Called with all rows so far after every epoch; True ends the training there.
    """

    def __init__(self, on_epoch: Callable[[list[Row]], bool]) -> None:
        self.rows: list[Row] = []
        self._stopped = False
        self._trainer: L.Trainer | None = None
        self._on_epoch = on_epoch
        self._started = 0.0
        self._before = 0.0  # seconds of an epoch that was interrupted

    def state_dict(self) -> dict[str, Any]:
        """Rows and whether early stopping has spoken."""
        # Early stopping decides after this callback's epoch end, but before the checkpoint asks for this state.
        stopped = self._trainer is not None and self._trainer.should_stop
        return {"rows": self.rows, "stopped": stopped, "seconds": self._seconds()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the rows up where the checkpoint left them."""
        self.rows = list(state_dict["rows"])
        self._stopped = state_dict["stopped"]
        self._before = state_dict.get("seconds", 0.0)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """A run that had stopped early before it was interrupted stays stopped."""
        self._trainer = trainer
        trainer.should_stop = trainer.should_stop or self._stopped
        self._started = time.perf_counter() - self._before  # inside an epoch there is no start of one

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the clock."""
        self._started = time.perf_counter()

    def _seconds(self) -> float:
        return round(time.perf_counter() - self._started, 3)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Add the epoch's row."""
        figures = trainer.callback_metrics
        names = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
        self.rows.append(
            {
                "epoch": trainer.current_epoch + 1,
                # Without validation clips there are no figures of theirs.
                **{name: float(figures[name]) if name in figures else None for name in names},
                "learning_rate": max(group["lr"] for group in trainer.optimizers[0].param_groups),
                "seconds": self._seconds(),
            }
        )
        trainer.should_stop = ranks.broadcast(self._on_epoch(self.rows)) or trainer.should_stop


class EpochLines(Callback):
    """A bar with epoch, batch, clips per second and the time left, and a line for each finished epoch.

    Where no terminal shows the bar, an epoch that takes long prints a line now and then.

    Args:
        console: Where to print.
        clips_per_epoch: Training clips.
    """

    def __init__(self, console: Console, *, clips_per_epoch: int) -> None:
        self._console = console
        self._clips = clips_per_epoch
        columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[rate]}")
        # Finished epochs have their lines: between them it is only time that makes another one due.
        self._progress = progress_on(console, *columns, TimeRemainingColumn(), every_share=2)
        self._started = 0.0
        self._begun_at = 0
        self._done = 0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the bar."""
        self._started, self._begun_at, self._done = time.perf_counter(), trainer.current_epoch, 0
        total = self._clips * (cast(int, trainer.max_epochs) - self._begun_at)
        self._task = self._progress.add_task("training", total=total, rate="")
        self._progress.start()

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Batch | ActivationBatch,
        batch_idx: int,
    ) -> None:
        """Move the bar."""
        self._done += cast(RecognizerModule, pl_module).clips_of_batch(batch_idx, self._clips)[1]
        text = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        text += f", batch {batch_idx + 1}/{trainer.num_training_batches}"
        self._progress.update(self._task, completed=self._done, description=text, rate=f"{self._rate():.1f} clips/s")

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Print the epoch's line."""
        figures = trainer.callback_metrics
        shown = [
            f"{part} loss {figures[f'{part}_loss']:.3f} accuracy {100 * figures[f'{part}_accuracy']:5.1f} %"
            for part in ("train", "validation")
            if f"{part}_loss" in figures
        ]
        remaining = (cast(int, trainer.max_epochs) - trainer.current_epoch - 1) * self._clips
        say(
            self._console,
            f"epoch {trainer.current_epoch + 1:>3}/{trainer.max_epochs}"
            f"  {'  '.join(shown)}  {self._rate():.1f} clips/s  at most {duration(remaining / self._rate())} left",
        )

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Take the bar away."""
        self._progress.stop()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Take the bar away after an interruption, of which ``teardown`` hears nothing."""
        self._progress.stop()

    def _rate(self) -> float:
        return self._done / (time.perf_counter() - self._started)


class SecondCtrlC(Callback):
    """Lets a second Ctrl-C stop at once, which Lightning ignores from the first one on; and SIGTERM what it does.

    Of several processes Lightning's own answer to SIGTERM tells the others first, in the middle of whatever they do,
    and waits for them; but a launcher tells them all, and they would wait for each other.
    """

    def __init__(self) -> None:
        self._before = signal.getsignal(signal.SIGINT)
        self._terminates = signal.getsignal(signal.SIGTERM)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Called when Lightning has put its answers in place."""
        if ranks.size() > 1 and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._terminates or signal.SIG_DFL)

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Called when the first one was noticed."""
        if isinstance(exception, KeyboardInterrupt):
            signal.signal(signal.SIGINT, self._before or signal.default_int_handler)
