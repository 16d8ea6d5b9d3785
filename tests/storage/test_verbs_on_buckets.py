"""Clips, shards and runs in a bucket, by the commands that users type."""

import json
from contextlib import ExitStack
from pathlib import Path

import av
import numpy as np
import pytest
from tests.helpers.clips import TINY, write_clip
from tests.helpers.commands import run
from tests.helpers.s3_server import Bucket

from muybridge import UniformSampler, UserError, api, read_frames
from muybridge.dataset.layouts import read_catalog
from muybridge.remote_folders import MANIFEST
from muybridge.remote_runs import local_run, uploaded_run
from muybridge.storage.patience import STORAGE_SECONDS
from muybridge.storage.remote_files import files_below, read_remote, remove_remote, traffic, upload, write_remote
from muybridge.verbs.train import job


@pytest.fixture
def remote_clips(bucket: Bucket, clips: Path) -> str:
    url = f"{bucket.url}/data"
    for path in sorted(clips.rglob("*")):
        if path.is_file():
            upload(path, f"{url}/{path.relative_to(clips).as_posix()}")
    return url


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(json.dumps(TINY))
    return "tiny.yaml"


def test_a_folder_in_a_bucket_is_the_same_data_set(remote_clips: str, clips: Path) -> None:
    here, there = read_catalog(clips), read_catalog(Path(remote_clips))
    assert [(clip.id, clip.label, clip.group) for clip in there.clips] == [
        (clip.id, clip.label, clip.group) for clip in here.clips
    ]
    assert there.notes == here.notes
    sampler = UniformSampler(frames=4)
    for near, far in zip(here.clips[:3], there.clips[:3], strict=True):
        assert np.array_equal(read_frames(near.path, sampler).frames_THWC, read_frames(far.path, sampler).frames_THWC)


def test_a_table_in_a_bucket(remote_clips: str, clips: Path) -> None:
    rows = [f"{path.parent.name}/{path.name},{path.parent.name}" for path in sorted(clips.rglob("*.avi"))]
    write_remote(f"{remote_clips}/some.csv", "\n".join(["path,label", *rows[::2]]).encode())
    found = read_catalog(Path(f"{remote_clips}/some.csv"))
    assert [clip.id for clip in found.clips] == [row.split(",")[0] for row in rows[::2]]


