"""The page in a real browser, against the real server: a long video, its corrections and its annotations."""

import json
import re
import shutil
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from tests.helpers.page_browser import Tab, tab, wire
from tests.helpers.servers import running_server
from tests.verbs.serve.page.conftest import BRIGHT, DIM, PARTS

from muybridge.dataset.annotations.annotation_files import read_annotations

FORMATS = {
    "csv": "csv", "json": "json", "srt": "srt", "vtt": "vtt", "label-studio": "json", "elan": "eaf", "boris": "boris",
    "activitynet": "json", "cvat": "xml",
}  # fmt: skip


def rows(page) -> list[tuple[str, float, float, str]]:
    """The list of segments as the page shows it: label, start and end in seconds, score."""
    found = []
    for row in page.locator(".list tbody tr").all():
        label, start, end, score = row.locator("td").all_inner_texts()
        minutes = [[float(part) for part in each.split(":")] for each in (start, end)]
        found.append((label.strip(), *(round(60 * first + rest, 1) for first, rest in minutes), score))
    return found


def time_of(page) -> float:
    return page.locator(".picture video").evaluate("video => video.currentTime")


def show(found: Tab, video, name: str):
    """Choose a long video, and wait for the end."""
    page = found.ready()
    found.choose(video)
    page.get_by_role("article", name=name).get_by_text(re.compile("with grey$")).wait_for()
    return page


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_long_video_is_shown_and_jumped_in(browser, server, videos, width, scheme):
    with tab(browser, server.url, width=width, scheme=scheme) as found:
        page = show(found, videos["long"], "long.mp4")
        assert [label for label, *_ in rows(page)] == list(PARTS)
        for number, (_, start, end, score) in enumerate(rows(page)):
            assert start == pytest.approx(4 * number, abs=0.5) and end == pytest.approx(4 * number + 4, abs=0.5)
            assert 0.5 < float(score) <= 1
        assert page.locator(".track .name").all_inner_texts() == [BRIGHT, DIM]  # as the model orders them
        points = page.locator(".lane polyline").first.get_attribute("points").split()
        assert len(points) == pytest.approx(80, abs=3)  # a score is of a fifth of a second
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        block = page.locator(f".block[title^='{BRIGHT} 0:0']")
        lane = page.locator(".lane").first.bounding_box()
        start = rows(page)[1][1]
        assert block.bounding_box()["x"] == pytest.approx(lane["x"] + lane["width"] * start / 16, abs=3)

        page.locator(".choose").nth(2).click()
        third = rows(page)[2][1]
        assert time_of(page) == pytest.approx(third, abs=0.05)
        assert page.locator(".now").inner_text().split()[1:] == [DIM]
        page.locator(".lane").first.click(position={"x": lane["width"] * 0.3, "y": 5})
        assert time_of(page) == pytest.approx(4.8, abs=0.2)
        assert page.locator("tr.selected .choose").inner_text() == BRIGHT
        page.locator(".tracks").focus()
        page.keyboard.press("n")
        assert page.locator("tr.selected").locator("td").nth(1).inner_text() == f"0:{third:04.1f}"
        page.locator("#said", has_text=f"{DIM}, 0:").wait_for(state="attached")
        page.keyboard.press("ArrowLeft")
        assert page.locator(".picture video").evaluate("video => video.currentTime") == pytest.approx(
            third - 1, abs=0.05
        )
        page.keyboard.press(" ")
        page.wait_for_timeout(600)
        assert page.locator(".picture video").evaluate("video => !video.paused && video.currentTime") > third - 0.9
        page.keyboard.press("+")
        assert page.locator(".inner").bounding_box()["width"] == pytest.approx(2 * lane["width"], abs=2)
        assert page.locator("b, img").count() == 0


