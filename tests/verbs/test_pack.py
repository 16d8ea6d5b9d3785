"""Packing clips into shards, and that every verb reads them as it reads the folder."""

import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.helpers.clips import tiny_recipe, write_clip, write_clips

from muybridge import api
from muybridge.dataset.layouts import read_catalog
from muybridge.dataset.protocols import make_split
from muybridge.errors import UserError
from muybridge.experiment.named_clips import read_clips
from muybridge.file_parts import open_bytes, part_at
from muybridge.recipes.data import DataConfig
from muybridge.runs import RunFolder
from muybridge.video.door import read_views
from muybridge.video.full_decoding import decode_fully
from muybridge.video.sampling import EverySampler, UniformSampler

SMALL = 0.0001  # gigabytes a shard: seven of the clips


@pytest.fixture(scope="module")
def shards(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The session's clips, packed. Not to be changed."""
    return api.pack(clips, tmp_path_factory.mktemp("packed") / "shards", shard_size_gb=SMALL).folder


def test_shards_are_plain_tar_files_of_samples(clips, shards):
    files = sorted(shards.glob("shard-*.tar"))
    assert len(files) == 4
    seen = {}
    for file in files:
        assert file.stat().st_size <= SMALL * 1e9 + 10_240  # tar fills its last record up
        with tarfile.open(file) as tar:
            members = tar.getmembers()
            for video, text in zip(members[::2], members[1::2], strict=True):
                assert video.name.rpartition(".")[0] == text.name.rpartition(".")[0]
                seen[video.name] = (tar.extractfile(video).read(), json.load(tar.extractfile(text)))
    assert len(seen) == 24  # keys are unique over all shards
    for data, about in seen.values():
        assert (clips / about["file"]).read_bytes() == data
        assert about["label"] == about["id"].split("/")[0]
        assert about["group_known"] and about["group"].startswith(f"{about['label']}_g")


def test_the_index_says_where_each_clip_lies(clips, shards):
    rows = pq.read_table(shards / "index.parquet").to_pylist()
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    for row in rows:
        with (shards / row["shard"]).open("rb") as file:
            file.seek(row["offset"])
            assert file.read(row["size_bytes"]) == (clips / row["file"]).read_bytes()


def test_the_catalog_is_that_of_the_folder(clips, shards):
    packed, plain = read_catalog(shards), read_catalog(clips)
    assert packed.layout == "shards"
    facts = [[(c.id, c.label, c.group, c.group_known, c.stem) for c in each.clips] for each in (packed, plain)]
    assert facts[0] == facts[1]
    assert make_split(packed).hash == make_split(plain).hash
    by_rule = [read_catalog(each, groups=r"_(g\d+)_") for each in (shards, clips)]
    assert [c.group for c in by_rule[0].clips] == [c.group for c in by_rule[1].clips]


def test_a_part_of_a_file_reads_as_the_file(clips, shards):
    for clip in read_catalog(shards).clips[:3]:
        whole = (clips / clip.id).read_bytes()
        with open_bytes(clip.path) as file:
            assert file.read() == whole
            assert file.seek(-10, os.SEEK_END) == len(whole) - 10
            assert file.read(100) == whole[-10:]
            assert file.read(1) == b""
    assert part_at(clips / "dim" / "a+b.avi") is None


@pytest.mark.parametrize("suffix", [".avi", ".mp4", ".mkv", ".webm", ".ts", ".mov"])
def test_frames_are_the_same_in_every_container(tmp_path, suffix):
    import av

    folder = tmp_path / "clips"
    for label in ("a", "b"):
        path = folder / label / f"one{suffix}"
        path.parent.mkdir(parents=True)
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libvpx" if suffix == ".webm" else "libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for level in range(40):
                image = np.full((48, 64, 3), 5 * level, dtype=np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(stream.encode())
    packed = api.pack(folder, tmp_path / "shards").folder
    for clip in read_catalog(packed).clips:
        for strategy in ("sequential", "seek", "auto"):
            [mine], [plain] = (
                read_views(path, UniformSampler(frames=5), count=1, strategy=strategy)
                for path in (clip.path, folder / clip.id)
            )
            np.testing.assert_array_equal(mine.frames_THWC, plain.frames_THWC)
            np.testing.assert_array_equal(mine.times_T, plain.times_T)


def test_predictions_and_evaluations_are_the_same(tiny_run, clips, shards):
    packed, plain = (list(api.predict(tiny_run, [each])) for each in (shards, clips))
    assert [p.path.relative_to(shards) for p in packed] == [p.path.relative_to(clips) for p in plain]
    assert [p.ranking for p in packed] == [p.ranking for p in plain]
    isolated = list(api.predict(tiny_run, [shards], isolate=True))
    assert [p.ranking for p in isolated] == [p.ranking for p in plain]


def test_training_from_shards_is_training_from_the_folder(tiny_run, clips, shards, tmp_path):
    recipe = tiny_recipe("--cache.folder", str(tmp_path / "cache"))
    run = api.train(shards, recipe, run=tmp_path / "run").run
    mine, plain = (json.loads(RunFolder(each).split.read_text()) for each in (run, tiny_run))
    assert mine["hash"] == plain["hash"]
    assert [c["sha256"] for c in mine["test"]] == [c["sha256"] for c in plain["test"]]
    scores = [(each / "predictions.csv").read_text().splitlines() for each in (run, tiny_run)]
    # All but the path of each clip.
    cells = [[line.split(",")[:1] + line.split(",")[2:] for line in lines] for lines in scores]
    assert cells[0] == cells[1]
    again = api.evaluate(run)
    # Runs know their clips by what they hold, wherever that lies.
    assert api.evaluate(run, clips_root=clips, out=tmp_path / "unpacked").top1 == again.top1
    assert api.evaluate(tiny_run, clips_root=shards, out=tmp_path / "packed").top1 == again.top1
    others = [api.evaluate(tiny_run, each, out=tmp_path / each.name) for each in (shards, clips)]
    assert others[0].top1 == others[1].top1
    assert others[0].leak == others[1].leak


def test_unpacking_gives_the_files_back(clips, shards, tmp_path):
    result = api.unpack(shards, tmp_path / "back")
    assert result.videos == 24
    for file in clips.rglob("*.avi"):
        assert (tmp_path / "back" / file.relative_to(clips)).read_bytes() == file.read_bytes()
    back, packed = read_catalog(tmp_path / "back"), read_catalog(shards)
    assert [(c.id, c.label, c.group) for c in back.clips] == [(c.id, c.label, c.group) for c in packed.clips]


def test_segments_share_their_video(tmp_path):
    folder = tmp_path / "long"
    folder.mkdir()
    for number, name in enumerate(("one", "two")):
        write_clip(folder / f"{name}.avi", level=100, seed=number, frames=50)
    rows = "one.avi,dim,0,0.4\none.avi,bright,0.5,0.9\ntwo.avi,dim,0,0.4\ntwo.avi,bright,1.5,\n"
    (folder / "clips.csv").write_text(f"path,label,start,end\n{rows}")
    packed = api.pack(folder, tmp_path / "shards").folder
    with tarfile.open(packed / "shard-000000.tar") as tar:
        assert len(tar.getmembers()) == 4
    mine, plain = read_catalog(packed), read_catalog(folder)
    facts = [[(c.id, c.label, c.group, c.start_seconds, c.end_seconds) for c in each.clips] for each in (mine, plain)]
    assert facts[0] == facts[1]
    assert len(mine.videos) == 2
    back = api.unpack(packed, tmp_path / "back").folder
    assert [c.id for c in read_catalog(back).clips] == [c.id for c in plain.clips]
    reports = [api.check(each, out=tmp_path / f"check-{each.name}").report for each in (packed, folder)]
    assert reports[0].segments is not None
    assert [c.duration_seconds for c in reports[0].clips] == [c.duration_seconds for c in reports[1].clips]
    with_background = [
        read_clips(each, DataConfig(background="all", background_guard_seconds=0.0)) for each in (packed, folder)
    ]
    ids = [[clip.id for clip in each.clips] for each in with_background]
    assert ids[0] == ids[1] and len(ids[0]) > 4
    assert all(decode_fully(clip.path).frame_count == 50 for clip in with_background[0].clips)


def test_a_killed_packing_goes_on(tmp_path):
    clips = write_clips(tmp_path / "clips", groups=20, per_group=4)
    command = [sys.executable, "-m", "muybridge", "pack", str(clips), str(tmp_path / "shards")]
    command += ["--shard-size-gb", "0.00003"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while len(list((tmp_path / "shards").glob("shard-*.tar"))) < 3 and time.monotonic() < until:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    there = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "shards").glob("shard-*.tar")}
    assert len(there) >= 3
    if not (tmp_path / "shards" / "index.parquet").exists():
        with pytest.raises(UserError, match="not packed to the end"):
            read_catalog(tmp_path / "shards")
    result = api.pack(clips, tmp_path / "shards", shard_size_gb=0.00003)
    # The last one may have been whole, but not in the journal yet.
    assert len(there) - 1 <= result.kept <= len(there)
    for name in sorted(there)[: result.kept]:
        assert (tmp_path / "shards" / name).stat().st_mtime_ns == there[name]
    whole = api.pack(clips, tmp_path / "whole", shard_size_gb=0.00003).folder
    for file in whole.iterdir():  # the same bytes as without a kill
        assert (tmp_path / "shards" / file.name).read_bytes() == file.read_bytes(), file.name
    assert not [path for path in (tmp_path / "shards").iterdir() if path.name.startswith(".muybridge")]


def test_other_clips_do_not_go_on_in_the_same_folder(tmp_path):
    clips = write_clips(tmp_path / "clips", groups=2, per_group=1)
    api.pack(clips, tmp_path / "shards")
    api.pack(clips, tmp_path / "shards")
    with pytest.raises(UserError, match="other clips or options"):
        api.pack(clips, tmp_path / "shards", seed=1)
    next(clips.rglob("*.avi")).unlink()
    with pytest.raises(UserError, match="other clips or options"):
        api.pack(clips, tmp_path / "shards")
    with pytest.raises(UserError, match="holds other files"):
        api.pack(clips, clips)
    (tmp_path / "early").mkdir()
    (tmp_path / "early" / ".lock").touch()  # all that a packing leaves that was killed at once
    assert api.pack(clips, tmp_path / "early").shards == 1


def test_damage_is_found(clips, tmp_path):
    packed = api.pack(clips, tmp_path / "shards", shard_size_gb=SMALL).folder
    clip = read_catalog(packed).clips[5]
    part = part_at(clip.path)
    with part.whole.open("r+b") as file:
        file.seek(part.offset + part.size_bytes - 40)
        file.write(b"\xaa" * 8)
    report = api.check(packed, out=tmp_path / "check").report
    [bad] = [checked for checked in report.clips if checked.problem]
    assert bad.clip.id == clip.id and "not those that were packed" in bad.problem
    with pytest.raises(UserError, match="not those that were packed"):
        api.unpack(packed, tmp_path / "back")
    result = api.train(packed, tiny_recipe("--cache.folder", str(tmp_path / "cache")), run=tmp_path / "run")
    assert clip.id in (result.run / "undecodable.json").read_text() or clip.id in str(result)
    with part.whole.open("ab") as file:
        file.write(b"\0")
    with pytest.raises(UserError, match="its index says"):
        read_catalog(packed)
    part.whole.unlink()
    with pytest.raises(UserError, match="is missing"):
        read_catalog(packed)


def _forge(packed: Path, **columns: object) -> None:
    table = pq.read_table(packed / "index.parquet")
    for name, value in columns.items():
        place = table.schema.get_field_index(name)
        cells = [value, *table.column(name).to_pylist()[1:]]
        table = table.set_column(place, table.schema.field(name), [cells])
    pq.write_table(table, packed / "index.parquet")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"shard": "../../secret.tar"}, "which it does not list"),
        ({"offset": -5}, "outside its shard"),
        ({"size_bytes": 10**12}, "outside its shard"),
        ({"sha256": "x"}, "no SHA-256"),
        ({"member": "../../etc/passwd"}, "no name of a member"),
        ({"split": "tset"}, "holds 'tset'"),
        ({"label": None}, "empty cells"),
    ],
)
def test_a_forged_index_is_refused(clips, tmp_path, columns, said):
    packed = api.pack(clips, tmp_path / "shards").folder
    _forge(packed, **columns)
    with pytest.raises(UserError, match=said):
        read_catalog(packed)


