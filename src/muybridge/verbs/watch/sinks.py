"""Who gets events: a file, a command, a webhook, a broker of MQTT; each line of JSON is one event.

Notable: what could wait for another machine or program does so in a thread of its own behind a bounded queue, so that
watching goes on. What could not be delivered is said and counted. No address is printed with its credentials, and a
command is run as its words, without a shell.
"""

import queue
import shlex
import shutil
import subprocess
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from muybridge.errors import UserError
from muybridge.text import one_line
from muybridge.video.live.addresses import printable_address

Say = Callable[[str], None]

_WAITING = 1000
_TRIES, _FIRST_WAIT_SECONDS = 3, 0.5
_LAST_SECONDS = 10.0
"""How long what waits may still be delivered when watching ends."""

_COMMAND_SECONDS = 60.0
_WEB_SECONDS = 10.0


class Undelivered(Exception):  # noqa: N818 - not an error of ours
    """An event did not arrive, and why, in words without credentials."""


class EventFile:
    """A file to which each event is added as a line.

    Attributes:
        name: What a user calls it.
        failed: How many lines it did not take.
    """

    def __init__(self, path: Path, say: Say) -> None:
        self.name = str(path)
        self.failed = 0
        self._say = say
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise UserError(f"{path} cannot be written: {error.strerror}; name another file") from error

    def send(self, line: str) -> None:
        """Add a line."""
        try:
            self._file.write(line + "\n")
            self._file.flush()
        except OSError as error:
            self.failed += 1
            self._say(f"{self.name}: an event is not written: {error.strerror}")

    def close(self) -> None:
        """Close it."""
        with suppress(OSError):  # said when the line was written
            self._file.close()


class Delivery(ABC):
    """A receiver that is told in a thread of its own, tried again, and given up at last.

    Args:
        name: What a user calls it, without credentials.
        say: Called with a line for what a user should know.

    Attributes:
        name: It.
        failed: How many events it did not get.
    """

    def __init__(self, name: str, say: Say) -> None:
        self.name = name
        self.failed = 0
        self._say = say
        self._waiting: queue.Queue[str | None] = queue.Queue(_WAITING)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @abstractmethod
    def deliver(self, line: str) -> None:
        """Hand one event over.

        Raises:
            Undelivered: It did not arrive.
        """

    def send(self, line: str) -> None:
        """Have an event delivered; the caller does not wait."""
        try:
            self._waiting.put_nowait(line)
        except queue.Full:
            self._fail(f"{_WAITING} events wait already")

    def close(self) -> None:
        """Deliver what waits, but not for long."""
        until = time.monotonic() + _LAST_SECONDS
        with suppress(queue.Full):
            self._waiting.put(None, timeout=_LAST_SECONDS)
        self._thread.join(timeout=max(0.0, until - time.monotonic()))
        self._over.set()
        left = sum(1 for line in list(self._waiting.queue) if line is not None) + self._thread.is_alive()
        if left:
            self.failed += left
            self._say(f"{self.name}: {left} events were not delivered when watching ended")

    def _run(self) -> None:
        while (line := self._waiting.get()) is not None:
            for attempt in range(_TRIES):
                try:
                    self.deliver(line)
                    break
                except Undelivered as error:
                    if attempt + 1 == _TRIES or self._over.wait(_FIRST_WAIT_SECONDS * 2**attempt):
                        self._fail(str(error))
                        break

    def _fail(self, why: str) -> None:
        self.failed += 1
        self._say(f"{self.name}: an event was not delivered: {why}")


