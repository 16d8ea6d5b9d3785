"""Splits over files of a few bytes: nothing here opens a video."""

import shutil
from pathlib import Path

import pytest

from muybridge.dataset.catalog import Clip
from muybridge.dataset.split import Split
from muybridge.errors import UserError
from muybridge.inference.recognizer import Recognizer
from muybridge.models.network import build
from muybridge.recipes.model import ModelConfig
from muybridge.verbs.ensemble.membership import Member, common_split
from muybridge.video.sampling import UniformSampler

NAMES = [f"{label}/{group}{clip}.avi" for label in ("run", "sit") for group in "pqrst" for clip in (1, 2)]
RECOGNIZER = Recognizer(
    build(ModelConfig(encoder="small", weights="none", head_widths=(4,)), 2),
    classes=["run", "sit"],
    sampler=UniformSampler(frames=2),
    size_px=32,
    device="cpu",
)


def write_files(root: Path) -> Path:
    for name in NAMES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return root


@pytest.fixture
def root(tmp_path) -> Path:
    return write_files(tmp_path / "data")


def clip(root: Path, name: str, **values) -> Clip:
    """The source group of run/p1.avi is run_p."""
    label, stem = name.split("/")
    return Clip(**{"path": root / name, "label": label, "group": f"{label}_{stem[0]}", "root": root} | values)


def member(
    root: Path,
    *,
    name: str = "a",
    validation: str = "s",
    test: str = "t",
    protocol: str = "grouped",
    leave_out: str = "",
    labels: dict[str, str] | None = None,
) -> Member:
    """A run whose validation and test parts hold the groups, or clips, with these letters."""
    clips, parts = [], {"train": [], "validation": [], "test": []}
    for file in sorted(path for path in root.rglob("*.avi")):
        known = clip(root, file.relative_to(root).as_posix())
        if labels and known.id in labels:
            known = clip(root, known.id, label=labels[known.id])
        if leave_out and any(word in known.id for word in leave_out.split()):
            continue
        part = next(
            (
                p
                for p, words in (("test", test), ("validation", validation))
                if any(w in file.stem for w in words.split())
            ),
            "train",
        )
        clips.append(known)
        parts[part].append(known.id)
    split = Split(protocol, 0, *(tuple(ids) for ids in parts.values()), tuple(clips), (f"note of {name}",))
    return Member(name, Path("runs") / name, split, RECOGNIZER)


def test_members_of_one_split_share_it(root):
    first, second = member(root), member(root, name="b")
    split, leak = common_split([first, second])
    assert split.hash == first.split.hash
    assert split.protocol == "grouped"
    assert (leak.test_clips, leak.test_shared, leak.validation_shared) == (4, 0, 0)
    assert split.notes == ("note of a", "note of b")
    alone, _ = common_split([first])
    assert alone.hash == first.split.hash


def test_a_member_fitted_on_test_clips_is_refused_with_their_names(root):
    for second in (
        member(root, name="b", test="p", validation="s"),  # in its train part
        member(root, name="b", test="s", validation="t"),  # in its validation part
    ):
        with pytest.raises(UserError) as caught:
            common_split([member(root), member(root, name="c"), second])
        assert "runs/b was fitted on 4 of the 4 test clips of runs/a" in str(caught.value)
        assert "run/t1.avi, run/t2.avi, sit/t1.avi, sit/t2.avi" in str(caught.value)
        assert "data.split_seed" in str(caught.value)


def test_one_clip_is_enough(root):
    with pytest.raises(UserError, match=r"fitted on 2 of the 4 test clips .*: run/t2\.avi, sit/t2\.avi;"):
        common_split([member(root), member(root, name="b", test="t1 p1")])


def test_renamed_copies_are_seen_by_their_bytes(root, tmp_path):
    """A copy with other names and groups, in which p and t have changed places."""
    other = tmp_path / "other"
    for name in NAMES:
        label, stem = name.split("/")
        renamed = other / label / f"x{stem}".translate(str.maketrans("pt", "tp"))
        renamed.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / name, renamed)
    with pytest.raises(UserError, match=r"runs/b was fitted on 4 of the 4 test clips of runs/a.*: run/t1\.avi"):
        common_split([member(root), member(other, name="b")])


