"""Faults on purpose, in the real verbs: afterwards there are the same bits, or one clear line."""

import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from tests.helpers.clips import TINY
from tests.helpers.commands import run
from tests.helpers.faults import Commands, fill, flip_bit, left_over, small_disk
from tests.helpers.nightly import cases

from muybridge import api
from muybridge.errors import UserError
from muybridge.pipeline import loader_processes
from muybridge.temporaries import prefix_of

MODEL_FILES = ("model/model.safetensors", "model/model.json", "predictions.csv", "per_class.csv", "split.json")


@pytest.fixture(scope="module")
def recipes(tmp_path_factory) -> dict[str, Path]:
    """Recipe files: a trained head, and a probe on a frozen encoder."""
    folder = tmp_path_factory.mktemp("recipes")
    probe = {**TINY, "name": "probe", "training": {"workers": 0, "refit": True}, "data": {"protocol": "random"}}
    probe["model"] = {"width": 0.25, "weights": "none", "head": "probe", "trainable": "none"}
    files = {}
    for name, values in (("head", TINY), ("probe", probe)):
        files[name] = folder / f"{name}.yaml"
        files[name].write_text(yaml.safe_dump(values))
    return files


@pytest.fixture(scope="module")
def commands(tmp_path_factory) -> Commands:
    """Commands in a folder of their own."""
    return Commands(tmp_path_factory.mktemp("commands"))


