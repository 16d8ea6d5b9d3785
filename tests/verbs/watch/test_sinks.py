"""Who gets events: real programs, a real web server, a real broker; and what is said where they fail."""

import json
import shlex
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.helpers.streams import free_port, require_program, wait_for_port

from muybridge.errors import UserError
from muybridge.verbs.watch import delivery, mqtt_topic
from muybridge.verbs.watch.mqtt_topic import MqttTopic
from muybridge.verbs.watch.sinks import Command, EventFile, Webhook, open_sinks


@pytest.fixture
def said():
    return []


def lines(count: int) -> list[str]:
    return [json.dumps({"state": "begin", "label": f"$(touch injected); {number}"}) for number in range(count)]


def send_all(sink, sent) -> None:
    for line in sent:
        sink.send(line)
    sink.close()


def test_a_file_gets_a_line_an_event_and_keeps_what_it_had(tmp_path, said):
    for number in range(2):
        send_all(EventFile(tmp_path / "new" / "events.jsonl", said.append), lines(3)[number : number + 2])
    assert (tmp_path / "new" / "events.jsonl").read_text().splitlines() == [*lines(2), *lines(3)[1:]]


def test_a_command_gets_each_event_on_its_input_without_a_shell(tmp_path, said):
    program = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read() + sys.argv[2] + '\\n')"
    words = [sys.executable, "-c", program, str(tmp_path / "got"), f"$(touch {tmp_path}/injected) ; > x"]
    send_all(Command(shlex.join(words), said.append), lines(3))
    expected = [each for line in lines(3) for each in (line, words[-1])]
    assert (tmp_path / "got").read_text().splitlines() == expected
    assert not (tmp_path / "injected").exists()
    assert said == []


def test_a_command_that_fails_is_tried_again_and_said(tmp_path, said, monkeypatch):
    monkeypatch.setattr(delivery, "_FIRST_WAIT_SECONDS", 0.01)
    program = f"open({str(tmp_path / 'tries')!r}, 'a').write('x'); raise SystemExit('no such gate')"
    sink = Command(shlex.join([sys.executable, "-c", program]), said.append)
    send_all(sink, lines(1))
    assert (tmp_path / "tries").read_text() == "xxx"
    assert sink.failed == 1
    assert "an event was not delivered: it ended with code 1: no such gate" in said[0]


@pytest.mark.parametrize(
    ("command", "told"),
    [("", "is empty"), ("'half", "not complete"), ("no-such-program --x", "no program no-such-program")],
)
def test_a_command_that_is_none_is_told_at_once(command, told, said):
    with pytest.raises(UserError, match=told):
        Command(command, said.append)