def test_corrections_by_keyboard_are_undone_and_downloaded(browser, server, videos, tmp_path):
    with tab(browser, server.url) as found:
        page = show(found, videos["long"], "long.mp4")
        before = rows(page)
        keys = page.keyboard
        page.locator(".tracks").focus()
        keys.press("n")
        keys.press("n")
        end = page.get_by_role("slider", name=f"End of {BRIGHT}")
        end.focus()
        for _ in range(3):
            keys.press("ArrowLeft")
        assert rows(page)[1][2:] == (round(before[1][2] - 0.3, 1), "edited")
        assert end.get_attribute("aria-valuetext") == f"0:{before[1][2] - 0.3:05.2f}"
        keys.press("Control+z")  # the three presses together
        assert rows(page) == before
        keys.press("Control+Shift+z")
        keys.press("Escape")
        keys.press("l")
        assert (
            page.evaluate("document.activeElement.previousElementSibling || document.activeElement.tagName") == "SELECT"
        )
        page.get_by_label("Label", exact=True).select_option("another label…")
        keys.type("skip, <i>hop</i>")
        keys.press("Enter")
        assert rows(page)[1][0] == "skip, <i>hop</i>"
        keys.press("Escape")
        keys.press("n")
        keys.press("Delete")
        assert len(rows(page)) == 3 and page.evaluate("document.activeElement.className") == "tracks"
        page.get_by_role("slider", name="Time in the video").focus()
        page.get_by_role("slider", name="Time in the video").fill("9")
        keys.press("Escape")
        keys.press("a")
        page.get_by_label("Label", exact=True).select_option(DIM)
        keys.press("Escape")
        keys.press("ArrowRight")
        keys.press("[")
        assert (DIM, 10.0, 11.0, "edited") in rows(page)
        page.get_by_label("End", exact=True).fill("0:11.75")
        keys.press("Enter")
        page.get_by_label("Start", exact=True).fill("12")
        keys.press("Enter")
        page.get_by_role("alert").filter(has_text="The start must lie before the end, 0:11.75.").wait_for()
        page.get_by_label("Start", exact=True).fill("soon")
        keys.press("Enter")
        page.get_by_role("alert").filter(has_text="“soon” is no time").wait_for()
        page.get_by_label("Start", exact=True).fill("10")

        expected = [
            (DIM, 0.0, before[0][2]), ("skip, <i>hop</i>", before[1][1], before[1][2] - 0.3),
            (DIM, 10.0, 11.75), (BRIGHT, before[3][1], before[3][2]),
        ]  # fmt: skip
        for name, ending in FORMATS.items():
            page.get_by_label("Annotations as").select_option(name)
            with page.expect_download() as downloading:
                page.get_by_role("button", name="Download").click()
            file = tmp_path / downloading.value.suggested_filename
            assert file.suffix.removeprefix(".") == ending and file.stem.startswith("long")
            downloading.value.save_as(file)
            assert "skip, " in file.read_text()
            if name in ("csv", "elan"):
                (tmp_path / "long.mp4").write_bytes(videos["long"].read_bytes())
                segments = sorted(read_annotations(file).segments, key=lambda each: each.start_seconds)
                got = [(each.label, each.start_seconds, each.end_seconds) for each in segments]
                assert [each[0] for each in got] == [each[0] for each in expected]
                for one, other in zip(got, expected, strict=True):
                    assert one[1:] == pytest.approx(other[1:], abs=0.051)  # the page shows tenths
        for _ in range(10):
            page.get_by_role("button", name="Undo").click()
            if page.get_by_role("button", name="Undo").is_disabled():
                break
        assert rows(page) == before


def test_borders_are_dragged(browser, server, videos):
    with tab(browser, server.url) as found:
        page = show(found, videos["long"], "long.mp4")
        before = rows(page)
        page.locator(".choose").nth(1).click()
        lane = page.locator(".lane").first.bounding_box()
        second = lane["width"] / 16
        for side, by, column in (("Start", 1.5, 1), ("End", -1.0, 2)):
            handle = page.get_by_role("slider", name=f"{side} of {BRIGHT}")
            handle.scroll_into_view_if_needed()
            box = handle.bounding_box()
            x, y = box["x"] + box["width"] / 2, box["y"] + 5
            page.mouse.move(x, y)
            page.mouse.down()
            page.mouse.move(x + by * second / 2, y, steps=4)
            page.mouse.move(x + by * second, y + 3, steps=4)
            page.mouse.up()
            assert rows(page)[1][column] == pytest.approx(before[1][column] + by, abs=0.11)
        page.get_by_role("button", name="Undo").click()
        assert rows(page)[1][1] == pytest.approx(before[1][1] + 1.5, abs=0.11) and rows(page)[1][2] == before[1][2]
        page.get_by_role("button", name="Undo").click()
        assert rows(page) == before
        # At the ends of the tracks the handles are within them.
        for place, x, by, expected in ((0, lane["x"] + 4, 1.0, 1.0), (3, lane["x"] + lane["width"] - 4, -1.0, 15.0)):
            page.locator(".choose").nth(place).click()
            handle = page.get_by_role("slider", name=re.compile("Start of|End of")).first
            handle.scroll_into_view_if_needed()
            y = handle.bounding_box()["y"] + 5
            page.mouse.move(x, y)
            page.mouse.down()
            page.mouse.move(x + by * second, y, steps=4)
            page.mouse.up()
            assert rows(page)[place][1 if place == 0 else 2] == pytest.approx(expected, abs=0.11)
            page.get_by_role("button", name="Undo").click()
        page.locator(".choose").nth(1).click()
        # Dragged beyond the other border it stays a segment.
        handle = page.get_by_role("slider", name=f"Start of {BRIGHT}")
        handle.scroll_into_view_if_needed()
        box = handle.bounding_box()
        page.mouse.move(box["x"] + 12, box["y"] + 5)
        page.mouse.down()
        page.mouse.move(lane["x"] + lane["width"] - 2, box["y"] + 5, steps=5)
        page.mouse.up()
        assert rows(page)[1][1] == pytest.approx(before[1][2] - 0.1, abs=0.051)


