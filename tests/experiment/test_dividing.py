"""What is said about the clips before a training."""

import shutil

from muybridge.experiment.dividing import LISTED_TWINS, divide
from muybridge.recipes.data import DataConfig


def test_hundreds_of_byte_identical_files_are_counted_and_a_few_named(clips, tmp_path):
    folder = tmp_path / "clips"
    shutil.copytree(clips, folder)
    files = sorted(path for path in folder.glob("*/*") if path.is_file())
    for path in files[: LISTED_TWINS + 2]:
        shutil.copy(path, path.with_name(f"again-{path.name}"))
    notes = [note for note in divide(folder, DataConfig()).notes if "byte-identical" in note]
    assert len(notes) == LISTED_TWINS + 1
    assert notes[-1] == f"{LISTED_TWINS + 2} sets of files are byte-identical in all; muybridge check lists them"