@contextmanager
def web_server(statuses: list[int]):
    got: list[tuple[str, dict, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((self.path, json.loads(body), self.headers.get("Authorization")))
            status = statuses.pop(0) if statuses else 200
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1], got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_webhook_gets_each_event_and_is_tried_again(said, monkeypatch):
    monkeypatch.setattr(delivery, "_FIRST_WAIT_SECONDS", 0.01)
    with web_server([500, 503]) as (port, got):
        sink = Webhook(f"http://user:hunter2@127.0.0.1:{port}/hook?key=hunter2", said.append)
        send_all(sink, lines(2))
    assert [body for _, body, _ in got] == [json.loads(line) for line in (lines(1) * 3 + lines(2)[1:])]
    assert {path for path, _, _ in got} == {"/hook?key=hunter2"}
    assert all(login and login.startswith("Basic ") for _, _, login in got)
    assert (sink.failed, said) == (0, [])


@pytest.mark.parametrize(("status", "told"), [(404, "it answered 404"), (302, "it answered 302")])
def test_a_webhook_that_refuses_is_said_without_credentials_and_not_followed(status, told, said, monkeypatch):
    monkeypatch.setattr(delivery, "_FIRST_WAIT_SECONDS", 0.01)
    with web_server([status] * 3) as (port, got):
        sink = Webhook(f"http://user:hunter2@127.0.0.1:{port}/hook?key=hunter2", said.append)
        send_all(sink, lines(1))
    assert len(got) == 3
    assert sink.failed == 1
    assert told in said[0]
    assert "hunter2" not in said[0]


def test_a_webhook_that_is_not_there_holds_nothing_up_and_is_counted(said, monkeypatch):
    monkeypatch.setattr(delivery, "_FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(delivery, "_WAITING", 5)
    sink = Webhook(f"http://user:hunter2@127.0.0.1:{free_port()}/", said.append)
    began = time.monotonic()
    for line in lines(500):
        sink.send(line)
    assert time.monotonic() - began < 1
    sink.close()
    assert sink.failed == 500
    assert any("5 events wait already" in line for line in said)
    assert any("no answer (ConnectionError)" in line for line in said)
    assert "hunter2" not in "".join(said)


def test_what_is_no_webhook(said):
    with pytest.raises(UserError, match="ftp://host/ is no webhook"):
        Webhook("ftp://user:hunter2@host/", said.append)


@contextmanager
def broker(folder, port: int):
    pytest.importorskip("paho.mqtt.client")
    program = require_program("mosquitto")
    passwd = require_program("mosquitto_passwd")
    subprocess.run([passwd, "-b", "-c", str(folder / "passwords"), "cam", "hunter2"], check=True, capture_output=True)
    (folder / "passwords").chmod(0o644)
    folder.chmod(0o755)
    (folder / "mosquitto.conf").write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {folder}/passwords\nuser root\n"
        f"persistence true\npersistence_location {folder}/\n"
    )
    process = subprocess.Popen(
        [program, "-c", str(folder / "mosquitto.conf")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for_port(port)
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()  # it keeps who listens to what
        process.wait(20)


@contextmanager
def listening(port: int):
    """Somebody who listens, also to what comes while they are away; yields what came."""
    client_module = pytest.importorskip("paho.mqtt.client")
    enums = pytest.importorskip("paho.mqtt.enums")
    got: list[tuple[str, str]] = []
    ready = threading.Event()
    listener = client_module.Client(enums.CallbackAPIVersion.VERSION2, client_id="listener", clean_session=False)
    listener.username_pw_set("cam", "hunter2")
    listener.on_message = lambda _client, _data, message: got.append((message.topic, message.payload.decode()))
    listener.on_subscribe = lambda *_: ready.set()
    listener.connect("127.0.0.1", port)
    listener.subscribe("hall/#", qos=1)
    listener.loop_start()
    assert ready.wait(10)
    try:
        yield got
    finally:
        listener.disconnect()
        listener.loop_stop()


def until_there_are(got: list, count: int) -> None:
    until = time.monotonic() + 10
    while len(got) < count and time.monotonic() < until:
        time.sleep(0.02)


def test_a_topic_of_a_broker(tmp_path, said):
    port = free_port()
    with broker(tmp_path, port), listening(port) as got:
        sink = MqttTopic(f"mqtt://cam:hunter2@127.0.0.1:{port}/hall/door", said.append)
        send_all(sink, lines(3))
        until_there_are(got, 3)
        with pytest.raises(UserError, match="the broker refuses") as caught:
            MqttTopic(f"mqtt://cam:swordfish@127.0.0.1:{port}/hall/door", said.append)
    assert got == [("hall/door", line) for line in lines(3)]
    assert (sink.failed, said) == (0, [])
    assert "swordfish" not in str(caught.value)


@pytest.fixture
def hurried(monkeypatch):
    """Tries and waits of a tenth of a second."""
    monkeypatch.setattr(delivery, "_FIRST_WAIT_SECONDS", 0.05)
    for module in (delivery, mqtt_topic):
        monkeypatch.setattr(module, "WEB_SECONDS", 0.1)


def test_a_broker_that_goes_and_comes_back_gets_each_event_once(tmp_path, said, hurried):
    port = free_port()
    with broker(tmp_path, port), listening(port):
        sink = MqttTopic(f"mqtt://cam:hunter2@127.0.0.1:{port}/hall/door", said.append)
    for line in lines(2):
        sink.send(line)
    until_there_are(said, 2)
    assert sink.failed == 2
    assert all("has not arrived yet: the broker is not connected; it is sent when" in line for line in said)
    with broker(tmp_path, port), listening(port) as got:
        until_there_are(got, 2)
        sink.send(lines(3)[2])
        until_there_are(got, 3)
        sink.close()
        time.sleep(0.2)  # for what may come twice
    assert got == [("hall/door", line) for line in lines(3)]
    assert sink.failed == 0


def test_a_broker_that_is_slow_gets_each_event_once(tmp_path, said, hurried):
    port = free_port()
    with broker(tmp_path, port) as process, listening(port) as got:
        sink = MqttTopic(f"mqtt://cam:hunter2@127.0.0.1:{port}/hall/door", said.append)
        process.send_signal(signal.SIGSTOP)
        sink.send(lines(1)[0])
        until_there_are(said, 1)
        assert sink.failed == 1
        assert "has not arrived yet: the broker did not confirm it" in said[0]
        process.send_signal(signal.SIGCONT)
        until_there_are(got, 1)
        send_all(sink, lines(2)[1:])
        until_there_are(got, 2)
        time.sleep(0.2)
    assert got == [("hall/door", line) for line in lines(2)]
    assert sink.failed == 0


def test_what_waits_for_a_broker_at_the_end_is_counted(tmp_path, said, hurried, monkeypatch):
    monkeypatch.setattr(delivery, "_LAST_SECONDS", 0.5)
    port = free_port()
    with broker(tmp_path, port):
        sink = MqttTopic(f"mqtt://cam:hunter2@127.0.0.1:{port}/hall/door", said.append)
    began = time.monotonic()
    send_all(sink, lines(20))
    assert time.monotonic() - began < 3
    assert sink.failed == 20


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("http://host/a", "no address of a broker"),
        ("mqtt://host", "no address of a broker"),
        ("mqtt://host:port/a", "no address of a broker"),
        ("mqtt://host/a/#", "has no"),
        ("mqtt://user:hunter2@127.0.0.1:1/a", "no broker answers"),
    ],
)
def test_what_is_no_broker(address, told, said):
    pytest.importorskip("paho.mqtt.client")
    with pytest.raises(UserError, match=told) as caught:
        MqttTopic(address, said.append)
    assert "hunter2" not in str(caught.value)


def test_where_one_cannot_be_opened_none_stays_open(tmp_path, said):
    before = threading.active_count()
    with pytest.raises(UserError, match="is no webhook"):
        open_sinks(out=tmp_path / "a.jsonl", on_event=sys.executable, webhook="gopher://x", mqtt=None, say=said.append)
    assert threading.active_count() == before
