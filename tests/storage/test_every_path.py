"""Every path on the command line is a URL where that makes sense, and is refused in one line where it does not."""

import errno
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.helpers.clips import TINY, write_clip
from tests.helpers.commands import run

from muybridge import UserError, api, remote_runs
from muybridge.cli.application import app
from muybridge.help_screen import verbs
from muybridge.remote_folders import manifest_at
from muybridge.storage.remote_files import files_below, remove_remote, traffic

NOWHERE = "memory://nowhere/at-all"

COMMANDS = {
    ("demo", "--folder"): "demo --folder URL",
    ("get", "FOLDER"): "get hmdb51 URL",
    ("get", "--from"): "get hmdb51 new --from URL",
    ("annotations", "FILE"): "annotations URL --to csv",
    ("annotations", "--out"): "annotations TABLE --to csv --out URL",
    ("check", "--clips"): "check URL",
    ("check", "--data.groups"): "check CLIPS --data.groups URL",
    ("check", "--out"): "check CLIPS --out URL",
    ("train", "--clips"): "train URL",
    ("train", "--recipe"): "train CLIPS --recipe URL",
    ("train", "--run"): "train CLIPS --recipe small.yaml --run hf://nobody/nowhere",
    ("train", "--resume"): "train --resume URL",
    ("train", "--from"): "train CLIPS --from URL",
    ("train", "--clips-root"): "train --resume RUN --clips-root URL",
    ("train", "--data.groups"): "train CLIPS --recipe small.yaml --data.groups URL",
    ("train", "--data.lists"): "train CLIPS --recipe small.yaml --data.protocol official-1 --data.lists URL",
    ("train", "--features"): "train CLIPS --recipe probe.yaml --features URL",
    ("train", "--cache.folder"): "train CLIPS --recipe small.yaml --cache.folder URL",
    ("train", "--weights"): "train CLIPS --recipe small.yaml --weights URL",
    ("evaluate", "--run"): "evaluate URL",
    ("evaluate", "--clips"): "evaluate RUN URL",
    ("evaluate", "--data.groups"): "evaluate RUN CLIPS --data.groups URL",
    ("evaluate", "--data.lists"): "evaluate RUN CLIPS --data.protocol official-1 --data.lists URL",
    ("evaluate", "--unknown"): "evaluate RUN --unknown URL",
    ("evaluate", "--clips-root"): "evaluate RUN --clips-root URL",
    ("evaluate", "--out"): "evaluate RUN --out URL",
    ("predict", "MODEL"): "predict URL CLIP",
    ("predict", "VIDEOS"): "predict RUN URL",
    ("predict", "--out"): "predict RUN CLIP --out hf://nobody/nowhere",
    ("timeline", "--run"): "timeline URL CLIP",
    ("timeline", "--videos"): "timeline RUN URL",
    ("timeline", "--tune"): "timeline RUN --tune URL",
    ("timeline", "--truth"): "timeline RUN --truth URL",
    ("timeline", "--out"): "timeline RUN CLIP --out URL",
    ("watch", "RUN"): "watch URL CLIP",
    ("watch", "SOURCE"): "watch RUN URL",
    ("watch", "--out"): "watch RUN CLIP --out URL",
    ("watch", "--save-events"): "watch RUN CLIP --save-events URL",
    ("serve", "RUNS"): "serve URL",
    ("serve", "--tls-cert"): "serve RUN --tls-cert URL --tls-key KEY",
    ("serve", "--tls-key"): "serve RUN --tls-cert KEY --tls-key URL",
    ("serve", "--folder"): "serve RUN --folder URL",
    ("report", "RUNS"): "report RUN URL",
    ("report", "--clips-root"): "report RUN --clips-root URL",
    ("report", "--out"): "report RUN --out URL",
    ("ensemble", "RUNS"): "ensemble RUN URL",
    ("ensemble", "--run"): "ensemble RUN OTHER --run hf://nobody/nowhere",
    ("ensemble", "--clips-root"): "ensemble RUN OTHER --clips-root URL",
    ("sweep", "--clips"): "sweep small.yaml URL --over model.dropout=0,0.5",
    ("sweep", "--recipe"): "sweep URL CLIPS --over model.dropout=0,0.5",
    ("sweep", "--folder"): "sweep small.yaml CLIPS --over model.dropout=0,0.5 --folder URL",
    ("sweep", "--data.groups"): "sweep small.yaml CLIPS --over model.dropout=0,0.5 --data.groups URL",
    ("sweep", "--data.lists"): "sweep small.yaml CLIPS --over model.dropout=0,0.5 "
    "--data.protocol official-1 --data.lists URL",
    ("sweep", "--features"): "sweep probe.yaml CLIPS --over model.dropout=0,0.5 --features URL",
    ("sweep", "--cache.folder"): "sweep small.yaml CLIPS --over model.dropout=0,0.5 --cache.folder URL",
    ("sweep", "--weights"): "sweep small.yaml CLIPS --over model.dropout=0,0.5 --weights URL",
    ("export", "RUN"): "export URL --to torch",
    ("export", "--out"): "export RUN --to torch --out URL",
    ("export", "--clips-root"): "export RUN --to torch --clips-root URL",
    ("pack", "--recipe"): "pack CLIPS new --kind features --recipe URL",
    ("pack", "--clips"): "pack URL new",
    ("pack", "--data.groups"): "pack CLIPS new --data.groups URL",
    ("pack", "--out"): "pack CLIPS URL",
    ("unpack", "--shards"): "unpack URL new",
    ("unpack", "--out"): "unpack SHARDS URL",
    ("push", "SOURCE"): "push URL memory://some/where",
    ("push", "URL"): "push RUN nowhere",
    ("encode", "RECIPE"): "encode URL CLIPS new",
    ("encode", "CLIPS"): "encode default URL new",
    ("encode", "OUT"): "encode default CLIPS hf://nobody/nowhere",
    ("recipes", "NAME"): "recipes URL",
    ("runs", "--folder"): "runs URL",
    ("cache", "--dataset"): "cache --clear URL",
    ("cache", "--folder"): "cache --folder URL",
}  # fmt: skip


