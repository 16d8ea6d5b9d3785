"""Clips over HTTP: answers, names, limits, refusals."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from tests.helpers.servers import running_server

from muybridge.inference.loading import load


def files_of(*paths) -> list:
    return [("files", (path.name, path.read_bytes())) for path in paths]


def clips_of(clips, count=3) -> list:
    return sorted((clips / "dim").iterdir())[:count] + sorted((clips / "bright").iterdir())[:count]


def test_answers_are_those_of_the_library(server, clips, probe_run):
    paths = clips_of(clips)
    with server.client() as client:
        found = client.post("/predict?top=1", files=files_of(*paths)).json()
    assert found["model"] == "probe"
    for path, answer, expected in zip(paths, found["predictions"], load(probe_run).predict(paths), strict=True):
        assert answer["file"] == path.name
        assert answer["label"] == expected.label == path.parent.name
        assert answer["score"] == pytest.approx(expected.score, abs=1e-5)
        assert len(answer["scores"]) == 1 and answer["error"] is None


def test_models_are_listed_and_chosen(server, clips):
    with server.client() as client:
        listed = client.get("/models").json()
        assert listed["max_upload_bytes"] == 2_048_000_000
        assert listed["default"] == "probe" and [model["name"] for model in listed["models"]] == ["probe", "tiny"]
        probe = listed["models"][0]
        assert probe["classes"] == ["bright", "dim"] and probe["encoder"] == "mobilenet" and probe["head"] == "probe"
        assert "of 4 test clips" in probe["accuracy"]
        found = client.post("/predict?model=tiny", files=files_of(*clips_of(clips, 1))).json()
        assert found["model"] == "tiny" and len(found["predictions"]) == 2
        refused = client.post("/predict?model=tinny", files=files_of(*clips_of(clips, 1)))
        assert refused.status_code == 404 and "did you mean 'tiny'" in refused.json()["detail"]


def test_one_bad_file_spoils_no_other(server, clips, tmp_path):
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"\0" * 100)
    empty = tmp_path / "empty.mp4"
    empty.write_bytes(b"")
    good = clips_of(clips, 1)
    with server.client() as client:
        answer = client.post("/predict", files=files_of(bad, good[0], empty, good[1]))
        assert answer.status_code == 200
        errors = [each["error"] for each in answer.json()["predictions"]]
        assert errors[1] is None and errors[3] is None
        assert errors[2].startswith("empty file")
        assert set(answer.json()["predictions"][0]) == {"file", "error"}
        assert str(server.folder) not in answer.text
        answer = client.post("/predict", files=files_of(bad))
        assert answer.status_code == 422 and answer.json()["predictions"][0]["error"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\videos\\a.mp4", "a.mp4"),
        ("/", "video"),
        ("..", "video"),
        ("a\x1b[31m.mp4", "a\\x1b[31m.mp4"),
        ("ganz lang" * 100 + ".mp4", None),
        ("ключ <b>.avi", "ключ <b>.avi"),
    ],
)
def test_names_are_shown_and_never_become_paths(server, clips, name, shown):
    [clip, _] = clips_of(clips, 1)
    body = b'--b\r\nContent-Disposition: form-data; name="files"; filename="%s"\r\n\r\n%s\r\n--b--\r\n'
    with server.client() as client:
        answer = client.post(
            "/predict",
            content=body % (name.replace("\\", "\\\\").encode(), clip.read_bytes()),
            headers={"content-type": "multipart/form-data; boundary=b"},
        )
    assert answer.status_code == 200, answer.text
    found = answer.json()["predictions"][0]
    assert found["label"] == "dim"
    assert len(found["file"]) <= 200 if shown is None else found["file"] == shown
    assert server.temporary_files == []


FORM = "multipart/form-data; boundary=b"
PART = b'--b\r\nContent-Disposition: form-data; name="files"'


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"", FORM, 400),
        (b"nonsense", FORM, 400),
        (
            b'--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nab',
            "multipart/form-data; boundary=b",
            400,
        ),
        (b"--b\r\n" + b"X: " + b"y" * 10_000 + b"\r\n\r\n--b--\r\n", FORM, 400),
        (
            b'--b\r\nContent-Disposition: form-data; name="files"\r\n\r\nab\r\n--b--\r\n',
            "multipart/form-data; boundary=b",
            422,
        ),
        (b"--b--\r\n", FORM, 422),
        (b"abc", "video/mp4", 415),
        (b"abc", "multipart/form-data", 415),
        (b"abc", "", 415),
        (b"{", "application/json", 422),
        (b"[]", "application/json", 422),
        (b'{"tasks": []}', "application/json", 422),
    ],
)
def test_bodies_that_are_no_form_are_told_off(server, content, kind, status):
    with server.client() as client:
        answer = client.post("/predict", content=content, headers={"content-type": kind})
    assert answer.status_code == status, answer.text
    assert "\n" not in answer.json()["detail"]
    assert server.temporary_files == []


def test_queries_that_make_no_sense(server, clips):
    with server.client() as client:
        for query in ("top=0", "top=a", "top=100000"):
            answer = client.post(f"/predict?{query}", files=files_of(*clips_of(clips, 1)))
            assert answer.status_code == 422 and answer.json()["detail"].startswith("top: ")
        assert client.get("/predict").status_code == 405
        assert client.get("/nothing").status_code == 404


def test_many_clients_share_batches(server, clips):
    paths = clips_of(clips, 12)
    with server.client() as client, ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda path: client.post("/predict", files=files_of(path)).json(), paths * 3))
        batches = client.get("/metrics").text
    for path, answer in zip(paths * 3, answers, strict=True):
        assert answer["predictions"][0]["label"] == path.parent.name
    alone = float(batches.split('muybridge_batch_clips_bucket{le="1.0",model="probe"} ')[1].split("\n")[0])
    count = float(batches.split('muybridge_batch_clips_count{model="probe"} ')[1].split("\n")[0])
    assert alone < count


def test_a_large_body_is_refused_without_memory_or_files(probe_run, tmp_path):
    """Announced or not, before or while it comes; what was written is gone."""

    def endless(size):
        yield b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.mp4"\r\n\r\n'
        for _ in range(size // 2**20):
            yield bytes(2**20)

    headers = {"content-type": FORM}
    announced_bytes = 400 * 2**20 + len(next(endless(0)))
    with running_server(tmp_path, probe_run, "--max-upload-mb", 300) as server, server.client() as client:
        before = server.memory_mb
        announced = client.post(
            "/predict", content=endless(400 * 2**20), headers=headers | {"content-length": str(announced_bytes)}
        )
        assert announced.status_code == 413 and "300 MB" in announced.json()["detail"]
        chunked = client.post("/predict", content=endless(400 * 2**20), headers=headers)
        assert chunked.status_code == 413
        # Within the limit, but no video: taken, looked at, gone.
        taken = client.post("/predict", content=endless(200 * 2**20), headers=headers)
        assert taken.status_code == 400
        small = client.post("/setup", content=b" " * (5 * 2**20), headers={"content-type": "application/json"})
        assert small.status_code == 413
        assert server.memory_mb - before < 60
        assert server.temporary_files == []


def test_requests_beyond_the_queue_are_sent_away(probe_run, clips, tmp_path):
    [clip, _] = clips_of(clips, 1)
    with running_server(tmp_path, probe_run, "--waiting", 1) as server, server.client() as client:
        slow = threading.Event()

        def trickle():
            yield b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.avi"\r\n\r\n'
            slow.wait(20)
            yield clip.read_bytes() + b"\r\n--b--\r\n"

        def send():
            return httpx.post(
                f"{server.url}/predict",
                content=trickle(),
                headers={"content-type": "multipart/form-data; boundary=b"},
                timeout=60,
            )

        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(send)
            until = time.monotonic() + 20
            while "muybridge_waiting_requests 1.0" not in client.get("/metrics").text:
                assert time.monotonic() < until
            refused = client.post("/predict", files=files_of(clip))
            assert refused.status_code == 503 and int(refused.headers["retry-after"]) > 0
            slow.set()
            assert first.result().status_code == 200


def test_a_client_that_hangs_up_leaves_nothing(server):
    address = server.url.removeprefix("http://").split(":")
    with socket.create_connection((address[0], int(address[1]))) as connection:
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
            b"Content-Length: 9000000\r\n\r\n"
            b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.avi"\r\n\r\n' + bytes(3_000_000)
        )
        until = time.monotonic() + 20
        while not server.temporary_files:
            assert time.monotonic() < until
            time.sleep(0.02)
    while server.temporary_files:
        assert time.monotonic() < until + 20
        time.sleep(0.05)
