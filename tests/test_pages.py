"""README and docs: every code block runs, every link leads somewhere, every table is as the data say."""

import importlib.util
import json
import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from muybridge import cli
from muybridge.evaluation.intervals import wilson
from muybridge.files import content_hash
from muybridge.models.encoders.mobilenet import MobileNetV1
from muybridge.models.encoders.movinet import MoViNetA0Mobile
from muybridge.models.weights import finding
from muybridge.recipes.store import load_recipe
from muybridge.verbs.demo.clips import PlannedClip, encode, render_frames
from tests.helpers.pages import PAGES, ROOT, Block, anchors, blocks, links

BLOCKS = [block for page in PAGES for block in blocks(page)]
QUICK = {"--epochs": "1", "--frames": "4", "--size-px": "32", "--training.workers": "0"}
"""What is added to a training of the pages, where it is not said there, so that it takes a second."""
SHORTENED = ("train", "sweep")
LONGEST_LINE = 100
RUNS_OF_RECIPES = {
    "mobilenet-bilstm": ("mobilenet-bilstm", "ucf-grouped", "ucf-random"),
    "report-alexnet": ("report-alexnet", "alexnet-10"),
    "report-mobilenet": ("mobilenet-10",),
    "report-mobilenet-small": ("report-mobilenet-small", "small-10"),
}
"""The runs in the data that a recipe was measured by, where they have another name."""
UNTRAINED = {
    "mobilenetv1_100_timm.safetensors": MobileNetV1,
    "movinet_a0_stream_k600_int8dequant_fp16.safetensors": MoViNetA0Mobile,
}
"""The published files whose networks stand in for them."""
MADE_BEFORE = ("runs/mine", "runs/other", "runs/first")
"""Runs that a page may use without having trained them."""

