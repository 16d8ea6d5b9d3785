"""Timelines as jobs: progress, result, annotations, the copy for browsers, cancelling."""

import json
import threading
import time

import pytest
from tests.helpers.long_videos import write_long
from tests.helpers.servers import running_server

from muybridge.dataset.annotations.annotation_files import read_annotations
from muybridge.experiment.annotated_videos import times_of


def events_of(client, name) -> list[tuple[str, dict]]:
    found, kind = [], ""
    with client.stream("GET", f"/timeline/{name}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("data: "):
                found.append((kind, json.loads(line.removeprefix("data: "))))
    return found


def begin(client, video, query="") -> dict:
    answer = client.post(f"/timeline{query}", files={"file": (video.name, video.read_bytes())})
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert answer.headers["location"] == f"/timeline/{job['id']}"
    return job


def spans(job) -> list[tuple[str, float, float]]:
    return [(each["label"], each["start_seconds"], each["end_seconds"]) for each in job["segments"]]


def wait_until_empty(server) -> None:
    """Whoever works on a job that is deleted, stops soon."""
    until = time.monotonic() + 20
    while server.temporary_files:
        assert time.monotonic() < until, server.temporary_files
        time.sleep(0.05)


def test_a_video_becomes_segments_with_scores_and_a_copy(server, long_video):
    with server.client() as client:
        job = begin(client, long_video)
        assert job["file"] == "long.avi" and job["model"] == "probe" and job["status"] in ("queued", "running")
        events = events_of(client, job["id"])
        assert {kind for kind, _ in events[:-1]} <= {"progress"} and events[-1][0] == "done"
        done = events[-1][1]
        assert done == client.get(f"/timeline/{job['id']}").json() | {"plays_in_browsers": False}
        assert done["seconds"] == pytest.approx(16) and done["error"] is None and done["times_real_time"] > 1
        assert [label for label, _, _ in spans(done)] == ["dim", "bright", "dim", "bright"]
        for _, start, end in spans(done):
            assert end - start == pytest.approx(4, abs=0.8)
        scores = client.get(f"/timeline/{job['id']}/scores").json()
        assert scores["step_seconds"] == pytest.approx(0.2) and scores["classes"] == ["bright", "dim"]
        assert len(scores["probabilities"]) == 80
        assert all(sum(row) == pytest.approx(1, abs=1e-3) for row in scores["probabilities"])
        until = time.monotonic() + 60
        while (copy := client.get(f"/timeline/{job['id']}/video")).status_code == 404:
            assert "not written yet" in copy.json()["detail"] and time.monotonic() < until
            time.sleep(0.1)
        assert copy.headers["content-type"] == "video/mp4" and copy.content[4:8] == b"ftyp"
        part = client.get(f"/timeline/{job['id']}/video", headers={"range": "bytes=4-7"})
        assert part.status_code == 206 and part.content == b"ftyp"
        assert client.delete(f"/timeline/{job['id']}").status_code == 204
        assert client.get(f"/timeline/{job['id']}").status_code == 404
        assert client.get(f"/timeline/{job['id']}/events").status_code == 404
        assert client.delete(f"/timeline/{job['id']}").status_code == 404
    wait_until_empty(server)


GIVEN = [
    {"start_seconds": 8.0, "end_seconds": 12.0, "label": "walk, slowly"},
    {"start_seconds": 1.2, "end_seconds": 2.4, "label": "hüpfen"},
]


@pytest.mark.parametrize("format", ["csv", "label-studio", "elan", "boris", "activitynet", "cvat"])
def test_corrected_segments_come_back_in_formats_that_are_read(server, long_video, tmp_path, format):
    with server.client() as client:
        job = begin(client, long_video)
        events_of(client, job["id"])
        answer = client.post(f"/timeline/{job['id']}/annotations?format={format}", json={"segments": GIVEN})
        assert answer.status_code == 200, answer.text
        assert 'attachment; filename="long.' in answer.headers["content-disposition"]
        assert str(server.folder) not in answer.text
        client.delete(f"/timeline/{job['id']}")
    path = tmp_path / answer.headers["content-disposition"].split('"')[1]
    path.write_bytes(answer.content)
    (tmp_path / "long.avi").write_bytes(long_video.read_bytes())
    found = [
        (each.label, pytest.approx(each.start_seconds, abs=0.001), pytest.approx(each.end_seconds, abs=0.001))
        for each in read_annotations(path, times_of=times_of).segments
    ]
    assert found == [("hüpfen", 1.2, 2.4), ("walk, slowly", 8.0, 12.0)]


def test_subtitles_and_json(server, long_video):
    with server.client() as client:
        job = begin(client, long_video)
        events_of(client, job["id"])
        texts = {
            format: client.post(f"/timeline/{job['id']}/annotations?format={format}", json={"segments": GIVEN}).text
            for format in ("srt", "vtt", "json")
        }
        assert "00:00:01,200 --> 00:00:02,400\nhüpfen" in texts["srt"]
        assert texts["vtt"].startswith("WEBVTT\n\n00:00:01.200 --> 00:00:02.400\nhüpfen")
        assert json.loads(texts["json"])["video"] == "long.avi"
        for bad in (
            {"segments": [{"start_seconds": 2, "end_seconds": 1, "label": "a"}]},
            {"segments": [{"start_seconds": -1, "end_seconds": 1, "label": "a"}]},
            {"segments": [{"start_seconds": 0, "end_seconds": 1, "label": ""}]},
            {"segments": [{"start_seconds": 0, "end_seconds": 1}]},
            {"segments": 5},
            [],
        ):
            answer = client.post(f"/timeline/{job['id']}/annotations", json=bad)
            assert answer.status_code == 422 and "\n" not in answer.json()["detail"]
        answer = client.post(f"/timeline/{job['id']}/annotations?format=doc", json={"segments": []})
        assert answer.status_code == 422
        client.delete(f"/timeline/{job['id']}")


def test_a_file_that_is_no_video_fails_in_one_line(server, tmp_path):
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"text, not video\n" * 100)
    with server.client() as client:
        job = begin(client, bad)
        [kind, state] = events_of(client, job["id"])[-1]
        assert kind == "failed" == state["status"]
        assert "not a video" in state["error"] and str(server.folder) not in state["error"]
        assert client.get(f"/timeline/{job['id']}/scores").json()["probabilities"] == []
        assert client.get(f"/timeline/{job['id']}/video").status_code == 404
        client.delete(f"/timeline/{job['id']}")
    wait_until_empty(server)


