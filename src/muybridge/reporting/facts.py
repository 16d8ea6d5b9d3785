"""What a stranger asks first: which data, which network from which weights, when, on what, how long, which command.

Notable: whatever the files of a run do not say is "not recorded", so that a run of an older version has its page, too.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath
from typing import Any

from muybridge.dataset.catalog import are_guessed
from muybridge.recipes.encoder_names import encoders_of
from muybridge.reporting.reported import ModelFacts, ReportedRun
from muybridge.text import counted, number, percent

NOT_RECORDED = "not recorded"

_ENCODERS = {
    "mobilenet": "MobileNet v1",
    "densenet": "DenseNet121",
    "alexnet": "AlexNet",
    "small": "small network of four convolutions",
    "i3d": "I3D",
    "r3d_18": "R3D-18",
    "mc3_18": "MC3-18",
    "r2plus1d_18": "R(2+1)D-18",
    "r2plus1d_34": "R(2+1)D-34",
    "slowfast_r50": "SlowFast R50",
    "efficientnet_lite0": "EfficientNet-Lite0",
    "movinet_a0": "MoViNet-A0",
    "movinet_a1": "MoViNet-A1",
    "movinet_a2": "MoViNet-A2",
    "movinet_a0_base": "MoViNet-A0 base",
    "movinet_a1_base": "MoViNet-A1 base",
    "movinet_a2_base": "MoViNet-A2 base",
    "movinet_a0_mobile": "MoViNet-A0 mobile",
}
_HEADS = {
    "bilstm": "BiLSTM",
    "lstm": "LSTM",
    "bert": "BERT",
    "concat": "all steps side by side",
    "mean": "mean over time",
    "attentive": "one query over all places and times",
    "probe": "mean over time and logistic regression",
}
_PROTOCOLS = {
    "grouped": "clips of the same source video are kept together",
    "random": "each clip by itself, at random",
    "given": "as the table of clips says",
}


@dataclass(frozen=True)
class Fact:
    """One line at the top of a run's page: a question in a word, its answer, and details below it.

    Attributes:
        name: the question.
        text: the answer.
        details: further lines.
        code: whether the answer is a command or path, set in a monospaced face.
    """

    name: str
    text: str
    details: tuple[str, ...] = ()
    code: bool = False


def facts_of(run: ReportedRun) -> tuple[Fact, ...]:
    """The facts of a run, in the order in which they are asked."""
    return (
        _data(run),
        _division(run),
        _networks(run),
        *(() if run.ensemble else (_weights(run), _learned(run))),
        *_final(run),
        *_none_of_these(run),
        _time(run),
        Fact("Machine", *first_and_rest(machine(run.environment))),
        Fact("Versions", versions(run.environment)),
        _command(run),
    )


def protocol_in_words(protocol: str) -> str:
    """A protocol with what it does, where its name does not say it."""
    if protocol.startswith("official-"):
        return f"{protocol}: the data set's own list {protocol.removeprefix('official-')}"
    return f"{protocol}: {_PROTOCOLS[protocol]}" if protocol in _PROTOCOLS else protocol


def network_name(model: ModelFacts) -> str:
    """A network in words, such as ``I3D, then BiLSTM 256``."""
    head, _, widths = model.head.partition(" ")
    name = f"{_HEADS.get(head, head)} {widths}".strip()
    encoders = [_ENCODERS.get(encoder, encoder) for encoder in encoders_of(model.encoder)]
    return f"{' and '.join(encoders)}, then {name}"


def weights_name(run: ReportedRun) -> str:
    """The file of the first weights with the data it was trained on; for an old run, what its recipe asked for.

    Args:
        run: A training.
    """
    choice = run.models[0].weights
    if choice == "none":
        return "none: it learned from nothing"
    origins = [origin for origin in _origins(run) if origin.get("file")]
    if not origins:
        return f"{choice} (file {NOT_RECORDED})"
    trained = [f", trained on {origin['trained_on']}" if origin.get("trained_on") else "" for origin in origins]
    return "; ".join(f"{origin['file']}{text}" for origin, text in zip(origins, trained, strict=True))


def machine(environment: Mapping[str, Any]) -> tuple[str, ...]:
    """What a run was computed on: processor, graphics card, system; one entry each."""
    processor = environment.get("processor_name")
    cores = environment.get("cores")
    memory = environment.get("memory_bytes")
    parts = [
        str(processor) if processor else f"processor {NOT_RECORDED}",
        *([counted(cores, "core")] if isinstance(cores, int) else []),
        *([f"{memory / 2**30:.0f} GB of memory"] if isinstance(memory, int) else []),
    ]
    card = environment.get("cuda_device")
    graphics = f"{card}" if card else "no GPU" if "cuda_device" in environment else f"GPU {NOT_RECORDED}"
    return ", ".join(parts), graphics, *([str(environment["platform"])] if environment.get("platform") else [])


def versions(environment: Mapping[str, Any]) -> str:
    """The versions that decide over results, in one line."""
    packages = environment.get("packages")
    known = packages if isinstance(packages, Mapping) else {}
    words = [f"{name} {known[name]}" for name in ("muybridge", "torch") if name in known]
    python = environment.get("python")
    return ", ".join([*words, *([f"Python {python}"] if python else [])]) or NOT_RECORDED


def began(environment: Mapping[str, Any]) -> str:
    """The day and time at which a run began, such as ``25 November 2026, 15:20 UTC``."""
    moment = _moment(environment.get("started"))
    if moment is None:
        return NOT_RECORDED
    zone = moment.strftime("%Z").removesuffix("+00:00")
    return f"{moment.day} {moment:%B %Y, %H:%M} {zone}".strip()


def took(run: ReportedRun) -> str:
    """How long a run took, over all its sessions; for an old run, its epochs alone."""
    sessions = run.environment.get("sessions")
    seconds = [
        entry["seconds"] if isinstance(entry, Mapping) and _is_number(entry.get("seconds")) else None
        for entry in (sessions if isinstance(sessions, list) else [])
    ]
    known = [value for value in seconds if value is not None]
    if known:
        several = f", in {counted(len(seconds), 'session')}" if len(seconds) > 1 else ""
        return f"{'at least ' if None in seconds else ''}{duration(sum(known))}{several}"
    epochs = [float(row["seconds"]) for row in (run.training.epochs if run.training else ()) if row.get("seconds")]
    if epochs:
        return f"{duration(sum(epochs))} for its epochs; the rest is {NOT_RECORDED}"
    return NOT_RECORDED


def duration(seconds: float) -> str:
    """A time in the two units that matter, such as ``1 h 12 min``."""
    if seconds < 59.5:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def command_line(run: ReportedRun) -> str | None:
    """The command as it was typed; None where the run was not started from a shell, or this was not recorded."""
    words = run.environment.get("command")
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        return None
    program = PurePath(words[0])
    # "python -m muybridge" is called by the file that it runs.
    is_module = program.name == "__main__.py" and program.parent.name == "muybridge"
    if not is_module and program.stem != "muybridge":
        return None
    return shlex.join(["muybridge", *words[1:]])


def first_and_rest(lines: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The first line, and the others."""
    return lines[0], tuple(lines[1:])


