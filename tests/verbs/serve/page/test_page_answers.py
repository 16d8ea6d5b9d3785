"""The page in a real browser, against the real server: files and their answers."""

import contextlib
import re
import shutil
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from tests.helpers.page_browser import tab
from tests.helpers.servers import running_server
from tests.verbs.serve.page.conftest import BRIGHT, DIM, HOSTILE

TOKEN = "a-token-of-many-letters"


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def test_answers_for_short_clips(browser, server, videos, width, scheme):
    with tab(browser, server.url, width=width, scheme=scheme) as found:
        page = found.ready()
        found.choose(videos["hostile"], videos["clip"])
        card = page.get_by_role("article", name=HOSTILE)
        card.locator(".answer").wait_for()
        assert card.locator("h2").inner_text() == HOSTILE
        assert card.locator(".verdict strong").inner_text() == BRIGHT
        assert card.locator(".bars .label").all_inner_texts() == [BRIGHT, DIM]
        scores = [float(each) for each in card.locator(".bars .score").all_inner_texts()]
        assert scores[0] > 0.5 and sum(scores) == pytest.approx(1, abs=0.02)
        widths = card.locator(".bar i").evaluate_all(
            "bars => bars.map(bar => bar.offsetWidth / bar.parentNode.offsetWidth)"
        )
        assert widths == pytest.approx(scores, abs=0.02)
        assert card.locator("video").evaluate("video => Math.round(video.duration)") == 4
        other = page.get_by_role("article", name="clip.avi")
        other.locator(".answer").wait_for()
        assert other.locator(".verdict strong").inner_text() == DIM
        other.get_by_text("This browser cannot play the file").wait_for()
        assert page.locator("b, img").count() == 0  # names are text
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert background == {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 24, 27)"}[scheme]
        other.get_by_role("button", name="Remove").click()
        assert page.get_by_role("article").count() == 1


def test_what_is_said_and_where_the_keyboard_goes(browser, server, videos):
    with tab(browser, server.url) as found:
        page = found.ready()
        stops = []
        for _ in range(5):
            page.keyboard.press("Tab")
            stops.append(
                page.evaluate("(({id, value, textContent}) => id || value || textContent)(document.activeElement)")
            )
            assert page.evaluate("document.activeElement.matches(':focus-visible')")
        assert stops == ["Skip to the content", "tab-files", "chosen", "auto", "About this model"]
        page.locator("#tab-files").focus()
        page.keyboard.press("ArrowRight")
        assert page.evaluate("document.activeElement.id") == "tab-camera"
        assert page.locator("#files").is_hidden() and page.get_by_role("tabpanel", name="Camera").is_visible()
        page.keyboard.press("ArrowLeft")
        tree = page.locator("body").aria_snapshot()
        for line in (
            "banner",
            "main",
            'heading "What happens in the video?" [level=1]',
            'tab "Video files" [selected]',
        ):
            assert line in tree
        found.choose(videos["hostile"])
        page.locator(".answer").wait_for()
        page.locator("#said", has_text=re.compile(re.escape(f"{HOSTILE}: {BRIGHT}, "))).wait_for(state="attached")


def test_a_hundred_clips_at_once(browser, server, videos, tmp_path):
    """More than a browser plays at a time, and than the server answers at a time."""
    with tab(browser, server.url, width=390) as found:
        page = found.ready()
        clips = [shutil.copy(videos["hostile"], tmp_path / f"clip-{number}.mp4") for number in range(100)]
        found.choose(*clips)
        page.locator(".answer").nth(99).wait_for()
        assert page.locator("#files .verdict strong").all_inner_texts() == [BRIGHT] * 100
        assert page.locator(".nopicture:not([hidden])").count() == 0
        last = page.locator(".answer video").last
        last.scroll_into_view_if_needed()
        page.wait_for_timeout(500)
        assert last.evaluate("video => Math.round(video.duration)") == 4
        assert page.locator(".answer video[src]").count() < 20


def test_a_file_that_is_dropped(browser, server, videos):
    with tab(browser, server.url) as found:
        page = found.ready()
        data = page.evaluate_handle(
            "bytes => { const data = new DataTransfer();"
            "data.items.add(new File([new Uint8Array(bytes)], 'dropped.avi')); return data }",
            list(videos["clip"].read_bytes()),
        )
        page.dispatch_event("#tab-camera", "dragover", {"dataTransfer": data})
        assert "over" in page.locator("#drop").get_attribute("class")
        page.dispatch_event("#tab-camera", "drop", {"dataTransfer": data})
        page.get_by_role("article", name="dropped.avi").locator(".answer").wait_for()
        assert page.locator("#drop").get_attribute("class") == ""


def test_what_goes_wrong_is_said_where_it_happens(browser, server, videos):
    with tab(browser, server.url) as found:
        page = found.ready()
        found.choose(videos["text"], videos["empty"])
        for name, text in (("notes.mp4", "Not a video but text."), ("empty.mp4", "The file is empty.")):
            problem = page.get_by_role("article", name=name).get_by_role("alert")
            problem.filter(has_text=text).wait_for()
        assert "Error" not in page.get_by_role("article", name="notes.mp4").inner_text()
        page.context.set_offline(True)
        found.choose(videos["clip"])
        card = page.get_by_role("article", name="clip.avi")
        card.get_by_role("alert").filter(has_text="The connection broke while the file was sent").wait_for()
        page.context.set_offline(False)
        card.get_by_role("button", name="Try again").click()
        card.locator(".answer").wait_for()
        assert card.get_by_role("alert").inner_text() == ""


def test_a_token_a_limit_and_a_queue_that_is_full(browser, page_run, videos, tmp_path):
    options = ["--token", TOKEN, "--max-upload-mb", "0.1", "--waiting", "1"]
    with running_server(tmp_path, page_run, *options, token=TOKEN) as server:
        with tab(browser, server.url) as found:
            page = found.page
            token = page.get_by_label("This server asks for its token")
            token.fill("wrong-token-of-many-letters")
            page.get_by_role("button", name="Use it").click()
            page.locator("#problem", has_text="The token is wrong").wait_for()
            token.fill(TOKEN)
            page.get_by_role("button", name="Use it").click()
            found.ready()
        with tab(browser, f"{server.url}/#token={TOKEN}") as found:
            page = found.ready()
            assert TOKEN not in page.url and page.locator("#token").is_hidden()
            found.choose(videos["longer"])
            card = page.get_by_role("article", name="longer.mp4")
            card.get_by_role("alert").filter(has_text="The file is too large").wait_for()
            assert card.get_by_role("button", name="Try again").is_hidden()
            card = page.get_by_role("article", name="clip.avi")
            with half_a_request(server.url, TOKEN):
                found.choose(videos["clip"])
                card.get_by_text(re.compile(r"The server is busy. Trying again in \d+ s")).wait_for()
            card.locator(".answer").wait_for()


@contextlib.contextmanager
def half_a_request(url: str, token: str) -> Iterator[None]:
    """Keep a place of the server: a client that has not sent all of its file."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port)) as client:
        lines = [
            "POST /predict HTTP/1.1",
            f"Host: {address.netloc}",
            f"Authorization: Bearer {token}",
            "Content-Type: multipart/form-data; boundary=x",
            "Content-Length: 5000",
        ]
        client.sendall("\r\n".join([*lines, "", "--x\r\n"]).encode())
        time.sleep(0.5)  # until the server has seen it
        yield
