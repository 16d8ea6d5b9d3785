"""Who may ask, and what is left when a server ends."""

import os
import signal
import ssl
import subprocess
import sys
import threading
import time

import httpx
import pytest
from tests.helpers.commands import run
from tests.helpers.long_videos import write_long
from tests.helpers.servers import running_server
from tests.verbs.serve.test_stream import START_JPEG, messages_of, ws_url
from tests.verbs.serve.test_timelines import begin, events_of
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

TOKEN = "a-token-of-the-tests-0123456789"


def test_headers_of_every_answer(server):
    with server.client() as client:
        for answer in (client.get("/"), client.get("/nothing"), client.post("/predict"), client.get("/models")):
            policy = answer.headers["content-security-policy"]
            assert policy.startswith("default-src 'self'") and "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["permissions-policy"].startswith("camera=(self)")
            assert not any(name.startswith("access-control") for name in answer.headers)
            assert "server" not in answer.headers


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("127.0.0.1:80", 200),
        ("[::1]:9", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
    ],
)
def test_only_names_of_this_machine_are_answered(server, host, status):
    with server.client() as client:
        answer = client.get("/models", headers={"host": host})
        assert answer.status_code == status
        if status == 403:
            assert "allow_host" in answer.json()["detail"]


def test_pages_of_strangers_change_nothing(server):
    with server.client() as client:
        for origin in ("http://evil.example", "null", server.url + ".evil.example", "http://localhost:1"):
            answer = client.post("/predict", headers={"origin": origin})
            assert answer.status_code == 403, origin
            assert client.delete("/timeline/x", headers={"origin": origin}).status_code == 403
        assert client.post("/predict", headers={"origin": server.url}).status_code == 415
        assert client.options("/predict", headers={"origin": "http://evil.example"}).status_code == 403


def test_files_of_the_page_and_no_others(server):
    with server.client() as client:
        assert "<!doctype html>" in client.get("/").text.lower()
        assert client.get("/page/index.html").headers["content-type"].startswith("text/html")
        for name in ("../app.py", "%2e%2e%2fapp.py", "..%2Fapp.py", "app.py", "/etc/passwd", "%2Fetc%2Fpasswd"):
            assert client.get(f"/page/{name}").status_code == 404


def test_description_with_examples_and_no_page_that_loads_scripts(server):
    with server.client() as client:
        described = client.get("/openapi.json").json()
        assert client.get("/docs").status_code == 404
    assert set(described["paths"]) >= {
        "/predict",
        "/timeline",
        "/timeline/{id}",
        "/timeline/{id}/events",
        "/timeline/{id}/annotations",
        "/models",
        "/health",
        "/ready",
        "/metrics",
        "/setup",
    }
    content = described["paths"]["/predict"]["post"]["requestBody"]["content"]
    assert set(content) == {"multipart/form-data", "application/json"}
    assert content["application/json"]["example"]["tasks"]
    assert described["components"]["schemas"]["ModelInfo"]["properties"]["name"]["examples"]


def test_a_token_where_other_machines_reach_it(probe_run, clips, tmp_path):
    clip = next((clips / "dim").iterdir())
    with running_server(tmp_path, probe_run, "--host", "0.0.0.0") as server:
        assert len(server.token) >= 32  # made and printed
        url = f"http://127.0.0.1:{server.url.rpartition(':')[2]}"
        files = {"files": (clip.name, clip.read_bytes())}
        with httpx.Client(base_url=url, timeout=60) as client:
            for path in ("/", "/page/index.html", "/health", "/ready"):
                assert client.get(path).status_code == 200
            for path in ("/models", "/metrics", "/openapi.json", "/timeline/x", "/nothing"):
                assert client.get(path).status_code == 401
                wrong = client.get(path, headers={"authorization": f"Bearer {server.token[:-1]}"})
                assert wrong.status_code == 401 and "Bearer" in wrong.headers["www-authenticate"]
            assert client.post("/predict", files=files).status_code == 401
            right = {"authorization": f"Bearer {server.token}"}
            assert client.post("/predict", files=files, headers=right).status_code == 200
            # Label Studio sends a user and a password.
            assert client.get("/models", auth=("anyone", server.token)).status_code == 200
            assert client.get("/openapi.json", headers=right).json()["security"]
        socket_url = url.replace("http", "ws") + "/stream"
        with pytest.raises(InvalidStatus) as refused, connect(socket_url):
            pass
        assert refused.value.response.status_code == 401
        with connect(socket_url, subprotocols=["muybridge", f"token.{server.token}"]) as socket:
            assert socket.subprotocol == "muybridge"
            socket.send(START_JPEG)
            messages_of(socket, until="ready")


def test_a_token_of_the_environment(probe_run, tmp_path):
    with running_server(tmp_path, probe_run, token=TOKEN, environment={"MUYBRIDGE_TOKEN": TOKEN}) as server:
        assert TOKEN not in server.said
        with server.client() as client:
            assert client.get("/models").status_code == 200
            assert client.get("/models", headers={"authorization": ""}).status_code == 401


