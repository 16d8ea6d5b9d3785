"""Verbs that train."""

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from muybridge.api import Interrupted, Recipe, UserError
from muybridge.cli.application import Json, app
from muybridge.terminal import EXIT_INTERRUPTED, say, show, suggest


@app.command
def demo(
    folder: Path = Path("muybridge-demo"),
    *,
    seed: int = 0,
    device: str = "auto",
    as_json: Annotated[Json, Parameter("--json")] = False,
) -> None:
    """Render clips of moving figures, train on them, measure, and predict one. No download, a few minutes.

        muybridge demo

    Args:
        folder: Where clips and runs go.
        seed: Seed of the clips and of the training.
        device: Where torch computes: auto (a CUDA GPU if there is one), cpu, cuda, cuda:1 or mps.
        as_json: Print the result as JSON.
    """
    from muybridge import api

    result = api.demo(folder, seed=seed, device=device)
    show(result, as_json=as_json)
    if not as_json:
        suggest(["predict", result.runs["grouped"], result.prediction.path], ["train", "CLIPS"])


@app.command
def train(
    clips: Path | None = None,
    *,
    recipe: Annotated[str, Parameter("--recipe")] = "",
    run: Path | None = None,
    name: str | None = None,
    resume: Path | None = None,
    from_run: Annotated[Path | None, Parameter("--from")] = None,
    clips_root: Path | None = None,
    learning_curve: Annotated[bool, Parameter(negative="")] = False,
    profile: Annotated[bool, Parameter(negative="")] = False,
    device: str = "auto",
    device_count: int | None = None,
    node_count: int = 1,
    on: Literal["local", "ray"] = "local",
    logger: Literal["csv", "tensorboard", "wandb", "mlflow"] = "csv",
    experiment: Annotated[Recipe, Parameter(name="*")] = Recipe(),  # noqa: B008 - a frozen value
    as_json: Annotated[Json, Parameter("--json")] = False,
) -> None:
    """Train on a folder of clips, measure on clips held out, and write a report.

        muybridge train my_clips --folds 5

    Args:
        clips: A folder with a sub-folder per class, an HMDB-51 or UCF101 folder, a CSV: path, label and optional group,
            split, start, end; or annotations of long videos.
        recipe: A recipe's name (see: muybridge recipes) or YAML file; other options go before its values. None:
            default, or where its weights are missing, a recipe whose weights are available.
        run: The folder to make for the run; default: runs/RECIPE-ENCODER-HEAD-1, -2, ....
        name: Name of the run's folder, in runs/; instead of --run.
        resume: Continue this run where it was interrupted; of the others only --device, --device-count, --node-count,
            --on, --logger and --clips-root go with it.
        from_run: Train on the clips of this run and CLIPS together, with the run's recipe if none is named; what is
            kept of its clips is not computed again.
        clips_root: Folder that holds the clips of the run of --resume or --from now, where they were moved or renamed.
        learning_curve: Measure how accuracy grows with the number of clips a class, too (head probe only).
        profile: Train for 30 steps only, print where a step's time goes, and make no run.
        device: Where torch computes: auto (a CUDA GPU if there is one), cpu, cuda, cuda:1 or mps.
        device_count: Processes on this machine, each with a GPU of its own, or sharing the CPU. Default: as many as
            torchrun or SLURM started, else one. Batch size and learning rate are those of all together.
        node_count: Machines; the same command runs on each, with MASTER_ADDR, MASTER_PORT and NODE_RANK set.
        on: ray: the processes are started by Ray Train, on the cluster that it finds (an extra to install).
        logger: Who gets the figures of every epoch besides metrics.csv. All but csv are extras to install.
        experiment: Every option of the recipe.
        as_json: Print the result as JSON.
    """
    from muybridge import api

    if profile:
        unused = run or name or resume or from_run or clips_root or learning_curve or None
        unused = unused or (None if device_count is None else True)
        _profile(clips, experiment, unused=unused, device=device, as_json=as_json)
        return
    if (clips is None) == (resume is None):
        raise UserError("train takes either CLIPS or --resume RUN; for example: muybridge train my_clips")
    given = recipe or run or name or from_run or learning_curve
    if resume is not None and (given or experiment != Recipe()):
        raise UserError(f"--resume {resume} continues with the run's own recipe; leave the other options out")
    if clips_root is not None and resume is None and from_run is None:
        raise UserError("--clips-root says where the clips of a run are; it goes with --resume or --from")
    try:
        if resume is not None:
            result = api.resume(
                resume,
                device=device,
                device_count=device_count,
                node_count=node_count,
                on=on,
                logger=logger,
                clips_root=clips_root,
            )
        else:
            assert clips is not None
            result = api.train(
                clips,
                experiment,
                run=run,
                name=name,
                device=device,
                from_run=from_run,
                clips_root=clips_root,
                learning_curve=learning_curve,
                device_count=device_count,
                node_count=node_count,
                on=on,
                logger=logger,
            )
    except Interrupted as interrupted:
        say(f"\nstopped. {interrupted.kept}".rstrip())
        folder = interrupted.folder
        suggest(*([["predict", folder, "VIDEO"]] if interrupted.model else []), ["train", "--resume", folder])
        sys.exit(EXIT_INTERRUPTED)
    show(result, as_json=as_json)
    if not as_json:
        suggest(["predict", result.run, "VIDEO"], ["report", result.run, "OTHER_RUN"])