def test_the_same_split_of_a_copied_data_set_is_one_split(root, tmp_path):
    copied = write_files(tmp_path / "copied")
    first = member(root)
    split, leak = common_split([first, member(copied, name="b")])
    assert split.hash == first.split.hash
    assert {clip.root for clip in split.clips} == {root}
    assert leak.test_identical == 0


def test_a_copy_that_is_gone_is_known_by_its_names(root, tmp_path):
    copied = write_files(tmp_path / "copied")
    same, other = member(copied, name="b"), member(copied, name="b", test="p")
    shutil.rmtree(copied)
    assert common_split([member(root), same])[0].hash == member(root).split.hash
    with pytest.raises(UserError, match="fitted on 4 of the 4 test clips"):
        common_split([member(root), other])


def test_parts_of_one_file_are_clips_of_their_own(root):
    def parts(test_start: float, starts: tuple[float, ...] = (0, 1, 2, 3)) -> Member:
        made = [
            clip(root, name, start_seconds=start, end_seconds=start + 1)
            for name in ("run/p1.avi", "sit/p1.avi")
            for start in starts
        ]
        test = tuple(c.id for c in made if c.start_seconds == test_start)
        validation = tuple(c.id for c in made if c.start_seconds == 3)
        train = tuple(c.id for c in made if c.id not in test + validation)
        return Member("b", Path("runs/b"), Split("random", 0, train, validation, test, tuple(made)), RECOGNIZER)

    split, leak = common_split([parts(0, (0, 1, 3)), parts(0)])
    assert len(split.test) == leak.test_identical == 2
    assert len(split.train) == 4
    with pytest.raises(UserError, match="fitted on 2 of the 2 test clips"):
        common_split([parts(0), parts(1)])


def test_a_twin_in_the_members_own_split_is_a_leak_that_is_told_not_an_error(root):
    (root / "run/p1.avi").write_bytes((root / "run/t1.avi").read_bytes())
    split, leak = common_split([member(root), member(root, name="b")])
    assert leak.test_identical == 1
    assert "1 of 4 test clips share a source with train (1 byte for byte)" in str(leak)
    assert split.hash == member(root).split.hash


def test_another_test_part_is_refused(root):
    with pytest.raises(UserError, match=r"runs/b has another test part .*without run/t1\.avi, sit/t1\.avi; with none"):
        common_split([member(root), member(root, name="b", leave_out="t1")])
    with pytest.raises(UserError, match=r"without none; with run/t1\.avi, sit/t1\.avi besides"):
        common_split([member(root, leave_out="t1"), member(root, name="b")])


def test_labels_must_agree(root):
    swapped = {"run/t1.avi": "sit", "sit/t1.avi": "run"}
    with pytest.raises(UserError, match=r"label the same test clips differently: run/t1\.avi, sit/t1\.avi"):
        common_split([member(root), member(root, name="b", labels=swapped)])


def test_validation_is_what_all_members_kept_from_their_training(root):
    split, leak = common_split([member(root, validation="s r"), member(root, name="b", validation="s p")])
    assert split.validation == ("run/s1.avi", "run/s2.avi", "sit/s1.avi", "sit/s2.avi")
    assert len(split.train) == 12
    assert leak.validation_shared == 0
    with pytest.raises(UserError, match="no clip is in the validation part of every member"):
        common_split([member(root, validation="s"), member(root, name="b", validation="r")])


def test_siblings_that_only_one_member_saw(root):
    clean = member(root, leave_out="t2", protocol="grouped")
    sees_t2 = member(root, name="b", test="t1", protocol="given")
    with pytest.raises(UserError, match=r"protocols differ .*0 of 2 test clips .* runs/a .* 2 with those of all"):
        common_split([clean, sees_t2])
    # Under one protocol the leak is what it says.
    _, leak = common_split([clean, member(root, name="b", test="t1")])
    assert leak.test_in_group == 2


def test_protocols_may_differ_in_name_alone(root):
    split, _ = common_split([member(root), member(root, name="b", protocol="given")])
    assert split.protocol == "grouped and given"


def test_clips_must_be_there(root):
    first = member(root)
    (root / "sit/t1.avi").unlink()
    with pytest.raises(UserError, match=r"1 of .* clips of runs/a cannot be found, .*sit/t1\.avi; put them back"):
        common_split([first])


def test_a_run_without_test_clips(root):
    with pytest.raises(UserError, match="runs/a has no test clips"):
        common_split([member(root, test="nothing")])
