"""Label Studio's contract, with a real HTTP server that plays Label Studio's files."""

import pytest
from tests.helpers.servers import running_server
from tests.verbs.serve.file_hosts import KEY, file_host

SPANS = """<View>
  <TimelineLabels name="spans" toName="film"><Label value="Dim"/><Label value="bright"/></TimelineLabels>
  <Video name="film" value="$clip" frameRate="$rate"/>
</View>"""
CHOICES = """<View>
  <Video name="film" value="$clip"/>
  <Choices name="what" toName="film"><Choice value="dim"/><Choice value="bright"/></Choices>
</View>"""


@pytest.fixture(scope="module")
def label_studio():
    with file_host(needs_key=True) as host:
        yield host


@pytest.fixture(scope="module")
def media():
    with file_host(needs_key=False) as host:
        yield host


@pytest.fixture(scope="module")
def backend(probe_run, long_video, clips, label_studio, media, tmp_path_factory):
    label_studio.data["/data/upload/1/long.avi"] = long_video.read_bytes()
    label_studio.data["/data/upload/1/clip.avi"] = next((clips / "bright").iterdir()).read_bytes()
    label_studio.data["/data/upload/1/text.mp4"] = b"no video, but text\n" * 50
    label_studio.data["/private/clip.avi"] = label_studio.data["/data/upload/1/clip.avi"]
    label_studio.redirects["/data/upload/1/moved.avi"] = "/data/upload/1/clip.avi"
    label_studio.redirects["/data/upload/1/out.avi"] = "/private/clip.avi"
    label_studio.redirects["/data/upload/1/meta.avi"] = "http://169.254.169.254/latest/meta-data"
    label_studio.redirects["/data/upload/1/loop.avi"] = "/data/upload/1/loop.avi"
    media.data["/clip.avi"] = label_studio.data["/data/upload/1/clip.avi"]
    label_studio.redirects["/data/upload/1/media.avi"] = f"{media.url}/clip.avi"
    label_studio.redirects["/data/upload/1/broken.avi"] = "http://[x"
    options = ["--allow-url", f"{media.url}/", "--allow-url", f"{label_studio.url}/data/", "--max-upload-mb", "50"]
    options += ["--label-studio-url", f"{label_studio.url}/"]
    environment = {"LABEL_STUDIO_API_KEY": KEY}
    folder = tmp_path_factory.mktemp("backend")
    with running_server(folder, probe_run, *options, environment=environment) as server:
        yield server


def ask(client, config, *clips, **data):
    tasks = [{"id": number, "data": {"clip": clip, **data}} for number, clip in enumerate(clips)]
    body = {"tasks": tasks, "label_config": config, "project": "1.17", "params": {"login": None, "password": None}}
    return client.post("/predict", json=body)


def test_setup_and_health(backend, label_studio):
    with backend.client() as client:
        body = {"project": "1.17", "schema": SPANS, "hostname": label_studio.url, "access_token": "x"}
        answer = client.post("/setup", json=body)
        assert answer.status_code == 200
        assert answer.json()["model_version"].startswith("probe-")
        assert client.get("/health").json()["status"] == "ok"


def test_segments_as_timeline_labels_in_frames_of_the_tag(backend, label_studio):
    with backend.client() as client:
        answer = ask(client, SPANS, "/data/upload/1/long.avi", rate=10)
    assert answer.status_code == 200, answer.text
    [found] = answer.json()["results"]
    assert found["model_version"] == answer.json()["model_version"]
    assert 0 < found["score"] <= 1
    regions = found["result"]
    assert [region["value"]["timelinelabels"] for region in regions] == [["Dim"], ["bright"], ["Dim"], ["bright"]]
    assert len({region["id"] for region in regions}) == 4
    for number, region in enumerate(regions):
        assert region["type"] == "timelinelabels"
        assert (region["from_name"], region["to_name"]) == ("spans", "film")
        [span] = region["value"]["ranges"]
        assert span["start"] == pytest.approx(40 * number + 1, abs=8)  # 10 frames a second, as the tag says
        assert span["end"] == pytest.approx(40 * (number + 1), abs=8)
    assert ("/data/upload/1/long.avi", f"Token {KEY}") in label_studio.asked
    assert backend.temporary_files == []


