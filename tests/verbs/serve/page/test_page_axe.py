"""axe-core on every view of the page. It is no part of the project; the test is skipped where nobody says where it is.

MUYBRIDGE_AXE=package/axe.min.js pytest tests/verbs/serve/page    (npm pack axe-core; tar xf axe-core-*.tgz)
"""

import os
import re
from pathlib import Path

import pytest
from tests.helpers.page_browser import tab

PLACE = os.environ.get("MUYBRIDGE_AXE")


@pytest.mark.skipif(PLACE is None, reason="needs MUYBRIDGE_AXE, the path of axe-core's axe.min.js")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing(browser, server, videos, width, scheme):
    with tab(browser, server.url, width=width, scheme=scheme) as found:
        page = found.ready()
        page.evaluate(Path(PLACE).read_text())

        def violations() -> list[str]:
            kinds = page.evaluate("axe.run().then(result => [result.violations, result.passes.length])")
            assert kinds[1] > 30  # it did look
            return [f"{each['id']}: {[node['html'] for node in each['nodes']]}" for each in kinds[0]]

        assert violations() == []
        found.choose(videos["clip"], videos["hostile"], videos["text"], videos["long"])
        page.locator(".answer").nth(1).wait_for()
        page.get_by_text(re.compile("with grey$")).wait_for()
        page.locator(".problem", has_text="Not a video").wait_for()
        page.locator(".choose").nth(1).click()
        page.get_by_text("Keys", exact=True).click()
        page.get_by_text("About this model").click()
        assert violations() == []
        page.get_by_role("tab", name="Camera").click()
        page.get_by_role("button", name="Start the camera").click()
        page.locator("#camera .problem", has_text="No camera was found").wait_for()
        assert violations() == []