def _data(run: ReportedRun) -> Fact:
    split = run.split
    clips = len(split.train) + len(split.validation) + len(split.test)
    folder = str(run.environment.get("clips") or NOT_RECORDED)
    name = PurePath(folder).name or folder
    details = (folder,) if folder != name else ()
    return Fact("Data", f"{name}: {counted(clips, 'clip')} of {counted(len(run.classes), 'class')}", details)


def _division(run: ReportedRun) -> Fact:
    split = run.split
    if run.folds:
        how = (
            "by clip, since not all source groups are known; each clip was tested by a model that never saw it"
            if split.unknown_groups
            else "by source; each clip was tested by a model that never saw its source"
        )
        right = ", ".join(f"{row['correct']} of {row['clips']}" for row in run.folds)
        return Fact(
            "Divided",
            f"{counted(len(run.folds), 'fold')} {how}",
            (f"Right in each fold: {right}", f"Leak: {run.leak or 'unknown'}"),
        )
    return Fact(
        "Divided",
        f"{len(split.train)} clips to learn from, {len(split.validation)} to choose by, {len(split.test)} to test",
        (f"Protocol {_protocol(run)}", f"Leak: {run.leak or 'unknown'}"),
    )


def _protocol(run: ReportedRun) -> str:
    if run.split.protocol == "grouped" and run.split.unknown_groups == len(run.split.clips):
        if are_guessed(run.split.clips):
            return "grouped: look-alikes are kept together; source groups are unknown"
        return "grouped: each clip by itself, since source groups are unknown"
    return protocol_in_words(run.split.protocol)


