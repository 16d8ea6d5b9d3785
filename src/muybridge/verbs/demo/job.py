"""The demonstration: rendered clips, two protocols, one prediction.

Notable: the same clips are trained on twice. Under ``grouped`` whole takes are held out; under ``random`` clips of the
same take are on both sides, as in the paper. A look-up by colours, which knows no motion at all, shows on
purpose what that is worth: near chance under the one, far above it under the other.
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from muybridge import notebook
from muybridge.console import STDERR, say
from muybridge.dataset.protocol_names import Protocol
from muybridge.dataset.split import Split
from muybridge.evaluation.evaluation import Evaluation
from muybridge.experiment.complete import complete
from muybridge.experiment.dividing import divide
from muybridge.experiment.prepare import prepare
from muybridge.inference.answers import Prediction
from muybridge.inference.loading import load
from muybridge.recipes.recipe import Recipe
from muybridge.recipes.store import load_recipe
from muybridge.runs import RunFolder, free_path
from muybridge.system import resolve_device
from muybridge.verbs.demo.clips import render_demo

PROTOCOLS: tuple[Protocol, ...] = ("grouped", "random")


@dataclass(frozen=True)
class DemoResult:
    """What the demonstration showed.

    Attributes:
        evaluations: Accuracy under each protocol.
        runs: The run directory of each protocol.
        colours: Accuracy of a look-up by colours alone under each protocol, 0..1.
        prediction: Of the first test clip, by the model of the honest protocol.
        truth: Its real class.
        seconds: Time it all took.
    """

    evaluations: dict[str, Evaluation]
    runs: dict[str, Path]
    colours: dict[str, float]
    prediction: Prediction
    truth: str
    seconds: float

    def __str__(self) -> str:
        assert self.prediction.path is not None
        lines = ["", "The same clips, divided in two ways:"]
        for protocol, evaluation in self.evaluations.items():
            lines += [
                f"{protocol}: {evaluation.summary()}",
                f"  leak: {evaluation.leak}",
                f"  a look-up by colours, blind to motion, gets {100 * self.colours[protocol]:.0f} %",
            ]
        chance = 100 / len(self.evaluations["grouped"].classes)
        report = RunFolder(self.runs["grouped"]).report
        lines += [
            f"What the look-up gets above chance ({chance:.0f} %) is leak: it knows the take, not the action. Only the",
            "first accuracy says how well new videos are recognised.",
            f"A clip the model has never seen: {self.prediction.path.name}: {self.prediction} (truth: {self.truth})",
            f"Took {self.seconds:.0f} s. Report: {report.resolve()}",
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """The result in a notebook."""
        title, *lines = str(self).strip().splitlines()
        return notebook.card(title, notebook.lines(lines))

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values."""
        return {
            "runs": {protocol: str(run) for protocol, run in self.runs.items()},
            "report": str(RunFolder(self.runs["grouped"]).report),
            "evaluations": {protocol: evaluation.to_dict() for protocol, evaluation in self.evaluations.items()},
            "colours": self.colours,
            "prediction": {**self.prediction.to_dict(top=3), "truth": self.truth},
            "seconds": round(self.seconds, 1),
        }


def demo(
    folder: str | Path = "muybridge-demo",
    *,
    seed: int = 0,
    device: str = "auto",
    recipe: Recipe | None = None,
    clips_per_class: int = 48,
    console: Console = STDERR,
) -> DemoResult:
    """Render clips, train and measure under both protocols, and predict one file.

    Args:
        folder: Where clips, frames and runs go; clips rendered earlier are used again.
        seed: Seed of the clips and of the training.
        device: Where it computes: auto, cpu, cuda, cuda:1 or mps.
        console: Where progress is printed.
        recipe: How to train; default: the demo's own.
        clips_per_class: Clips of each action.

    Raises:
        UserError: If the folder holds other things where the clips go.
    """
    started = time.perf_counter()
    computing = resolve_device(device)
    folder = Path(folder)
    recipe = recipe or load_recipe("demo")
    recipe = replace(
        recipe,
        training=replace(recipe.training, seed=seed),
        cache=replace(recipe.cache, folder=str(folder / "frames")),
    )
    say(console, f"rendering {clips_per_class} clips of each action into {folder / 'clips'}")
    table = render_demo(folder / "clips", clips_per_class=clips_per_class, seed=seed)
    evaluations: dict[str, Evaluation] = {}
    runs: dict[str, Path] = {}
    colours: dict[str, float] = {}
    for protocol in PROTOCOLS:
        console.rule(f"protocol {protocol}", align="left")
        divided = divide(table, replace(recipe.data, protocol=protocol))
        divided.announce(console)
        chosen = replace(recipe, data=replace(recipe.data, protocol=protocol))
        experiment = prepare(divided, chosen, run=free_path(folder / protocol), device=computing, console=console)
        result = complete(experiment, console=console)
        assert result.evaluation is not None  # every class has enough takes for a test part
        evaluations[protocol], runs[protocol] = result.evaluation, result.run
        floors = result.evaluation.floors
        assert floors is not None and floors.colours is not None  # the clips were rendered a moment ago
        colours[protocol] = floors.colours.value
    clip = Split.load(RunFolder(runs["grouped"]).split).clips_of("test")[0]
    prediction = load(runs["grouped"]).predict(clip.path)
    return DemoResult(evaluations, runs, colours, prediction, clip.label, time.perf_counter() - started)