class Command(Delivery):
    """A program that is run for each event, with the event on its standard input."""

    def __init__(self, command: str, say: Say) -> None:
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            raise UserError(f"the command {command!r} is not complete: {error}; check its quotes") from None
        if not self._words:
            raise UserError("the command for events is empty; name a program")
        if shutil.which(self._words[0]) is None:
            raise UserError(f"there is no program {self._words[0]}; check its path, and that it may be executed")
        super().__init__(Path(self._words[0]).name, say)

    def deliver(self, line: str) -> None:
        """Run it; see ``Delivery``."""
        try:
            # In a session of its own, so that Ctrl-C does not end what is being handled.
            done = subprocess.run(
                self._words,
                input=line.encode() + b"\n",
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=_COMMAND_SECONDS,
                start_new_session=True,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Undelivered(f"it took more than {_COMMAND_SECONDS:g} s") from None
        except OSError as error:
            raise Undelivered(str(error.strerror)) from None
        if done.returncode:
            said = one_line(done.stderr[-1000:].decode(errors="replace")) if done.stderr.strip() else ""
            raise Undelivered(f"it ended with code {done.returncode}{f': {said}' if said else ''}")


class Webhook(Delivery):
    """An address that is sent each event by HTTP POST."""

    def __init__(self, url: str, say: Say) -> None:
        self._url = url
        name = printable_address(url)
        if not url.lower().startswith(("http://", "https://")):
            raise UserError(f"{name} is no webhook; give an address that begins with http:// or https://")
        import requests

        self._requests = requests
        super().__init__(name, say)

    def deliver(self, line: str) -> None:
        """Send it; see ``Delivery``."""
        try:
            answer = self._requests.post(
                self._url,
                data=line.encode(),
                headers={"Content-Type": "application/json"},
                timeout=_WEB_SECONDS,
                allow_redirects=False,  # what the user typed gets it, nobody else
                stream=True,
            )
            status = answer.status_code
            answer.close()
        except self._requests.RequestException as error:  # its text names the address
            raise Undelivered(f"no answer ({type(error).__name__})") from None
        if not 200 <= status < 300:
            raise Undelivered(f"it answered {status}")


class MqttTopic(Delivery):
    """A topic of a broker, to which each event is published."""

    def __init__(self, url: str, say: Say) -> None:
        name = printable_address(url)
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise UserError(f"{name} is no address of a broker; write mqtt://host/topic") from None
        topic = unquote(parts.path.lstrip("/"))
        if parts.scheme not in ("mqtt", "mqtts") or not host or not topic:
            raise UserError(f"{name} is no address of a broker; write mqtt://host/topic, or mqtts:// for TLS")
        if "+" in topic or "#" in url.rpartition("@")[2]:
            raise UserError(f"{name}: a topic to publish to has no + and no #")
        try:
            from paho.mqtt.client import Client
            from paho.mqtt.enums import CallbackAPIVersion
        except ImportError:
            raise UserError("MQTT needs paho-mqtt: pip install 'muybridge[mqtt]'") from None
        self._topic = topic
        self._client: Any = Client(CallbackAPIVersion.VERSION2)
        if parts.username:
            self._client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        if parts.scheme == "mqtts":
            self._client.tls_set()
        self._refused = ""
        self._client.on_connect = self._connected
        self._answered = threading.Event()
        try:
            self._client.connect(host, port or (8883 if parts.scheme == "mqtts" else 1883), keepalive=30)
        except (OSError, ValueError) as error:
            raise UserError(f"{name}: no broker answers ({type(error).__name__}); check the address") from None
        self._client.loop_start()
        if not self._answered.wait(_WEB_SECONDS) or self._refused:
            self._client.loop_stop()
            raise UserError(f"{name}: the broker refuses ({self._refused or 'no answer'}); check user and password")
        super().__init__(name, say)

    def _connected(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._refused = str(reason) if reason.is_failure else ""
        self._answered.set()

    def deliver(self, line: str) -> None:
        """Publish it; see ``Delivery``."""
        try:
            sent = self._client.publish(self._topic, line, qos=1)
            sent.wait_for_publish(_WEB_SECONDS)
            arrived = sent.is_published()
        except (ValueError, RuntimeError) as error:
            raise Undelivered(f"the broker is not connected ({type(error).__name__})") from None
        if not arrived:
            raise Undelivered("the broker did not confirm it")

    def close(self) -> None:
        """Deliver what waits, and leave the broker."""
        super().close()
        self._client.disconnect()
        self._client.loop_stop()


Sink = EventFile | Delivery


def open_sinks(
    *, out: str | Path | None, on_event: str | None, webhook: str | None, mqtt: str | None, say: Say
) -> list[Sink]:
    """The receivers that a user asked for.

    Raises:
        UserError: One of them cannot be one; none is left open.
    """
    wanted: list[Callable[[], Sink]] = []
    if out is not None:
        wanted.append(lambda: EventFile(Path(out), say))
    if on_event is not None:
        wanted.append(lambda: Command(on_event, say))
    if webhook is not None:
        wanted.append(lambda: Webhook(webhook, say))
    if mqtt is not None:
        wanted.append(lambda: MqttTopic(mqtt, say))
    opened: list[Sink] = []
    try:
        for make in wanted:
            opened.append(make())
    except BaseException:
        for sink in opened:
            sink.close()
        raise
    return opened