def test_corrections_are_not_lost_by_a_slip(browser, server, videos):
    with tab(browser, server.url) as found:
        page = show(found, videos["long"], "long.mp4")
        asked = []
        page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
        page.locator(".choose").first.click()
        page.get_by_role("button", name="Delete").click()
        assert len(rows(page)) == 3
        page.get_by_role("button", name="Remove").click()
        assert asked == ["Your corrections of long.mp4 were not downloaded. Remove them?"]
        assert page.get_by_role("article").count() == 1
        with page.expect_download():
            page.get_by_role("button", name="Download").click()
        page.get_by_role("button", name="Remove").click()
        assert len(asked) == 1 and page.get_by_role("article").count() == 0
        assert page.evaluate("document.activeElement.id") == "chosen"


def test_what_browsers_do_not_play_comes_as_a_copy(browser, server, videos):
    with tab(browser, server.url) as found:
        page = found.ready()
        found.choose(videos["avi"])
        page.get_by_text("This browser cannot play the file").wait_for()
        page.locator(".picture video").wait_for()  # the message gives way to the picture
        assert page.locator(".picture video").evaluate("video => Math.round(video.duration)") == 16
        assert [label for label, *_ in rows(page)] == list(PARTS)


def test_it_grows_and_is_cancelled(browser, server, videos):
    with tab(browser, server.url) as found:
        page = found.ready()
        found.choose(videos["longer"])
        card = page.get_by_role("article", name="longer.mp4")
        card.get_by_text(re.compile(r"^Looked at \d+:\d\d of 53:20, [\d.]+ times real time")).wait_for()
        page.locator(".list tbody tr").nth(2).wait_for()
        seen = len(rows(page))
        page.locator(".list tbody tr").nth(seen + 2).wait_for()  # more of them
        assert page.get_by_role("progressbar").get_attribute("value") not in (None, "1")
        assert page.get_by_role("button", name="Download").is_hidden()  # nothing is corrected before its end
        [job] = {each for each in found.requests if re.search(r"/timeline/[\w-]+/events$", each)}
        job = job.removesuffix("/events")
        assert json.load(urllib.request.urlopen(job))["status"] == "running"
        card.get_by_role("button", name="Cancel").click()
        assert page.get_by_role("article").count() == 0
        for _ in range(50):
            try:
                urllib.request.urlopen(job)
            except urllib.error.HTTPError as error:
                assert error.code == 404
                break
            time.sleep(0.1)
        else:
            pytest.fail("the server still has the job")


def test_a_connection_that_is_lost_is_taken_up_again(browser, page_run, server, videos, tmp_path):
    with wire(server.url) as between, tab(browser, between.url) as found:
        page = found.ready()
        found.choose(videos["longer"])
        page.locator(".list tbody tr").first.wait_for()
        between.cut()
        text = re.compile(r"connection to the server is lost. Trying again in \d+ s")
        lost = page.get_by_role("alert").filter(has_text=text)
        lost.wait_for()
        seen = len(rows(page))
        between.mend()
        lost.wait_for(state="hidden")
        page.locator(".list tbody tr").nth(seen + 2).wait_for()
        between.cut()
        lost.wait_for()
        with running_server(tmp_path, page_run) as other:  # which knows nothing of the job
            between.mend(other.url)
            page.get_by_role("alert").filter(has_text="There is no such timeline").wait_for()
            page.get_by_role("button", name="Try again").click()
            page.get_by_text(re.compile("^Looked at ")).wait_for()


def test_one_answer_becomes_a_timeline_with_the_chosen_model(browser, page_run, videos, tmp_path):
    second = Path(shutil.copytree(page_run, tmp_path / "runs" / "other"))
    with running_server(tmp_path, page_run, second) as server, tab(browser, server.url) as found:
        page = found.ready()
        assert page.get_by_label("Model").locator("option").all_inner_texts() == ["grey", "other"]
        page.get_by_label("Model").select_option("other")
        page.get_by_label("One answer a video").check()
        found.choose(videos["long"])
        page.locator(".answer").wait_for()
        page.get_by_role("button", name="Show its timeline").click()
        page.get_by_text(re.compile("with other$")).wait_for()
        page.get_by_text("About this model").click()
        assert f"{BRIGHT}, {DIM}" in page.locator("#about").inner_text()