@pytest.fixture(scope="module")
def trained(commands, recipes, clips, tmp_path_factory) -> dict[str, Path]:
    """Runs that nothing disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    for name, recipe in recipes.items():
        ended = commands.run("train", clips, "--recipe", recipe, "--run", folder / name)
        assert ended.code == 0, ended.err
    return {name: folder / name for name in recipes}


@pytest.fixture(scope="module")
def many(clips, tmp_path_factory) -> Path:
    """So many clips that reading them takes seconds."""
    folder = tmp_path_factory.mktemp("many") / "clips"
    for number in range(40):
        for clip in clips.rglob("*.avi"):
            to = folder / clip.parent.name / clip.name.replace("_c", f"_c{number:02}")
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(clip, to)
    return folder


def contents(folder: Path, files: tuple[str, ...]) -> dict[str, bytes]:
    """What some files hold."""
    return {name: (folder / name).read_bytes() for name in files}


# Killed ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["head", "probe"])
def test_a_killed_training_ends_with_the_same_bits(kind, commands, recipes, clips, trained, tmp_path):
    truth = contents(trained[kind], MODEL_FILES)
    begin = ("train", clips, "--recipe", recipes[kind])
    whole = commands.seconds(*begin, "--run", tmp_path / "timed")
    for seed in cases(few=2, many=100):
        generator = random.Random(seed)
        path = tmp_path / f"run-{seed}"
        ended = commands.run(*begin, "--run", path, after=generator.uniform(0, whole))
        for _ in range(2):  # the first continuation is killed, too
            ended = commands.run("train", "--resume", path, after=generator.uniform(0, whole))
        ended = commands.run("train", "--resume", path)
        if ended.code:
            assert ended.is_one_clear_line, ended.err
            ended = commands.run(*begin, "--run", path)
        assert ended.code == 0, ended.err
        assert contents(path, MODEL_FILES) == truth
        assert not left_over(path.parent)


def test_a_killed_measurement_comes_again(commands, trained, tmp_path):
    words = ("evaluate", trained["head"])
    whole = commands.seconds(*words, "--out", tmp_path / "truth")
    files = ("predictions.csv", "per_class.csv", "evaluation.json", "confusion_matrix.png")
    truth = contents(tmp_path / "truth", files)
    for seed in cases(few=2, many=100):
        out = tmp_path / f"out-{seed}"
        commands.run(*words, "--out", out, after=random.Random(seed).uniform(0, whole))
        assert commands.run(*words, "--out", out).code == 0
        assert contents(out, files) == truth


def test_the_name_of_a_killed_ensemble_is_free_again(commands, recipes, clips, trained, tmp_path):
    other = tmp_path / "other"
    ended = commands.run("train", clips, "--recipe", recipes["head"], "--run", other, "--training.seed", 1)
    assert ended.code == 0, ended.err
    words = ("ensemble", trained["head"], other)
    whole = commands.seconds(*words, "--run", tmp_path / "truth")
    truth = contents(tmp_path / "truth", ("predictions.csv", "ensemble.json"))
    for seed in cases(few=2, many=100):
        path = tmp_path / f"ensemble-{seed}"
        commands.run(*words, "--run", path, after=random.Random(seed).uniform(0.3 * whole, whole))
        ended = commands.run(*words, "--run", path)
        if ended.code:
            assert ended.is_one_clear_line and "already there" in ended.err  # it was complete
        assert contents(path, ("predictions.csv", "ensemble.json")) == truth
        assert not left_over(tmp_path)


def test_a_killed_export_is_whole_or_absent(commands, trained, tmp_path):
    words = ("export", trained["head"], "--to", "torch")
    whole = commands.seconds(*words, "--out", tmp_path / "truth")
    for seed in cases(few=2, many=100):
        out = tmp_path / f"export-{seed}"
        commands.run(*words, "--out", out, after=random.Random(seed).uniform(0, whole))
        if out.exists():
            assert (out / "export.json").is_file()
        assert commands.run(*words, "--out", out).code == 0
        files = json.loads((tmp_path / "truth" / "export.json").read_text())["files"]
        assert json.loads((out / "export.json").read_text())["files"].keys() == files.keys()
        assert not left_over(tmp_path)


def test_a_killed_sweep_tries_the_same_and_ends(commands, recipes, clips, tmp_path):
    pytest.importorskip("optuna")
    words = ("sweep", recipes["head"], clips, "--over", "model.dropout=0.1,0.4", "--training.epochs", 2)
    whole = commands.seconds(*words, "--folder", tmp_path / "truth")

    def figures(folder: Path) -> list[list[str]]:
        rows = [line.split(",") for line in (folder / "trials.csv").read_text().splitlines()]
        kept = [place for place, name in enumerate(rows[0]) if "seconds" not in name]
        return [[row[place] for place in kept] for row in rows]

    for seed in cases(few=2, many=100):
        folder = tmp_path / f"sweep-{seed}"
        commands.run(*words, "--folder", folder, after=random.Random(seed).uniform(0, whole))
        ended = commands.run(*words, "--folder", folder)
        assert ended.code == 0, ended.err
        assert figures(folder) == figures(tmp_path / "truth")
        assert not left_over(folder)


def test_killed_checks_and_predictions_come_again(commands, clips, trained, tmp_path):
    check = ("check", clips, "--workers", 1)
    whole = commands.seconds(*check, "--out", tmp_path / "truth")
    predict = ("predict", trained["head"], clips / "dim")
    said = commands.run(*predict).out
    for seed in cases(few=1, many=100):
        generator = random.Random(seed)
        out = tmp_path / f"check-{seed}"
        commands.run(*check, "--out", out, after=generator.uniform(0, whole))
        assert commands.run(*check, "--out", out).code == 0
        assert contents(out, ("check.json", "check.csv")) == contents(tmp_path / "truth", ("check.json", "check.csv"))
        killed = commands.run(*predict, after=generator.uniform(0, 1))
        assert said.startswith(killed.out)
        assert commands.run(*predict).out == said


# Told to stop ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("verb", ["train", "evaluate"])
def test_signals_end_a_verb_as_ctrl_c_does(number, verb, commands, recipes, clips, many, trained, tmp_path):
    words = {
        "train": ("train", clips, "--recipe", recipes["head"], "--run", tmp_path / "run", "--epochs", 500),
        "evaluate": ("evaluate", trained["head"], many, "--out", tmp_path / "out"),
    }[verb]
    ended = commands.run(*words, send=number, after=0.8)
    assert ended.code == 128 + number, ended.err
    assert "stopped" in ended.err
    assert "Traceback" not in ended.err
    assert not left_over(tmp_path)


def wait_for_workers(process: int, count: int) -> list[str]:
    """The processes that one has started, once there are so many; the first helps Python to clear up."""
    children = Path(f"/proc/{process}/task/{process}/children")
    if not children.exists():
        pytest.skip("needs a system that lists the children of a process")
    begun = time.monotonic()
    while len(found := children.read_text().split()) <= count and time.monotonic() - begun < 60:
        time.sleep(0.02)
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_end_a_check_and_its_workers(number, many, tmp_path):
    code = "from muybridge.__main__ import main; main()"
    words = [sys.executable, "-c", code, "check", str(many), "--workers", "1", "--out", str(tmp_path / "out")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        wait_for_workers(process.pid, 1)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert f"stopped ({signal.Signals(number).name})" in err and "Traceback" not in err


def test_workers_of_a_killed_check_end_with_it(many, tmp_path):
    code = "from muybridge.__main__ import main; main()"
    words = [sys.executable, "-c", code, "check", str(many), "--workers", "2", "--out", str(tmp_path / "out")]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        workers = wait_for_workers(process.pid, 2)
        time.sleep(1)
        process.kill()
    begun = time.monotonic()
    while any(Path(f"/proc/{worker}").exists() for worker in workers) and time.monotonic() - begun < 60:
        time.sleep(0.1)
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)


def test_what_nohup_ignores_stays_ignored(tmp_path):
    code = (
        "import os, signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); from muybridge import stopping; "
        "stopping.answer_as_ctrl_c(); os.kill(os.getpid(), signal.SIGHUP); print('lives')"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout == "lives\n"


# Begun, locked, changed --------------------------------------------------------------------------------------------


def test_a_run_that_was_killed_as_it_began_is_begun_again(clips, recipes, trained, tmp_path, capsys):
    words = ("train", clips, "--recipe", recipes["head"], "--run", tmp_path / "run")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").touch()
    shutil.copy(trained["head"] / "recipe.yaml", tmp_path / "run")
    code, _, err = run("train", "--resume", tmp_path / "run", capsys=capsys)
    assert code == 2 and "start it anew" in err
    code, _, err = run(*words, capsys=capsys)
    assert code == 0, err
    assert contents(tmp_path / "run", MODEL_FILES) == contents(trained["head"], MODEL_FILES)
    code, _, err = run(*words, capsys=capsys)
    assert code == 2 and "already there" in err
    # A folder of the user's that no training has begun in is never taken.
    (tmp_path / "mine").mkdir()
    shutil.copy(trained["head"] / "recipe.yaml", tmp_path / "mine")
    code, _, err = run(*words[:-1], tmp_path / "mine", capsys=capsys)
    assert code == 2 and "already there" in err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["recipe.yaml"]


def test_a_run_is_written_by_one_process_at_a_time(trained, tmp_path, capsys):
    shutil.copytree(trained["head"], tmp_path / "run")
    code = (
        "import sys, time; from pathlib import Path; from muybridge.runs import RunFolder; "
        "lock = RunFolder(Path(sys.argv[1])).lock(); print('has it', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code, tmp_path / "run"], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "has it\n"
        code, _, err = run("train", "--resume", tmp_path / "run", capsys=capsys)
        other.kill()
    assert code == 2 and f"error: another process is at work on {tmp_path / 'run'}" in err
    code, _, err = run("train", "--resume", tmp_path / "run", capsys=capsys)  # it went with its process
    assert code == 0, err


def test_a_resume_refuses_clips_that_changed(clips, recipes, tmp_path, capsys):
    own = shutil.copytree(clips, tmp_path / "clips")
    code, _, err = run("train", own, "--recipe", recipes["head"], "--run", tmp_path / "run", capsys=capsys)
    assert code == 0, err
    changed = sorted((own / "dim").iterdir())[0]
    data = bytearray(changed.read_bytes())
    data[-1] ^= 1
    changed.write_bytes(data)
    code, _, err = run("train", "--resume", tmp_path / "run", capsys=capsys)
    assert code == 2 and f"1 clip of {tmp_path / 'run'} changed since it began, for example {changed}" in err


def test_temporary_files_go_with_the_next_start_if_their_process_is_dead(trained, tmp_path, capsys):
    shutil.copytree(trained["head"], tmp_path / "run")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    mine = prefix_of("last")
    dead = mine.replace(f"-{os.getpid()}-", f"-{ended.pid}-")
    for prefix in (mine, dead):
        (tmp_path / "run" / "checkpoints" / f"{prefix}abcd1234.ckpt").touch()
        (tmp_path / "run" / "checkpoints" / f"{prefix[:-9]}00000000-abcd1234.ckpt").touch()  # of another machine
    code, _, err = run("train", "--resume", tmp_path / "run", capsys=capsys)
    assert code == 0, err
    left = {path.name for path in (tmp_path / "run" / "checkpoints").glob(".*")}
    assert f"{mine}abcd1234.ckpt" in left and f"{dead}abcd1234.ckpt" not in left
    assert len(left) == 3


# Processes that read clips -----------------------------------------------------------------------------------------


def test_too_little_shared_memory_is_looked_at_before(clips, recipes, trained, tmp_path, capsys, monkeypatch):
    with small_disk(tmp_path / "shm", kilobytes=16) as memory:
        monkeypatch.setattr(loader_processes, "SHARED_MEMORY", memory)
        words = ("--recipe", recipes["head"], "--run", tmp_path / "run", "--training.workers", 2)
        code, _, err = run("train", clips, *words, capsys=capsys)
    assert code == 0, err
    assert "clips are read without processes of their own: 2 processes would need" in err
    weights = "model/model.safetensors"
    assert contents(tmp_path / "run", (weights,)) == contents(trained["head"], (weights,))


def test_shared_memory_that_is_full_ends_a_training_with_a_line(clips, recipes, tmp_path):
    """The real /dev/shm, made small for one process, whose look at it is turned off."""
    python = (
        "from muybridge.training import fitting; fitting.why_no_room = lambda *_, **__: ''; "
        "from muybridge.__main__ import main; main()"
    )
    words = ["train", str(clips), "--recipe", str(recipes["head"]), "--run", str(tmp_path / "run")]
    words = shlex.join([sys.executable, "-c", python, *words, "--training.workers", "1"])
    command = ["unshare", "-m", "sh", "-c", f"mount -t tmpfs -o size=64k tmpfs /dev/shm && {words}"]
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
        pytest.skip("a small /dev/shm needs the right to mount one")
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 2, ended.stderr
    assert "the shared memory of the processes that read clips is full" in ended.stderr
    assert "Traceback" not in ended.stderr.rpartition("error: ")[2]


def test_a_reading_process_that_dies_ends_the_training_soon(clips, recipes, tmp_path):
    python = (
        "import os, time; from muybridge.pipeline import loader_processes as l; make = l.SharingCollate.__call__; "
        "l.SharingCollate.__call__ = lambda s, i: os.kill(os.getpid(), 9) if l.get_worker_info() else make(s, i); "
        "from muybridge.__main__ import main; main()"
    )
    words = ["train", str(clips), "--recipe", str(recipes["head"]), "--run", str(tmp_path / "run")]
    begun = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", python, *words, "--training.workers", "1"], capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 2, ended.stderr
    assert "error: a process that reads clips died" in ended.stderr and "--resume" in ended.stderr
    assert time.monotonic() - begun < 60  # with the start of Python and torch


# A full disk -------------------------------------------------------------------------------------------------------

FREE_KILOBYTES = (0, 12, 400, 4000, 9000)


@pytest.mark.parametrize("free", FREE_KILOBYTES)
def test_on_a_full_disk_a_training_says_one_line_and_can_be_completed(free, recipes, clips, trained, tmp_path, capsys):
    with small_disk(tmp_path / "disk", kilobytes=60000) as disk:
        fill(disk, free_kilobytes=free)
        words = ("train", clips, "--recipe", recipes["head"], "--run", disk / "run")
        code, _, err = run(*words, capsys=capsys)
        assert code == 2 and "error: " in err and str(disk / "run") in err.rpartition("error: ")[2]
        assert "No space left on device" in err
        (disk / "filler").unlink()
        code, _, err = run("train", "--resume", disk / "run", capsys=capsys)
        if code:
            assert "start it anew" in err or "is not a run" in err
            code, _, err = run(*words, capsys=capsys)
        assert code == 0, err
        assert contents(disk / "run", MODEL_FILES) == contents(trained["head"], MODEL_FILES)


@pytest.mark.parametrize("free", (0, 4, 8, 12))
@pytest.mark.parametrize("verb", ["evaluate", "check", "report", "export", "ensemble", "sweep"])
def test_on_a_full_disk_finished_work_is_shown(verb, free, clips, recipes, trained, tmp_path, capsys):
    with small_disk(tmp_path / "disk", kilobytes=4000) as disk:
        fill(disk, free_kilobytes=free)
        words = {
            "evaluate": ("evaluate", trained["head"], "--out", disk / "out"),
            "check": ("check", clips, "--out", disk / "out", "--workers", 1),
            "report": ("report", trained["head"], "--out", disk / "page.html"),
            "export": ("export", trained["head"], "--to", "torch", "--out", disk / "out"),
            "ensemble": ("ensemble", trained["head"], trained["head"], "--run", disk / "out"),
            "sweep": ("sweep", recipes["head"], clips, "--over", "model.dropout=0.1,0.4", "--folder", disk / "out"),
        }[verb]
        if verb == "ensemble":
            shutil.copytree(trained["head"], tmp_path / "twin")
            words = ("ensemble", trained["head"], tmp_path / "twin", "--run", disk / "out")
        code, out, err = run(*words, capsys=capsys)
        assert code == 2
        assert "No space left on device" in err and str(disk) in err.rpartition("error: ")[2], err
        if free >= 8 and verb in ("evaluate", "ensemble"):  # with less it is refused before the work
            assert "top-1" in out
        if free >= 8 and verb == "check":
            assert "24 clips" in out


def test_on_a_full_disk_the_result_comes_as_json_too(trained, tmp_path, capsys):
    with small_disk(tmp_path / "disk", kilobytes=2000) as disk:
        fill(disk, free_kilobytes=4)
        code, out, _ = run("evaluate", trained["head"], "--out", disk / "out", "--json", capsys=capsys)
        assert code == 2
        assert json.loads(out)["clips"] > 0


def test_a_disk_that_cannot_be_written_is_told_by_the_name_that_was_asked_for(clips, trained, tmp_path, capsys):
    with small_disk(tmp_path / "disk", kilobytes=100) as disk:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        for words in (
            ("check", clips, "--workers", 1, "--out", disk / "out"),
            ("evaluate", trained["head"], "--out", disk / "out"),
            ("train", clips, "--epochs", 1, "--run", disk / "out", "--weights", "none"),
            ("export", trained["head"], "--to", "torch", "--out", disk / "out"),
        ):
            code, _, err = run(*words, capsys=capsys)
            assert code == 2
            assert f"error: {disk}/out" in err or f"error: {disk}/.out-fresh" in err, err
            assert "Read-only file system" in err


def test_a_full_cache_disk_is_told(clips, recipes, tmp_path, capsys):
    with small_disk(tmp_path / "disk", kilobytes=40) as disk:
        words = ("--recipe", recipes["head"], "--run", tmp_path / "run", "--cache.folder", disk)
        code, _, err = run("train", clips, *words, capsys=capsys)
        assert code == 2
        assert f"error: {disk}" in err and "No space left on device" in err and "--resume" in err


def test_a_disk_that_fails_while_it_writes_is_told(clips, recipes, trained, tmp_path, capsys, monkeypatch):
    """EIO comes where the system gives written pages to the disk: at fsync."""

    def fails(handle: int) -> None:
        raise OSError(5, os.strerror(5))

    monkeypatch.setattr(os, "fsync", fails)
    code, out, err = run("evaluate", trained["head"], "--out", tmp_path / "out", capsys=capsys)
    assert code == 2
    assert "top-1" in out
    assert f"error: {tmp_path / 'out' / 'predictions.csv'}: Input/output error" in err
    code, _, err = run("train", clips, "--recipe", recipes["head"], "--run", tmp_path / "run", capsys=capsys)
    assert code == 2
    assert "Input/output error" in err


def test_names_that_are_too_long_and_folders_that_are_files_are_told(clips, recipes, trained, tmp_path, capsys):
    (tmp_path / "file").touch()
    shutil.copytree(trained["head"], tmp_path / "twin")
    for bad in (tmp_path / ("n" * 300), tmp_path / "file" / "inside"):
        for words in (
            ("evaluate", trained["head"], "--out", bad),
            ("check", clips, "--workers", 1, "--out", bad),
            ("train", clips, "--recipe", recipes["head"], "--run", bad),
            ("report", trained["head"], "--out", bad / "page.html"),
            ("export", trained["head"], "--to", "torch", "--out", bad),
            ("ensemble", trained["head"], tmp_path / "twin", "--run", bad),
        ):
            code, _, err = run(*words, capsys=capsys)
            assert code == 2, words
            assert err.rpartition("error: ")[2].startswith(str(tmp_path)), (words, err)


# Flipped bits ------------------------------------------------------------------------------------------------------


def test_a_flipped_bit_in_a_model_is_told_or_changes_nothing(trained, tmp_path):
    truth = api.load(trained["head"], device="cpu")
    weights = {name: value.clone() for name, value in truth.net.state_dict().items()}
    model = tmp_path / "model"
    for seed in cases(few=20, many=200):
        generator = random.Random(seed)
        shutil.rmtree(model, ignore_errors=True)
        shutil.copytree(trained["head"] / "model", model)
        flip_bit(model / generator.choice(["model.safetensors", "model.json", "model.json"]), generator)
        try:
            loaded = api.load(model, device="cpu")
        except UserError:
            continue
        assert loaded.classes == truth.classes
        assert loaded.preprocessing == truth.preprocessing
        assert loaded.rejection == truth.rejection
        assert all(bool((value == weights[name]).all()) for name, value in loaded.net.state_dict().items())


def test_a_flipped_bit_in_a_checkpoint_or_the_cache_changes_nothing(clips, trained, recipes, tmp_path, capsys):
    """A training stopped half-way, then damaged: it ends as if nothing had happened, or says what is damaged."""
    cache = tmp_path / "cache"
    words = ("--recipe", recipes["head"], "--cache.folder", cache)
    code, _, err = run("train", clips, *words, "--run", tmp_path / "half", "--epochs", 2, capsys=capsys)
    assert code == 0, err
    text = (tmp_path / "half" / "recipe.yaml").read_text()
    (tmp_path / "half" / "recipe.yaml").write_text(text.replace("epochs: 2", "epochs: 4"))
    # As a kill between the second and the third epoch leaves it.
    checkpoints = tmp_path / "half" / "checkpoints"
    shutil.copy(checkpoints / "last.ckpt", checkpoints / "previous.ckpt")
    shutil.rmtree(tmp_path / "half" / "model")
    whole, told = set(), 0
    for seed in cases(few=10, many=200):
        generator = random.Random(seed)
        path = tmp_path / f"run-{seed}"
        shutil.copytree(tmp_path / "half", path)
        damaged = generator.choice(["last.ckpt", "best.ckpt", "cache"])
        file = path / "checkpoints" / damaged
        if damaged == "cache":
            file = generator.choice(sorted(cache.glob("??/*.frames")))
        flip_bit(file, generator)
        code, _, err = run("train", "--resume", path, capsys=capsys)
        if code:
            assert code == 2 and f"error: {file} is damaged" in err
            told += 1
        else:
            assert f"{file} is damaged" in err or damaged == "best.ckpt" or file.suffix == ".ckpt", err
            whole.add((path / "model" / "model.safetensors").read_bytes())
    assert len(whole) == 1