def test_https_with_a_certificate_of_its_own(probe_run, tmp_path):
    with running_server(tmp_path, probe_run, "--tls-self-signed") as server:
        assert server.url.startswith("https://")
        with server.client() as client:
            assert client.get("/models").status_code == 200
        with pytest.raises(httpx.ConnectError):
            httpx.get(server.url, verify=ssl.create_default_context())
        key = next(server.folder.rglob("key.pem"))
        assert key.stat().st_mode & 0o077 == 0
        # The same files serve as --tls-cert and --tls-key.
        cert, own_key = tmp_path / "cert.pem", tmp_path / "own.pem"
        cert.write_bytes(key.with_name("certificate.pem").read_bytes())
        own_key.write_bytes(key.read_bytes())
        context = ssl._create_unverified_context()
        with connect(ws_url(server).replace("http", "ws"), ssl=context) as socket:
            socket.send(START_JPEG)
            messages_of(socket, until="ready")
        assert server.stop() == 0
    assert not list(server.folder.glob(".serve*"))
    with running_server(tmp_path / "second", probe_run, "--tls-cert", cert, "--tls-key", own_key) as server:
        answer = httpx.get(server.url + "/health", verify=ssl.create_default_context(cafile=str(cert)))
        assert answer.json() == {"status": "ok"}


def test_sigterm_finishes_what_runs(probe_run, long_video, clips, tmp_path):

    video = write_long(tmp_path / "minutes.mp4", parts=("dim", "bright") * 40)
    with running_server(tmp_path / "server", probe_run) as server, server.client() as client:
        running = begin(client, video)
        found: list = []
        watcher = threading.Thread(target=lambda: found.extend(events_of(client, running["id"])))
        watcher.start()
        until = time.monotonic() + 60
        while client.get(f"/timeline/{running['id']}").json()["done_seconds"] == 0:
            assert time.monotonic() < until
        waiting = begin(client, long_video)
        with connect(ws_url(server)) as stream:
            stream.send(START_JPEG)
            messages_of(stream, until="ready")
            server.process.send_signal(signal.SIGTERM)
            assert "about to end" in messages_of(stream, until="error")[-1]["detail"]
        while (ready := client.get("/ready")).status_code == 200:
            time.sleep(0.02)
        assert ready.status_code == 503
        assert client.get("/health").status_code == 200
        refused = client.post("/timeline", files={"file": ("a.avi", b"abc")})
        assert refused.status_code == 503 and "about to end" in refused.json()["detail"]
        watcher.join(120)
        assert found[-1][0] == "done" and len(found[-1][1]["segments"]) == 80
        assert client.get(f"/timeline/{running['id']}").json()["status"] == "done"
        assert client.get(f"/timeline/{waiting['id']}").json()["status"] == "cancelled"
        assert server.process.wait(60) == 0
    assert list(server.folder.iterdir()) == []


def test_a_second_signal_ends_it_at_once(probe_run, tmp_path):

    video = write_long(tmp_path / "minutes.mp4", parts=("dim", "bright") * 100)
    with running_server(tmp_path / "server", probe_run) as server, server.client() as client:
        running = begin(client, video)
        while client.get(f"/timeline/{running['id']}").json()["done_seconds"] == 0:
            time.sleep(0.02)
        server.process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert server.process.poll() is None
        server.process.send_signal(signal.SIGINT)
        server.process.wait(30)
    assert list(server.folder.iterdir()) == []


def test_what_a_killed_server_leaves_the_next_one_removes(probe_run, long_video, tmp_path):
    with running_server(tmp_path, probe_run) as server, server.client() as client:
        begin(client, long_video)
        server.process.kill()
        server.process.wait()
        assert list(tmp_path.glob(".serve*"))
    with running_server(tmp_path, probe_run) as server:
        assert len(list(tmp_path.glob(".serve*"))) == 1 and not server.temporary_files
        assert server.stop() == 0
    assert not list(tmp_path.glob(".serve*"))


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--token", "short"], "at least 16"),
        (["--tls-cert", "a.pem"], "go together"),
        (["--tls-cert", "a.pem", "--tls-key", "b.pem"], "cannot be used"),
        (["--host", "203.0.113.7"], "203.0.113.7"),
        (["--host", "no such host"], "no address"),
        (["--allow-url", "localhost"], "no beginning of an address"),
        (["--port", "70000"], "port"),
        (["--waiting", "0"], "waiting"),
    ],
)
def test_options_that_make_no_sense(probe_run, tmp_path, options, line, capsys):
    code, _, said = run("serve", probe_run, "--port", 0, "--folder", tmp_path, *options, capsys=capsys)
    assert code == 2 and line in said and said.count("error:") == 1
    assert list(tmp_path.iterdir()) == []


def test_no_model_and_a_port_that_is_taken(server, probe_run, tmp_path, capsys):
    code, _, said = run("serve", tmp_path, "--port", 0, "--folder", tmp_path / "f", capsys=capsys)
    assert code == 2 and str(tmp_path) in said
    port = server.url.rpartition(":")[2]
    code, _, said = run("serve", probe_run, "--port", port, "--folder", tmp_path / "f", capsys=capsys)
    assert code == 2 and "name another port" in said
    assert list((tmp_path / "f").iterdir()) == []


def test_without_the_extra_it_says_what_to_install(tmp_path):
    (tmp_path / "block.py").write_text(
        "import sys\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('fastapi', 'uvicorn'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "import importlib.util\n"
        "found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name: None if name in ('fastapi', 'uvicorn') else found(name)\n"
        "from muybridge import cli\n"
        "cli.main(['serve', 'nothing'])\n"
    )
    done = subprocess.run(
        [sys.executable, str(tmp_path / "block.py")], capture_output=True, text=True, env=dict(os.environ), check=False
    )
    assert done.returncode == 2
    assert "fastapi, uvicorn" in done.stderr and "muybridge[serve]" in done.stderr