def _profile(clips: Path | None, experiment: Recipe, *, unused: object, device: str, as_json: bool) -> None:
    from muybridge import api

    if clips is None or unused is not None:
        raise UserError(
            "--profile takes CLIPS, and makes or continues no run; for example: muybridge train my_clips --profile"
        )
    result = api.profile(clips, experiment, device=device)
    show(result, as_json=as_json)


@app.command
def sweep(
    recipe: Annotated[str, Parameter("--recipe")],
    clips: Path,
    *,
    over: Annotated[list[str], Parameter(consume_multiple=False)],
    trials: int | None = None,
    folder: Path | None = None,
    prune: bool = True,
    device: str = "auto",
    experiment: Annotated[Recipe, Parameter(name="*")] = Recipe(),  # noqa: B008 - a frozen value
    as_json: Annotated[Json, Parameter("--json")] = False,
) -> None:
    """Train a recipe with some options varied, and compare the trials on the validation part, never on the test part.

    Run the same command again to continue after an interruption, or with more `--trials` to go on.

        muybridge sweep default my_clips --over model.dropout=0.3,0.5

    Args:
        recipe: Name of a recipe that comes with muybridge (default is one), or a YAML file.
        clips: A folder with a sub-folder per class, a CSV, annotations of long videos, or an HMDB-51 or UCF101 folder.
        over: What is varied, once per option. KEY=a,b,c: these values, written as in YAML, lists in brackets:
            model.head_widths=[256,128],[256]. KEY=low..high: anything between; by powers of ten if the ends are
            positive and 10 times apart, or as log:low..high and linear:low..high say.
        trials: How many trainings in all; default: every combination of values, or 20 where there is a range.
        folder: The sweep's folder, made or continued; default: runs/sweeps/NAME-OPTIONS.
        prune: Stop trials early that fall behind the median of the others.
        device: Where torch computes: auto (a CUDA GPU if there is one), cpu, cuda, cuda:1 or mps.
        experiment: Every option of the recipe; what is not varied.
        as_json: Print the result as JSON.
    """
    from muybridge import api

    try:
        result = api.sweep(clips, experiment, over=over, trials=trials, folder=folder, prune=prune, device=device)
    except Interrupted as interrupted:
        say(f"\nstopped; what is done is in {interrupted.folder}. Run the same command again to continue.")
        sys.exit(EXIT_INTERRUPTED)
    show(result, as_json=as_json)
    if not as_json:
        suggest(["train", clips, "--recipe", result.folder / "best.yaml"])


@app.command
def ensemble(
    runs: list[Path],
    /,
    *,
    rule: Literal["mean", "logits", "vote", "weighted"] = "mean",
    calibrate: Annotated[bool, Parameter(negative="")] = False,
    run: Path | None = None,
    name: str | None = None,
    clips_root: Path | None = None,
    device: str = "auto",
    as_json: Annotated[Json, Parameter("--json")] = False,
) -> None:
    """Combine finished runs into one model, and measure what it gains on each of them.

    The result is a run: evaluate, predict and report take it as they take that of a training. Members may differ
    in network, frames and size. Refused are members that were fitted on the test clips of another.

        muybridge ensemble runs/default-1 runs/best-1

    Args:
        runs: Run directories made by train, or their URLs, of the same clips, protocol and split seed; or one, with
            --calibrate.
        rule: mean: average of probabilities, as in the paper; logits: average of logits; vote: majority; weighted:
            average of probabilities with weights fitted on the validation clips.
        calibrate: Give each member a temperature, fitted on the validation clips, so that its scores are as sure as
            it is right.
        run: The run directory to make, also by URL; default: runs/ensemble-1, -2, ....
        name: Name of the run directory, in runs/; instead of --run.
        clips_root: Folder that holds the clips of the runs now, where they were moved or renamed.
        device: Where torch computes: auto (a CUDA GPU if there is one), cpu, cuda, cuda:1 or mps.
        as_json: Print the result as JSON.
    """
    from muybridge import api

    result = api.ensemble(
        runs, rule=rule, calibrate=calibrate, run=run, name=name, clips_root=clips_root, device=device
    )
    show(result, as_json=as_json)
    if not as_json:
        suggest(["predict", result.run, "VIDEO"], ["report", result.run, runs[0]])