STILL = {"zoom": 0, "flip": False, "rotation_degrees": 0, "shift": 0, "brightness": 0}
NO_PATHS = {
    "--device", "--engine", "--name", "--recipe-name", "--annotations.tier", "--data.annotation-tier", "--data.classes",
    "--data.test-groups", "--augment.no-flip-classes", "--model.encoder", "--model.trainable", "--format", "--on-event",
    "--webhook", "--mqtt", "--host", "--token", "--allow-host", "--allow-url", "--label-studio-url", "--over",
    "--mirror", "DATASET",
}  # fmt: skip
"""Texts that are no paths: names, addresses of other kinds, patterns."""


def test_every_path_is_among_them() -> None:
    """Who adds an option says whether it may be a URL."""
    found = set()
    for verb in verbs(app):
        for argument in app[verb].assemble_argument_collection():
            hint = str(argument.hint)
            is_text = "str" in hint and "Literal" not in hint and not NO_PATHS & {*argument.names}
            if argument.show and ("Path" in hint or is_text):
                found.add((verb, argument.names))
    missing = [(verb, names) for verb, names in found if not any((verb, name) in COMMANDS for name in names)]
    assert not missing
    assert len(COMMANDS) == len(found)


@pytest.fixture(scope="module")
def things(clips: Path, tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the commands need besides. Not to be changed."""
    folder = tmp_path_factory.mktemp("things")
    for name in ("tiny", "other"):
        shutil.copytree(tiny_run, folder / name)
    api.pack(clips, folder / "shards")
    (folder / "table.csv").write_text("video,start,end,label\nlong.avi,0,1,jump\n")
    write_clip(folder / "long.avi", level=60, seed=1, frames=30)
    (folder / "key.pem").write_text("no key")
    paths = {
        "RUN": "tiny",
        "OTHER": "other",
        "SHARDS": "shards",
        "CLIP": "long.avi",
        "TABLE": "table.csv",
        "KEY": "key.pem",
    }
    return {"CLIPS": str(clips), **{word: str(folder / name) for word, name in paths.items()}}


@pytest.mark.parametrize(("verb", "name"), COMMANDS)
def test_a_url_that_leads_nowhere_is_one_line(
    verb: str,
    name: str,
    things: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(json.dumps(TINY))
    model = {"width": 0.25, "weights": "none", "trainable": "none", "head": "probe"}
    probe = {**TINY, "model": model, "augment": STILL, "sampler": {"frames": 4, "jitter": 1}}
    (tmp_path / "probe.yaml").write_text(json.dumps(probe))
    words = [things.get(word, word) for word in COMMANDS[verb, name].replace("URL", NOWHERE).split()]
    code, out, err = run(*words, capsys=capsys)
    assert code == 2, (out, err)
    assert err.count("error:") == 1 and "Traceback" not in err, err
    line = err.rpartition("error: ")[2]
    url = next(word for word in words if "nowhere" in word)
    assert url in line, line
    assert not list(tmp_path.glob("memory:*")), "a folder was made that is called as a URL"
    assert not files_below("memory://nowhere")


@pytest.fixture
def remote(things: dict[str, str]) -> Iterator[str]:
    """A run in a bucket."""
    url = "memory://bucket/runs/tiny"
    api.push(things["RUN"], url)
    yield url
    for file in files_below("memory://bucket"):
        remove_remote(file)


def test_results_of_a_run_in_a_bucket_are_uploaded(remote: str, things: dict[str, str], tmp_path: Path) -> None:
    before = set(manifest_at(remote).files)
    here = api.evaluate(things["RUN"], out=tmp_path / "here")
    assert api.evaluate(remote).to_dict() == here.to_dict()
    page = api.report([remote])
    api.export(remote, to="torch")
    api.timeline(remote, [things["CLIP"]], formats=["csv"])
    new = set(manifest_at(remote).files) - before
    assert page.name == "report.html" and page.is_file()
    assert {"evaluations/test/evaluation.json", "exports/torch-fp32/export.json", "timelines/long.csv"} <= new
    assert "fp32" in api.load(remote, engine="torch-fp32").engine.name
    assert not list(tmp_path.glob("memory:*"))
    assert here.to_dict()["clips"] == 4


def test_what_cannot_be_uploaded_is_measured_and_told(
    remote: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As with the bucket of another, which one may read."""

    def refused(folder: Path, url: str, **_: object) -> None:
        raise PermissionError(errno.EACCES, "Access Denied", url)

    monkeypatch.setattr(remote_runs, "upload_folder", refused)
    code, out, err = run("evaluate", remote, capsys=capsys)
    assert (code, "top-1" in out) == (0, True)
    assert f"note: {remote} cannot be reached: Access Denied; the run is kept in" in err
    code, _, err = run("export", remote, "--to", "torch", capsys=capsys)
    assert (code, err.count("error:")) == (2, 1)
    assert f"error: {remote} cannot be reached: Access Denied; the run is kept in" in err


def test_a_result_beside_the_run_leaves_the_bucket_alone(remote: str, things: dict[str, str], tmp_path: Path) -> None:
    before = manifest_at(remote)
    api.report([remote], out=tmp_path / "page.html")
    api.report([remote, things["OTHER"]], out=tmp_path / "both.html")
    api.export(remote, to="torch", out=tmp_path / "export")
    api.timeline(remote, [things["CLIP"]], formats=["csv"], out=tmp_path / "timelines")
    assert manifest_at(remote) == before
    assert "tiny" in (tmp_path / "both.html").read_text()


def test_an_ensemble_of_runs_in_a_bucket_is_a_run_there(remote: str, things: dict[str, str]) -> None:
    url = "memory://bucket/runs/together"
    result = api.ensemble([remote, things["OTHER"]], run=url)
    assert result.to_dict()["run"] == url
    assert api.load(url).members.keys() == {"tiny", "other"}
    with pytest.raises(UserError, match="together is already there"):
        api.ensemble([remote, things["OTHER"]], run=url)


def test_runs_in_a_bucket_are_listed_without_what_is_large(
    remote: str, things: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    api.push(things["OTHER"], "memory://bucket/runs/more/other")
    here = {run.name: run for run in api.list_runs(Path(things["RUN"]).parent).runs}
    before = traffic.size_bytes
    code, out, err = run("runs", "memory://bucket/runs", "--json", capsys=capsys)
    assert code == 0, err
    fetched = traffic.size_bytes - before
    found = {each["name"]: each for each in json.loads(out)["runs"]}
    assert found.keys() == {"tiny", "more/other"}
    weights = (Path(things["RUN"]) / "model" / "model.safetensors").stat().st_size
    assert fetched < 2 * weights
    for name, other in (("tiny", here["tiny"]), ("more/other", here["other"])):
        assert found[name]["path"] == f"memory://bucket/runs/{name}"
        expected = other.to_dict()
        for key in ("accuracy", "recipe", "protocol", "data", "started", "problem", "kind"):
            assert found[name][key] == expected[key], key
        assert found[name]["size_bytes"] == pytest.approx(expected["size_bytes"], rel=0.05)


def test_a_run_goes_from_one_bucket_to_another(remote: str) -> None:
    api.push(remote, "memory://bucket/elsewhere")
    assert manifest_at("memory://bucket/elsewhere") == manifest_at(remote)