@pytest.fixture(scope="module")
def slow_video(tmp_path_factory):
    """Fifteen minutes: long enough to be cancelled."""
    parts = ("dim", "bright") * 112
    return write_long(tmp_path_factory.mktemp("slow") / "slow.mp4", parts=parts)


def test_cancelling_what_runs_and_what_waits(probe_run, slow_video, long_video, tmp_path):
    with running_server(tmp_path, probe_run, "--jobs", 2) as server, server.client() as client:
        running = begin(client, slow_video)
        waiting = begin(client, long_video)
        refused = client.post("/timeline", files={"file": ("a.avi", b"abc")})
        assert refused.status_code == 503 and int(refused.headers["retry-after"]) > 0
        found = {}
        threads = [
            threading.Thread(target=lambda name=job["id"]: found.update({name: events_of(client, name)}))
            for job in (running, waiting)
        ]
        for thread in threads:
            thread.start()
        until = time.monotonic() + 60
        while not (state := client.get(f"/timeline/{running['id']}").json())["segments"]:
            assert state["status"] in ("queued", "running") and time.monotonic() < until
            time.sleep(0.05)
        assert state["eta_seconds"] > 0 and state["times_real_time"] > 1
        assert state["expected_seconds"] == pytest.approx(896, abs=1)
        assert client.get(f"/timeline/{running['id']}/scores").json()["probabilities"]
        for job in (waiting, running):
            assert client.delete(f"/timeline/{job['id']}").status_code == 204
        for thread in threads:
            thread.join(30)
        assert [found[job["id"]][-1][0] for job in (running, waiting)] == ["cancelled", "cancelled"]
        wait_until_empty(server)
        again = begin(client, long_video)  # the place is free
        assert events_of(client, again["id"])[-1][0] == "done"


def test_the_oldest_is_forgotten_when_there_are_too_many(probe_run, long_video, tmp_path):
    with running_server(tmp_path, probe_run, "--kept-jobs", 1) as server, server.client() as client:
        first = begin(client, long_video)
        events_of(client, first["id"])
        second = begin(client, long_video)
        events_of(client, second["id"])
        assert client.get(f"/timeline/{first['id']}").status_code == 404
        assert client.get(f"/timeline/{second['id']}").status_code == 200


def test_an_ensemble_scores_clips_and_no_long_videos(tiny_run, clips, long_video, tmp_path):
    from muybridge import api

    both = api.ensemble([tiny_run], calibrate=True, run=tmp_path / "both").run
    with running_server(tmp_path / "server", both) as server, server.client() as client:
        clip = next((clips / "dim").iterdir())
        found = client.post("/predict", files={"files": (clip.name, clip.read_bytes())}).json()
        assert found["predictions"][0]["label"] == "dim"
        refused = client.post("/timeline", files={"file": ("a.avi", long_video.read_bytes())})
        assert refused.status_code == 422 and "ensemble" in refused.json()["detail"]
        assert client.get("/models").json()["models"][0]["encoder"].startswith("ensemble of")


def test_a_copy_in_the_making_ends_with_its_job(server, tmp_path):
    video = write_long(tmp_path / "minutes.avi", parts=("dim", "bright") * 40)
    with server.client() as client:
        job = begin(client, video)
        assert events_of(client, job["id"])[-1][0] == "done"
        assert client.get(f"/timeline/{job['id']}/video").status_code == 404
        client.delete(f"/timeline/{job['id']}")
    wait_until_empty(server)
