"""The client in Python that the page about serving shows, run as it stands there against a server."""

from tests.helpers.pages import ROOT, blocks


def test_the_client_of_the_page(server, clips, long_video, tmp_path, monkeypatch, capsys):
    page = next(page for page in (ROOT / "docs" / "how-to").glob("serve.md"))
    [code] = [block.code for block in blocks(page) if block.language == "python"]
    assert len(code.strip().splitlines()) <= 12
    for name, action in (("a.mp4", "dim"), ("b.mp4", "bright")):
        (tmp_path / name).write_bytes(next((clips / action).iterdir()).read_bytes())
    (tmp_path / "match.mp4").write_bytes(long_video.read_bytes())
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(compile(code.replace("http://127.0.0.1:8000", server.url), "serve.md", "exec"), names)
    with server.client() as client:  # other tests look whether files are left
        assert client.delete(f"/timeline/{names['job']['id']}").status_code < 300
    said = capsys.readouterr().out
    assert "a.mp4 dim None" in said and "b.mp4 bright None" in said
    assert "done None" in said and said.count("'label': 'bright'") == 2