def test_an_index_cannot_unpack_outside(clips, tmp_path):
    packed = api.pack(clips, tmp_path / "shards").folder
    _forge(packed, id="../../outside.avi")
    with pytest.raises(UserError, match="does not lie below"):
        api.unpack(packed, tmp_path / "back")
    (packed / "index.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(UserError, match="cannot be read"):
        read_catalog(packed)


def test_a_missing_clip_is_named(tmp_path):
    folder = write_clips(tmp_path / "clips", groups=1, per_group=1)
    (folder / "dim" / "gone.avi").symlink_to(tmp_path / "nowhere.avi")
    with pytest.raises(UserError, match=r"gone\.avi"):
        api.pack(folder, tmp_path / "shards")
    assert not (tmp_path / "shards").exists()


def test_an_interrupted_check_goes_on(tmp_path):
    clips = write_clips(tmp_path / "clips", groups=10, per_group=4)
    packed = api.pack(clips, tmp_path / "shards").folder
    command = [
        sys.executable,
        "-m",
        "muybridge",
        "check",
        str(packed),
        "--out",
        str(tmp_path / "check"),
        "--workers",
        "1",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    journal, until = tmp_path / "check" / "check-journal.jsonl", time.monotonic() + 60
    while time.monotonic() < until and not (journal.exists() and journal.read_bytes().count(b"\n") >= 5):
        time.sleep(0.005)
    process.kill()
    process.wait()
    lines = journal.read_text().splitlines()
    assert 5 <= len(lines) < 80
    # One more line, cut off, and a finding that only the journal can have.
    path, state, found = json.loads(lines[0])
    lines[0] = json.dumps([path, state, {**found, "codec": "from the journal"}])
    journal.write_text("\n".join([*lines, '["/half']))
    result = api.check(packed, out=tmp_path / "check", resume=True)
    codecs = [checked.file.codec for checked in result.report.clips]
    assert codecs.count("from the journal") == 1 and codecs.count("mpeg4") == 79
    assert not journal.exists() and (tmp_path / "check" / "check.json").exists()


def test_a_file_that_changed_is_checked_again(clips, tmp_path):
    folder = write_clips(tmp_path / "clips", groups=1, per_group=1)
    [first, second] = sorted(folder.rglob("*.avi"))
    api.check(folder, out=tmp_path / "check")
    journal = tmp_path / "check" / "check-journal.jsonl"
    journal.write_text(
        "".join(
            json.dumps([str(p), [p.stat().st_size, p.stat().st_mtime_ns], "said before"]) + "\n"
            for p in (first, second)
        )
    )
    second.write_bytes(next(clips.rglob("*_g03_c01.avi")).read_bytes())
    report = api.check(folder, out=tmp_path / "check", resume=True).report
    assert [checked.problem for checked in report.clips] == ["said before", None]
    journal.write_text("no journal\n")
    with pytest.raises(UserError, match="line 1 is damaged"):
        api.check(folder, out=tmp_path / "check", resume=True)
    journal.write_text("no journal\n")
    assert not api.check(folder, out=tmp_path / "check").report.with_status("bad")


@pytest.fixture(scope="module", params=["jpeg", "avif", "tfrecord"])
def pictures(request, clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The session's clips, packed as pictures. Not to be changed."""
    out = tmp_path_factory.mktemp("packed") / "shards"
    result = api.pack(clips, out, kind=request.param, shard_size_gb=SMALL, quality=95)
    assert f"{'AVIF' if request.param == 'avif' else 'JPEG'} changes pixels" in str(result)
    return out


def test_pictures_are_the_frames_of_the_clips(clips, pictures):
    packed, plain = read_catalog(pictures), read_catalog(clips)
    assert [(c.id, c.label, c.group) for c in packed.clips] == [(c.id, c.label, c.group) for c in plain.clips]
    assert make_split(packed).hash == make_split(plain).hash
    for mine, theirs in list(zip(packed.clips, plain.clips, strict=True))[::6]:
        shown, meant = (read_views(c.path, EverySampler(every=1), count=1)[0] for c in (mine, theirs))
        assert shown.frame_count == meant.frame_count == 12
        np.testing.assert_allclose(shown.times_T, meant.times_T, atol=1e-6)
        assert np.abs(shown.frames_THWC.astype(int) - meant.frames_THWC).mean() < 6
        assert decode_fully(mine.path).problem is None


def test_training_on_pictures(pictures, tmp_path):
    run = api.train(pictures, tiny_recipe("--cache.folder", str(tmp_path / "cache")), run=tmp_path / "run").run
    assert api.evaluate(run).top1.clips == 4
    assert len(list(api.predict(run, [pictures], isolate=True))) == 24
    with pytest.raises(UserError, match="clips as pictures"):
        api.unpack(pictures, tmp_path / "back")


def test_each_picture_is_a_plain_file_of_the_tar(clips, tmp_path):
    import cv2

    packed = api.pack(clips, tmp_path / "shards", kind="jpeg", short_side_px=16).folder
    with tarfile.open(packed / "shard-000000.tar") as tar:
        names = tar.getnames()
        assert len(names) == 24 * 13
        about = json.load(tar.extractfile(names[12]))
        assert names[:13] == [f"{names[12].removesuffix('.json')}.{n:06}.jpg" for n in range(12)] + [names[12]]
        assert about["times_us"] == [40_000 * n for n in range(12)]
        image = cv2.imdecode(np.frombuffer(tar.extractfile(names[0]).read(), np.uint8), cv2.IMREAD_COLOR)
        assert image.shape == (16, 16, 3)


@pytest.mark.parametrize("kind", ["jpeg", "tfrecord"])
def test_twins_and_clips_that_do_not_decode(clips, tmp_path, kind):
    folder = write_clips(tmp_path / "clips", groups=3, per_group=1)
    twin = folder / "dim" / "v_dim_g09_c01.avi"
    twin.write_bytes((folder / "dim" / "v_dim_g01_c01.avi").read_bytes())
    (folder / "dim" / "v_dim_g08_c01.avi").write_bytes(b"no video")
    result = api.pack(folder, tmp_path / "shards", kind=kind)
    assert list(result.undecodable) == ["dim/v_dim_g08_c01.avi"] and result.clips == 7
    assert "v_dim_g08_c01.avi" in str(result)
    assert api.pack(folder, tmp_path / "shards", kind=kind).undecodable == result.undecodable
    catalog = read_catalog(tmp_path / "shards")
    [found] = catalog.duplicates
    assert {c.id for c in catalog.clips_in(found)} == {"dim/v_dim_g01_c01.avi", "dim/v_dim_g09_c01.avi"}
    split = make_split(catalog, validation_share=0.0)
    parts = [{c.id for c in split.clips_of(part)} for part in ("train", "test")]
    assert any({c.id for c in catalog.clips_in(found)} <= part for part in parts)


@pytest.mark.parametrize("kind", ["jpeg", "tfrecord"])
def test_segments_become_clips_of_their_own(clips, tmp_path, kind):
    folder = tmp_path / "long"
    folder.mkdir()
    (folder / "one.avi").write_bytes(next(clips.rglob("*_g01_c01.avi")).read_bytes())
    (folder / "clips.csv").write_text("path,label,start,end\none.avi,dim,0,0.2\none.avi,bright,0.2,0.4\n")
    packed = read_catalog(api.pack(folder, tmp_path / "shards", kind=kind).folder)
    plain = read_catalog(folder)
    assert [(c.id, c.label, c.group) for c in packed.clips] == [(c.id, c.label, c.group) for c in plain.clips]
    assert [decode_fully(c.path).frame_count for c in packed.clips] == [5, 5]
    assert len(packed.duplicates) == 1  # of one video, so they stay on one side
    assert len({c.group for c in packed.clips}) == 1


def test_damaged_pictures_are_an_error_of_the_clip(pictures):
    clip = read_catalog(pictures).clips[0]
    part = part_at(clip.path)
    data = bytearray(part.whole.read_bytes())
    for place in range(part.offset, part.offset + part.size_bytes, 97):
        data[place] ^= 0x5A
    damaged = pictures.parent / f"damaged{part.whole.suffix}"
    damaged.write_bytes(data)
    path = damaged / clip.path.relative_to(part.whole)
    try:
        found = decode_fully(path)
        assert found.problem is not None or found.frame_count
    except UserError as error:
        assert "pictures are damaged" in str(error) or "decodes" in str(error)
    cut = damaged / f"{part.offset}+40" / clip.path.name
    with pytest.raises(UserError, match="pictures are damaged"):
        decode_fully(cut)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kind": "zip"}, "unknown kind 'zip'"),
        ({"shard_size_gb": 0}, "shard_size_gb is 0"),
        ({"kind": "jpeg", "quality": 101}, "quality is 101"),
        ({"kind": "jpeg", "short_side_px": 3}, "short_side_px is 3"),
        ({"quality": 50}, "keeps the videos as they are"),
    ],
)
def test_options_that_make_no_sense(clips, tmp_path, options, said):
    with pytest.raises(UserError, match=said):
        api.pack(clips, tmp_path / "shards", **options)
    assert not (tmp_path / "shards").exists()


def test_what_is_taken_out_of_avif_images_is_what_ffmpeg_finds_in_them():
    import io

    import av

    from muybridge.verbs.pack.avif import to_avif
    from muybridge.video import frame_record

    generator = np.random.default_rng(0)
    for size in (16, 33, 128):
        image = to_avif(generator.integers(0, 255, (size, size + 6, 3), dtype=np.uint8), quality=60)
        with av.open(io.BytesIO(image), "r") as container:
            [packet] = [packet for packet in container.demux(container.streams.video[0]) if packet.size]
        assert frame_record._inside_avif(image) == bytes(packet)
