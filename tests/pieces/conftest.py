from pathlib import Path

import pytest
from tests.helpers.many_files import write_many
from tests.storage.conftest import bucket, server

from muybridge import api

__all__ = ["bucket", "server"]


@pytest.fixture(scope="package")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_many(tmp_path_factory.mktemp("many") / "clips")


@pytest.fixture(scope="package")
def undisturbed(many: Path, tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one call makes that nothing disturbs. Not to be changed."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    result = api.predict_many(tiny_run, [many], out, part_clips=6)
    assert (result.clips, result.undecodable, result.parts, result.kept) == (43, 3, 8, 0)
    return out