def test_the_key_goes_to_label_studio_alone_whatever_a_request_says(backend, label_studio, media):
    media.asked.clear()
    addresses = [f"{media.url}/clip.avi", "/data/upload/1/media.avi", "/data/upload/1/clip.avi"]
    with backend.client() as client:
        for hostname in (media.url, label_studio.url, "http://[x", "nonsense"):
            assert client.post("/setup", json={"hostname": hostname}).status_code == 200
            answer = ask(client, CHOICES, *addresses)
            assert answer.status_code == 200 and all(each["result"] for each in answer.json()["results"])
    assert {key for _, key in media.asked} == {None} and len(media.asked) == 8
    assert ("/data/upload/1/media.avi", f"Token {KEY}") in label_studio.asked


def test_one_task_without_an_address_leaves_the_others(backend):
    with backend.client() as client:
        answer = ask(client, CHOICES, "http://[x", "/data/upload/1/broken.avi", "/data/upload/1/clip.avi")
    assert answer.status_code == 200, answer.text
    one, two, three = answer.json()["results"]
    assert "is no address" in one["error"] and "is no address" in two["error"] and three["result"]


def test_one_class_as_choices(backend, label_studio):
    with backend.client() as client:
        clip = f"{label_studio.url}/data/upload/1/clip.avi"
        found = ask(client, CHOICES, clip, "/data/upload/1/moved.avi", "/data/upload/1/text.mp4").json()["results"]
    for each in found[:2]:
        [region] = each["result"]
        assert region["type"] == "choices" and region["value"] == {"choices": ["bright"]}
        assert region["from_name"] == "what" and region["score"] > 0.5
    assert found[2]["result"] == [] and "text" in found[2]["error"]


@pytest.mark.parametrize(
    "address",
    [
        "{url}/private/clip.avi",
        "/private/clip.avi",
        "/data/../private/clip.avi",
        "/data/%2e%2e/private/clip.avi",
        "/data/..\\private/clip.avi",
        "http://169.254.169.254/data/",
        "{url}@evil.example/data/a.avi",
        "http://user:pass@127.0.0.1:1/data/a.avi",
        "file:///etc/passwd",
        "ftp://127.0.0.1/data/a.avi",
        "//evil.example/data/a.avi",
        "/data/upload/1/out.avi",
        "/data/upload/1/meta.avi",
    ],
)
def test_addresses_that_were_not_allowed_are_not_asked_for(backend, label_studio, address):
    label_studio.asked.clear()
    with backend.client() as client:
        answer = ask(client, CHOICES, address.format(url=label_studio.url))
    assert answer.status_code == 403, answer.text
    assert "allow_url" in answer.json()["detail"]
    assert all(path.startswith("/data/upload/1/") for path, _ in label_studio.asked)
    assert backend.temporary_files == []


@pytest.mark.parametrize(
    ("config", "clip", "status", "line"),
    [
        (CHOICES, "/data/upload/1/nothing.avi", 422, "404"),
        (CHOICES, "/data/upload/1/loop.avi", 422, "leads from one address to the next"),
        (CHOICES, "/data/upload/1/text.mp4", 422, "text"),
        (CHOICES, "", 422, "no address"),
        ("<View/>", "/data/upload/1/clip.avi", 422, "TimelineLabels"),
        ("<View", "/data/upload/1/clip.avi", 422, "no XML"),
        ('<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><View>&b;</View>', "/data/a", 422, "no XML"),
        (None, "/data/upload/1/clip.avi", 422, "no XML"),
    ],
)
def test_what_cannot_be_answered_is_said(backend, config, clip, status, line):
    with backend.client() as client:
        answer = ask(client, config, clip)
    assert answer.status_code == status, answer.text
    assert line in answer.json()["detail"] and "\n" not in answer.json()["detail"]


def test_without_an_allowed_address_nothing_is_fetched(server, label_studio):
    label_studio.asked.clear()
    with server.client() as client:
        answer = ask(client, CHOICES, f"{label_studio.url}/data/upload/1/clip.avi")
        assert answer.status_code == 403
        assert client.post("/setup", json={"hostname": label_studio.url}).status_code == 200
        assert ask(client, CHOICES, "/data/upload/1/clip.avi").status_code == 403
    assert label_studio.asked == []