def _networks(run: ReportedRun) -> Fact:
    lines = [f"{network_name(model)}; sees {model.frames} frames of {model.size_px} px" for model in run.models]
    if run.ensemble is None or len(lines) == 1:
        return Fact("Network", *first_and_rest(lines))
    return Fact("Networks", f"{len(lines)} networks, combined by {run.ensemble.rule}", tuple(lines))


def _weights(run: ReportedRun) -> Fact:
    details = []
    for origin in _origins(run):
        details += [f"sha256 {origin['sha256']}"] if origin.get("sha256") else []
        details += [f"published at {origin['source']}"] if origin.get("source") else []
    return Fact("First weights", weights_name(run), tuple(details))


def _origins(run: ReportedRun) -> list[Mapping[str, Any]]:
    """What was recorded of the first weights, of each encoder; a run with one has no list."""
    recorded = run.environment.get("weights")
    several = recorded if isinstance(recorded, list) else [recorded]
    return [origin for origin in several if isinstance(origin, Mapping)]


def _learned(run: ReportedRun) -> Fact:
    model = run.models[0]
    layers = model.layers_to_train
    text = {"all": "the whole network", "none": "all that follows the encoder, which stayed as it was"}.get(
        layers, f"the last {layers.removeprefix('last-')} layers of the encoder, and all that follows it"
    )
    network = run.environment.get("network")
    learnable = network.get("learnable") if isinstance(network, Mapping) else None
    total = f"{number(model.parameters)} parameters"
    known = f"{number(learnable)} of {total}" if isinstance(learnable, int) else f"{total}; how many is {NOT_RECORDED}"
    return Fact("What learned", text, (known,))


def _final(run: ReportedRun) -> tuple[Fact, ...]:
    """What the model was fitted on, where it is not the one that decided, or that was measured."""
    if not run.refitted:
        return ()
    clips = sum(len(getattr(run.split, part)) for part in run.refitted)
    if "test" in run.refitted:
        text = f"fitted again on all {clips} clips, once models that had not seen them were measured"
    else:
        text = f"fitted again on the {clips} clips outside the test part, then measured"
    return (Fact("Final model", text),)


def _none_of_these(run: ReportedRun) -> tuple[Fact, ...]:
    """How clips of other actions are recognised as such."""
    details = []
    if run.unknown is not None:
        share = percent(run.unknown)
        details.append(f"of a known clip and one of a class left out, the known one looks more familiar in {share}")
    if run.false_alarms is None:
        return (Fact("None of these", "never said", tuple(details)),) if details else ()
    share = percent(run.false_alarms)
    return (
        Fact("None of these", f"said of clips as unlike all classes as {share} of the known clips are", tuple(details)),
    )


def _time(run: ReportedRun) -> Fact:
    epochs = (counted(len(run.training.epochs), "epoch"),) if run.training and run.training.epochs else ()
    return Fact("When", f"{began(run.environment)}; took {took(run)}", epochs)


def _command(run: ReportedRun) -> Fact:
    typed = command_line(run)
    if typed is None:
        return Fact("Command", run.command, ("The command as it was typed is not recorded; this does the same.",), True)
    directory = run.environment.get("directory")
    return Fact("Command", typed, (f"typed in {directory}",) if directory else (), True)


def _moment(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
