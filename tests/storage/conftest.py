from collections.abc import Iterator

import pytest
from tests.helpers.s3_server import Bucket

from muybridge.storage.patience import STORAGE_SECONDS


@pytest.fixture(scope="module")
def server() -> Iterator[Bucket]:
    pytest.importorskip("moto", reason="needs moto")
    pytest.importorskip("s3fs", reason="needs pip install 'muybridge[s3]'")
    bucket = Bucket()
    yield bucket
    bucket.close()


@pytest.fixture
def bucket(server: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    import s3fs

    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(STORAGE_SECONDS, "30")
    s3fs.S3FileSystem.clear_instance_cache()  # it remembers the server of another module
    yield server
    server.faults()
