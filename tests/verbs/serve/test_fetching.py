"""Which host gets Label Studio's key, without a server around it."""

import pytest
from tests.helpers.commands import run
from tests.verbs.serve.file_hosts import KEY, file_host

from muybridge.errors import UserError
from muybridge.verbs.serve.config import ServeConfig
from muybridge.verbs.serve.fetching import Fetcher
from muybridge.verbs.serve.refusal import RefusalError


@pytest.fixture
def hosts(monkeypatch):
    """Label Studio, and a host of media; each has a file."""
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", KEY)
    with file_host(needs_key=True) as label_studio, file_host(needs_key=False) as media:
        label_studio.data["/a.mp4"] = media.data["/a.mp4"] = b"some bytes"
        yield label_studio, media


def test_one_host_is_label_studio(hosts, tmp_path):
    label_studio, _ = hosts
    fetcher = Fetcher(ServeConfig(allow_url=[f"{label_studio.url}/"]))
    fetcher.use_host("http://elsewhere.example")
    path, name = fetcher.fetch("/a.mp4", tmp_path, "0")
    assert path.read_bytes() == b"some bytes" and name == "a.mp4"
    assert label_studio.asked == [("/a.mp4", f"Token {KEY}")]


def test_of_several_hosts_the_named_one_gets_the_key(hosts, tmp_path):
    label_studio, media = hosts
    urls = [f"{media.url}/", f"{label_studio.url}/"]
    fetcher = Fetcher(ServeConfig(allow_url=urls, label_studio_url=f"{label_studio.url}/some/page"))
    fetcher.use_host(media.url)
    fetcher.fetch("/a.mp4", tmp_path, "0")
    fetcher.fetch(f"{media.url}/a.mp4", tmp_path, "1")
    assert label_studio.asked == [("/a.mp4", f"Token {KEY}")] and media.asked == [("/a.mp4", None)]


def test_of_several_hosts_without_a_key_any_may_be_label_studio(hosts, tmp_path, monkeypatch):
    label_studio, media = hosts
    monkeypatch.delenv("LABEL_STUDIO_API_KEY")
    fetcher = Fetcher(ServeConfig(allow_url=[f"{label_studio.url}/", f"{media.url}/"]))
    with pytest.raises(RefusalError, match="401"):
        fetcher.fetch("/a.mp4", tmp_path, "0")
    fetcher.use_host(media.url)
    fetcher.fetch("/a.mp4", tmp_path, "1")
    assert media.asked == [("/a.mp4", None)]


@pytest.mark.parametrize("address", ["http://[x", "//[x/a.mp4", "http://a\u2100.example/", "http://127.0.0.1:x/"])
def test_what_is_no_address(hosts, tmp_path, address):
    fetcher = Fetcher(ServeConfig(allow_url=[f"{hosts[0].url}/"]))
    with pytest.raises(RefusalError) as refused:
        fetcher.fetch(address, tmp_path, "0")
    assert refused.value.status in (403, 422)


def test_a_key_without_a_place_ends_the_start(hosts, tmp_path, capsys):
    urls = [each for host in hosts for each in ("--allow-url", f"{host.url}/")]
    code, _, said = run("serve", tmp_path, "--port", 0, "--folder", tmp_path, *urls, capsys=capsys)
    assert code == 2 and "label_studio_url" in said and KEY not in said and said.count("error:") == 1


@pytest.mark.parametrize(
    ("named", "line"), [("http://elsewhere.example/", "add it as an"), ("localhost:8080", "no beginning")]
)
def test_a_label_studio_that_is_none(hosts, named, line):
    with pytest.raises(UserError, match=line):
        Fetcher(ServeConfig(allow_url=[f"{hosts[0].url}/"], label_studio_url=named))
