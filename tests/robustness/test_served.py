"""Damaged videos as uploads to a real server: an answer each, and nothing left behind."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.helpers.mutated_videos import KINDS, make_seed, mutated
from tests.helpers.nightly import NIGHTLY
from tests.helpers.servers import RunningServer, running_server

VIDEOS = 2000 if NIGHTLY else 54


@pytest.fixture(scope="module")
def server(tiny_run, tmp_path_factory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("server"), tiny_run) as running:
        yield running


def test_damaged_videos_get_an_answer_each_and_leave_nothing(server, tmp_path):
    seeds = {}
    for kind in KINDS:
        make_seed(tmp_path / kind, kind)
        seeds[kind] = Path(tmp_path / kind).read_bytes()
    statuses, memory = [], 0.0
    with server.client() as client:
        for number in range(VIDEOS):
            kind, _, data = mutated(seeds, number)
            answer = client.post("/predict", files={"files": (kind, data)})
            statuses.append(answer.status_code)
            [found] = answer.json()["predictions"]
            assert found["error"] if answer.status_code == 422 else found["label"]
            assert "\n" not in (found["error"] or "") and str(server.folder) not in answer.text
            if number == len(KINDS):
                memory = server.memory_mb
        assert client.get("/health").status_code == 200
    assert set(statuses) == {200, 422}
    assert server.memory_mb - memory < 50
    assert server.temporary_files == []
    assert server.stop() == 0
    assert list(server.folder.iterdir()) == []
    assert "Traceback" not in server.said
