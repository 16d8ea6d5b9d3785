"""The page in a real browser, against the real server: the browser's camera, which is a file here."""

import re

import cv2
import numpy as np
import pytest
from tests.helpers.page_browser import chromium, tab, wire
from tests.helpers.servers import running_server
from tests.verbs.serve.page.conftest import BRIGHT, DIM, LEVELS
from tests.verbs.serve.test_stream import START_JPEG, messages_of, ws_url
from websockets.sync.client import connect

FAKE = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
PART_SECONDS = 3


@pytest.fixture(scope="module")
def camera(tmp_path_factory) -> str:
    """The flags of a camera that sees dim and bright, in turns of three seconds."""
    generator = np.random.default_rng(0)
    noise_NHW3 = generator.normal(0, 20, (5, 48, 64, 3))
    file = tmp_path_factory.mktemp("camera") / "camera.mjpeg"
    with file.open("wb") as target:
        for level in LEVELS.values():
            for number in range(30 * PART_SECONDS):  # Chromium plays such a file at 30 frames a second
                image = np.clip(level + noise_NHW3[number % 5], 0, 255).astype(np.uint8)
                target.write(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes())
    return f"--use-file-for-fake-video-capture={file}"


def test_the_label_as_it_is_now_and_the_events(camera, server, tmp_path):
    with chromium(*FAKE, camera) as browser:
        for width, scheme in ((1280, "light"), (390, "dark")):
            with tab(browser, server.url, width=width, scheme=scheme, permissions=["camera"]) as found:
                page = found.ready()
                page.get_by_role("tab", name="Camera").click()
                page.get_by_role("button", name="Start the camera").click()
                verdict = page.locator("#camera .verdict strong")
                for label in (DIM, BRIGHT):  # in whatever order they come first
                    verdict.filter(has_text=label).wait_for()
                for label in (DIM, BRIGHT):
                    page.locator("#camera tbody tr", has_text=label).first.wait_for()
                page.locator("#camera tbody tr").filter(has_not_text="now").first.wait_for()
                assert page.locator("#camera tbody tr").filter(has_text="now").count() <= 1
                page.get_by_text(re.compile(r"looks [\d.]+ times a second, answers after \d\.\d\d\s")).wait_for()
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                page.get_by_role("button", name="Stop").click()
                assert page.evaluate("document.querySelector('#camera video').srcObject") is None
                # The server ends what lasts, and then the connection.
                page.locator("#camera tbody tr").filter(has_text="now").first.wait_for(state="detached")
                with page.expect_download() as downloading:
                    page.get_by_role("button", name="Save as CSV").click()
                downloading.value.save_as(tmp_path / "events.csv")
                lines = (tmp_path / "events.csv").read_text().splitlines()
                assert lines[0] == "start,end,label,score"
                assert {line.split(",")[2] for line in lines[1:]} == {DIM, BRIGHT}
                for line in lines[1:]:
                    start, end, _, score = line.split(",")
                    assert 0 <= float(start) < float(end) and 0.5 < float(score) <= 1


def test_a_connection_that_is_lost_and_other_pages_that_are_shown(camera, server):
    with (
        chromium(*FAKE, camera) as browser,
        wire(server.url) as between,
        tab(browser, between.url, permissions=["camera"]) as found,
    ):
        page = found.ready()
        page.get_by_role("tab", name="Camera").click()
        page.get_by_role("button", name="Start the camera").click()
        page.locator("#camera .bars li").first.wait_for()
        between.cut()
        text = "connection to the server is lost. Trying again"
        lost = page.get_by_role("alert").filter(has_text=text)
        lost.wait_for()
        between.mend()
        lost.wait_for(state="detached")
        facts = page.locator("#camera .preview .soft")
        before = facts.inner_text()
        page.wait_for_timeout(1000)
        assert facts.inner_text() != before  # it goes on
        page.get_by_role("tab", name="Video files").click()  # nobody is filmed unseen
        assert page.evaluate("document.querySelector('#camera video').srcObject") is None


def test_a_server_with_no_place_is_asked_again(camera, page_run, tmp_path):
    with (
        running_server(tmp_path, page_run, "--streams", "1") as server,
        chromium(*FAKE, camera) as browser,
        tab(browser, server.url, permissions=["camera"]) as found,
    ):
        page = found.ready()
        with connect(ws_url(server)) as other:
            other.send(START_JPEG)
            messages_of(other, until="ready")
            page.get_by_role("tab", name="Camera").click()
            page.get_by_role("button", name="Start the camera").click()
            page.get_by_role("alert").filter(has_text="The server is busy. Trying again in").wait_for()
        page.locator("#camera .bars li").first.wait_for()


def test_no_camera_and_a_camera_that_is_not_allowed(server, camera):
    with chromium() as browser, tab(browser, server.url, permissions=["camera"]) as found:
        page = found.ready()
        page.get_by_role("tab", name="Camera").click()
        page.get_by_role("button", name="Start the camera").click()
        page.get_by_role("alert").filter(has_text="No camera was found").wait_for()
        assert page.get_by_role("button", name="Start the camera").is_enabled()
    with chromium(FAKE[0], camera, "--deny-permission-prompts") as browser, tab(browser, server.url) as found:
        page = found.ready()
        page.get_by_role("tab", name="Camera").click()
        page.get_by_role("button", name="Start the camera").click()
        page.get_by_role("alert").filter(has_text="was not allowed to use the camera").wait_for()


def test_https_with_a_token_which_is_in_no_address(camera, page_run, tmp_path):
    token = "a-token-of-many-letters"
    with (
        running_server(tmp_path, page_run, "--tls-self-signed", "--token", token, token=token) as server,
        chromium(*FAKE, camera) as browser,
        tab(browser, f"{server.url}/#token={token}", permissions=["camera"]) as found,
    ):
        page = found.ready()
        sockets = []
        page.on("websocket", lambda socket: sockets.append(socket.url))
        page.get_by_role("tab", name="Camera").click()
        page.get_by_role("button", name="Start the camera").click()
        page.locator("#camera .bars li").first.wait_for()
        assert len(sockets) == 1 and sockets[0].startswith("wss://")
        assert not any(token in each for each in (*sockets, *found.requests[1:], page.url))


def test_a_page_that_gets_no_camera_says_why(page_run, tmp_path):
    name = "muybridge.test"
    with (
        running_server(tmp_path, page_run, "--allow-host", name) as server,
        chromium(f"--host-resolver-rules=MAP {name} 127.0.0.1") as browser,
        tab(browser, server.url.replace("127.0.0.1", name)) as found,
    ):
        page = found.ready()
        page.get_by_role("tab", name="Camera").click()
        page.get_by_role("button", name="Start the camera").click()
        page.get_by_role("alert").filter(has_text="only to pages at http://localhost or https").wait_for()
