"""A URL stays one among paths, whatever is done with it."""

from pathlib import Path

import pytest

from muybridge.storage.urls import is_url, url_at


@pytest.mark.parametrize("url", ["s3://bucket/clips/a b.avi", "memory://x", "hf://owner/name", "gs://b/c", "az://c/d"])
def test_a_url_survives_being_a_path(url: str) -> None:
    assert is_url(url)
    assert url_at(url) == url_at(Path(url)) == url_at(Path(url).absolute()) == url
    assert url_at(Path(url) / "walk" / "a.avi") == f"{url}/walk/a.avi"
    assert url_at(Path(url).parent) is None or url.startswith(str(url_at(Path(url).parent)))


@pytest.mark.parametrize("text", ["clips", "/data/s3/clips", "C:/clips", "a:/b", "xs3:/b", "http://h/a.mp4", "s3:", ""])
def test_other_paths_are_none(text: str) -> None:
    assert not is_url(text)
    assert url_at(Path(text)) is None


def test_a_folder_of_that_name_comes_first(tmp_path: Path) -> None:
    assert url_at(tmp_path / "s3:" / "bucket" / "a.avi") == "s3://bucket/a.avi"
    (tmp_path / "s3:").mkdir()
    assert url_at(tmp_path / "s3:" / "bucket" / "a.avi") is None