spec = importlib.util.spec_from_file_location("tables", ROOT / "docs" / "tables.py")
assert spec is not None and spec.loader is not None
tables = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tables)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    """Two of the demo's actions, four takes of each, two clips of each take, a folder for each action."""
    folder = tmp_path_factory.mktemp("drawn")
    rows = ["path,label,group"]
    for number, action in enumerate(("walk_left", "walk_right")):
        (folder / action).mkdir()
        for take in range(4 * number + 1, 4 * number + 5):
            for clip in (1, 2):
                planned = PlannedClip(action=action, take=take, number=clip, seed=0)
                encode(folder / planned.path, render_frames(planned))
                rows.append(f"{planned.path},{action},game{take}")
    (folder.parent / "drawn.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="module", autouse=True)
def weights(tmp_path_factory):
    """Weights that have learned nothing in place of the published ones: what a page does needs no more."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    known = []
    for entry in finding.PRETRAINED:
        if make := UNTRAINED.get(entry.file_name):
            save_file(make(output="logits").state_dict(), folder / entry.file_name)
            entry = replace(entry, sha256=content_hash(folder / entry.file_name))
        known.append(entry)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finding, "PRETRAINED", tuple(known))
        patch.setenv("MUYBRIDGE_WEIGHTS", str(folder))
        yield


def write_annotations(folder: Path) -> None:
    """Longer videos, game_1.mp4 and so on, and annotations.csv, which says that each begins with its action."""
    rows = ["video,start,end,label"]
    for number, clip in enumerate(sorted((folder / "my_clips").glob("*/*.mp4")), 1):
        shutil.copy(clip, folder / f"game_{number}.mp4")
        rows.append(f"game_{number}.mp4,0,0:00.400,{clip.parent.name}")
    (folder / "annotations.csv").write_text("\n".join(rows) + "\n")


@pytest.fixture(scope="module")
def work(drawn, weights, tmp_path_factory):
    """Makes a folder that holds what the pages name; one for each page, where its blocks run in their order."""
    made: dict[str, tuple[Path, dict]] = {}
    trained = tmp_path_factory.mktemp("trained")

    def folder_of(page: str) -> tuple[Path, dict]:
        if page not in made:
            folder = tmp_path_factory.mktemp("page")
            shutil.copytree(drawn, folder / "my_clips")
            table = (drawn.parent / "drawn.csv").read_text()
            (folder / "my_clips.csv").write_text(table.replace("\nwalk_", "\nmy_clips/walk_"))
            write_annotations(folder)
            shutil.copytree(drawn, folder / "muybridge-demo" / "clips")
            (folder / "muybridge-demo" / "clips" / "clips.csv").write_text(table)
            shutil.copy(next((drawn / "walk_left").glob("*.mp4")), folder / "holiday.mp4")
            (folder / "runs").mkdir()
            code = "\n".join(block.code for block in BLOCKS if block.page == page and not block.reason)
            for name in MADE_BEFORE:
                if name in code and f"--run {name}" not in code:
                    shutil.copytree(finished(Path(name).name), folder / name)
            made[page] = folder, {"__name__": "__main__"}
        return made[page]

    def finished(name: str) -> Path:
        if not (trained / name).exists():
            clips = trained / "my_clips"
            if not clips.exists():
                shutil.copytree(drawn, clips)
            seed = str(len(list(trained.iterdir())))
            command(f"muybridge train {clips} --recipe demo --training.seed {seed} --run {trained / name}")
        return trained / name

    return folder_of


@pytest.mark.blocks
@pytest.mark.parametrize("block", [each for each in BLOCKS if not each.reason], ids=str)
def test_a_block_runs(block: Block, work, monkeypatch, capsys):
    if block.language in ("text", "csv"):
        return
    folder, names = work(block.page)
    monkeypatch.chdir(folder)
    if block.language == "bash":
        for line in block.code.replace("\\\n", " ").splitlines():
            command(line)
    elif block.language == "python":
        exec(compile(block.code, str(block), "exec"), names)
    elif block.language == "yaml":
        Path("block.yaml").write_text(block.code)
        Path("block.yaml").rename(f"{load_recipe('block.yaml').name}.yaml")
    else:
        pytest.fail(f"{block}: write code in a fence of bash, python, yaml or text, not {block.language!r}")


def command(line: str) -> None:
    """Run a line of a shell block: muybridge in this process, what else is allowed in one of its own."""
    words = shlex.split(line, comments=True)
    if not words:
        return
    if words[0] == "cp":
        subprocess.run(words, check=True)
        return
    assert words[0] == "muybridge", f"{line!r} cannot be run here; say why in a comment '<!-- not run: ... -->'"
    if words[1] in SHORTENED:
        words += [word for option, value in QUICK.items() if option not in words for word in (option, value)]
    try:
        cli.main(words[1:])
    except SystemExit as leave:
        assert not leave.code, f"{line!r} ended with {leave.code}"


def test_few_blocks_are_left_out_and_each_says_why():
    left_out = [block for block in BLOCKS if block.reason]
    assert len(left_out) <= 20
    assert all(len(block.reason.split()) >= 2 for block in left_out)


def test_a_block_that_fails_is_noticed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AssertionError, match="ended with 2"):
        command("muybridge predict runs/nowhere holiday.mp4")
    with pytest.raises(AssertionError, match="cannot be run here"):
        command("make demo")
    capsys.readouterr()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_inside_leads_somewhere(page):
    for link in links(page):
        if "://" in link or link.startswith("mailto:"):
            continue
        target, _, anchor = link.partition("#")
        file = (page.parent / target).resolve() if target else page
        assert file.is_file(), f"{page}: {link}"
        assert not anchor or anchor in anchors(file), f"{page}: {link} names no heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_line_is_too_long(page):
    """Rows of tables cannot be broken."""
    lines = page.read_text(encoding="utf-8").splitlines()
    long = [n for n, line in enumerate(lines, 1) if len(line) > LONGEST_LINE and not line.startswith("|")]
    assert not long, f"{page}: lines {long} have more than {LONGEST_LINE} characters"


def test_tables_and_pictures_are_as_the_data_say():
    assert tables.outdated() == [], "run python docs/tables.py"


def test_every_table_is_shown_and_every_record_has_its_facts():
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    shown = {name for _, kind, name, _ in tables.BLOCK.findall(text) if kind == "table"}
    assert shown == set(tables.TABLES)
    for id, made in tables.experiments().items():
        assert made["commands"] and made["commit"] and made["versions"], id
        assert made["machine"] in tables.machines(), id
        assert all((tables.RESULTS / file).is_file() for file in made["files"]), id


def test_accuracies_are_possible_and_their_intervals_are_wilsons():
    rows = tables.read("accuracy.csv")
    assert len({row["id"] for row in rows}) == len(rows)
    for row in rows:
        correct, clips = int(row["correct"]), int(row["clips"])
        assert row["experiment"] in tables.experiments(), row["id"]
        assert row["machine"] in tables.machines(), row["id"]
        if row["leak"]:
            assert int(row["leak"]) <= clips, row["id"]
            assert row["protocol"] != "grouped" or row["leak"] == "0", row["id"]
        if row["wilson_low"]:
            interval = wilson(correct, clips)
            found = f"{100 * interval.low:.1f}", f"{100 * interval.high:.1f}"
            assert found == (row["wilson_low"], row["wilson_high"]), row["id"]


def test_an_edited_table_is_noticed(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(tables.filled("<!-- table calibration -->\n<!-- end -->\n"))
    monkeypatch.setattr(tables, "PAGES", (page,))
    monkeypatch.setattr(tables, "DOCS", tmp_path / "docs")
    monkeypatch.setattr(tables, "PICTURES", {})
    assert tables.outdated() == []
    page.write_text(page.read_text().replace("21.7", "21.6"))
    assert tables.outdated() == ["page.md"]


def test_accuracies_that_recipes_state_are_those_of_the_data():
    """The package carries a few of the figures, for `muybridge recipes`."""
    file = ROOT / "src" / "muybridge" / "recipes" / "measured.json"
    if not file.exists():
        pytest.skip("no recipe states an accuracy")
    rows = tables.read("accuracy.csv", part="test")
    for name, recipe in json.loads(file.read_text(encoding="utf-8"))["recipes"].items():
        for stated in recipe["measured"]:
            counts = stated["protocol"], str(stated["correct"]), str(stated["clips"])
            found = [
                (row["wilson_low"], row["wilson_high"])
                for row in rows
                if row["run"] in RUNS_OF_RECIPES.get(name, (name,))
                and (row["protocol"], row["correct"], row["clips"]) == counts
            ]
            assert tuple(f"{100 * end:.1f}" for end in stated["interval"]) in found, name