def test_a_few_frames_of_a_long_video_do_not_fetch_it_whole(bucket: Bucket, tmp_path: Path) -> None:
    # Noise, so that half a minute is some megabytes.
    path = tmp_path / "long.mp4"
    generator = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("h264", rate=25, options={"crf": "18", "g": "25"})
        stream.width = stream.height = 160
        for _ in range(750):
            frame = av.VideoFrame.from_ndarray(generator.integers(0, 255, (160, 160, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    size_bytes = path.stat().st_size
    assert size_bytes > 6_000_000
    upload(path, f"{bucket.url}/long.mp4")
    before = traffic.size_bytes
    asked = {"start_seconds": 20.0, "end_seconds": 21.0}
    far = read_frames(Path(f"{bucket.url}/long.mp4"), UniformSampler(frames=2), **asked)
    assert traffic.size_bytes - before < size_bytes / 3
    assert np.array_equal(far.frames_THWC, read_frames(path, UniformSampler(frames=2), **asked).frames_THWC)


def test_train_predict_and_evaluate_without_a_folder(
    remote_clips: str, clips: Path, bucket: Bucket, recipe: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"{bucket.url}/runs/first"
    code, out, err = run("train", remote_clips, "--recipe", recipe, "--run", url, capsys=capsys)
    assert code == 0, err
    assert f"report: {url}/report.html" in out
    code, out, _ = run("train", clips, "--recipe", recipe, "--run", "here", "--json", capsys=capsys)
    assert json.loads(out)["test"]["clips"] > 0
    manifest = json.loads(read_remote(f"{url}/{MANIFEST}"))["files"]
    assert {"recipe.yaml", "split.json", "model/model.safetensors", "report.html"} <= manifest.keys()
    below = {name.removeprefix(f"{url}/") for name in files_below(url)}
    assert below == {*(f"objects/{sha256}" for sha256 in manifest.values()), MANIFEST, ".taken"}
    code, out, err = run("evaluate", url, clips, "--json", capsys=capsys)
    assert code == 0, err
    assert json.loads(out)["clips"] == 24
    model, other = api.load(url), api.load("here")
    clip = next(iter(sorted(clips.rglob("*.avi"))))
    assert model.predict(clip).to_dict(top=2) == other.predict(clip).to_dict(top=2)
    # Nothing secret is in any file.
    secrets = [bucket.environment["AWS_ACCESS_KEY_ID"], bucket.environment["AWS_SECRET_ACCESS_KEY"]]
    for name in below:
        assert not any(secret.encode() in read_remote(f"{url}/{name}") for secret in secrets), name


def test_a_name_is_taken_once(clips: Path, bucket: Bucket, recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"{bucket.url}/runs/taken"
    write_remote(f"{url}/.taken", b"somebody")
    code, _, err = run("train", clips, "--recipe", recipe, "--run", url, capsys=capsys)
    assert code == 2
    assert f"{url} is being written by another training; name another run" in err
    write_remote(f"{url}/recipe.yaml", b"x")
    code, _, err = run("train", clips, "--recipe", recipe, "--run", url, capsys=capsys)
    assert (code, "is already there" in err) == (2, True)
    # A training that does not begin gives the name back.
    free = f"{bucket.url}/runs/free"
    code, _, err = run(
        "train", clips, "--recipe", recipe, "--run", free, "--data.protocol", "official-1", capsys=capsys
    )
    assert code == 2
    assert not files_below(free)


def test_resuming_fetches_the_run_first(
    clips: Path, bucket: Bucket, recipe: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    whole, url = f"{bucket.url}/runs/whole", f"{bucket.url}/runs/resumed"
    assert run("train", clips, "--recipe", recipe, "--run", whole, capsys=capsys)[0] == 0

    from muybridge.training import callbacks

    shown = callbacks.EpochLines.on_train_epoch_end

    def interrupt(self, trainer, module):
        shown(self, trainer, module)
        if trainer.current_epoch == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(callbacks.EpochLines, "on_train_epoch_end", interrupt)
        assert run("train", clips, "--recipe", recipe, "--run", url, capsys=capsys)[0] == 130
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path / "another machine"))
    code, _, err = run("train", "--resume", url, capsys=capsys)
    assert code == 0, err
    assert f"fetching {url}" in err
    weights = "model/model.safetensors"
    assert (local_run(Path(url)) / weights).read_bytes() == (local_run(Path(whole)) / weights).read_bytes()


def test_two_machines_that_resume_one_run_lose_nothing(
    clips: Path, bucket: Bucket, recipe: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = f"{bucket.url}/runs/both"
    said: list[str] = []
    with uploaded_run(Path(url), announce=said.append) as place:
        assert place is not None
        place.mkdir(exist_ok=True)
        (place / "recipe.yaml").write_text("epoch 1")
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path / "another machine"))
    with (
        pytest.raises(UserError, match=r"was changed from elsewhere .* muybridge push .*another machine.* URL"),
        uploaded_run(Path(url), resumes=True, announce=said.append) as slow,
    ):
        assert slow is not None
        (slow / "recipe.yaml").write_text("epoch 2")
        with monkeypatch.context() as patch:
            patch.setenv("MUYBRIDGE_CACHE", str(tmp_path / "a third"))
            with uploaded_run(Path(url), resumes=True, announce=said.append) as fast:
                assert fast is not None
                (fast / "recipe.yaml").write_text("epoch 50")
    assert (local_run(Path(url)) / "recipe.yaml").read_text() == "epoch 50"
    assert (slow / "recipe.yaml").read_text() == "epoch 2"


def test_what_could_not_be_uploaded_can_be_later(
    clips: Path, bucket: Bucket, recipe: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"{bucket.url}/runs/late"
    monkeypatch.setenv(STORAGE_SECONDS, "1")
    absence = ExitStack()
    prepared = job.prepare

    def leave(*arguments, **options):
        absence.enter_context(bucket.away())
        return prepared(*arguments, **options)

    with absence, monkeypatch.context() as patch:
        patch.setattr(job, "prepare", leave)
        code, _, err = run("train", clips, "--recipe", recipe, "--run", url, capsys=capsys)
    assert code == 2
    advice = err.partition("upload it with: muybridge ")[2].split()
    assert advice[0] == "push", err
    code, _, err = run(*advice, capsys=capsys)
    assert code == 0, err
    assert api.load(url).classes == ("bright", "dim")


def test_a_run_of_this_name_that_was_removed_does_not_come_back(bucket: Bucket) -> None:
    url = f"{bucket.url}/runs/again"
    for number in ("one", "two"):
        with uploaded_run(Path(url), announce=print) as place:
            assert place is not None and not (place / "recipe.yaml").exists()
            if number == "one":
                place.mkdir()
                (place / "recipe.yaml").write_text(number)
        if number == "one":
            for name in files_below(url):
                remove_remote(name)
    assert not files_below(url)


def test_results_go_to_folders_of_this_machine(
    clips: Path, bucket: Bucket, recipe: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for words in (("check", clips, "--out", f"{bucket.url}/out"), ("pack", clips, f"{bucket.url}/packed-there")):
        code, _, err = run(*words, capsys=capsys)
        assert code == 2, words
        assert "results are written to a folder of this machine" in err, err
    assert not (tmp_path / "s3:").exists()


def test_shards_in_a_bucket(
    clips: Path,
    bucket: Bucket,
    recipe: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("pyarrow", reason="needs pip install 'muybridge[shards]'")
    assert run("pack", clips, "packed", capsys=capsys)[0] == 0
    for _ in range(2):  # the second has nothing to send
        assert run("push", "packed", f"{bucket.url}/packed", capsys=capsys)[0] == 0
    here, there = read_catalog(clips), read_catalog(Path(f"{bucket.url}/packed"))
    assert [clip.id for clip in there.clips] == [clip.id for clip in here.clips]
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path / "empty"))  # clips are decoded from the bucket
    code, _, err = run("train", f"{bucket.url}/packed", "--recipe", recipe, "--run", "far", "--json", capsys=capsys)
    assert code == 0, err
    assert run("train", clips, "--recipe", recipe, "--run", "near", capsys=capsys)[0] == 0
    assert (tmp_path / "far/model/model.safetensors").read_bytes() == (
        tmp_path / "near/model/model.safetensors"
    ).read_bytes()


def test_training_from_a_slow_bucket_that_fails_and_goes_away(
    remote_clips: str, bucket: Bucket, recipe: str, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    import threading
    import time

    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path / "empty"))
    bucket.faults(latency_seconds=0.05, failing_share=0.05)

    def leave() -> None:
        time.sleep(1.5)
        with bucket.away():
            time.sleep(3)

    absence = threading.Thread(target=leave)
    absence.start()
    code, _, err = run("train", remote_clips, "--recipe", recipe, "--run", "far", capsys=capsys)
    absence.join()
    assert code == 0, err
    assert run("train", clips, "--recipe", recipe, "--run", "near", capsys=capsys)[0] == 0
    assert (tmp_path / "far/model/model.safetensors").read_bytes() == (
        tmp_path / "near/model/model.safetensors"
    ).read_bytes()


def test_what_is_not_there_is_said_in_a_line(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_clip(tmp_path / "a.avi", level=90, seed=1)
    for words, said in {
        ("train", f"{bucket.url}/nothing"): f"{bucket.url}/nothing does not exist",
        ("predict", f"{bucket.url}/nothing", tmp_path / "a.avi"): f"{bucket.url}/nothing holds no run",
        ("train", "--resume", f"{bucket.url}/nothing"): "holds no run: there is no",
        ("check", "gs://bucket/clips"): "gs:// needs pip install 'muybridge[gs]'",
    }.items():
        code, _, err = run(*words, capsys=capsys)
        assert code == 2, words
        assert said in err, err
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    code, _, err = run("check", f"{bucket.url}/data", capsys=capsys)
    assert (code, "needs credentials" in err) == (2, True), err
    s3fs.S3FileSystem.clear_instance_cache()
