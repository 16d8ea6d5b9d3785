"""Who gets events: a file, a command, a webhook, a broker of MQTT; each line of JSON is one event.

No address is printed with its credentials, and a command is run as its words, without a shell.
"""

import shlex
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from muybridge.errors import UserError
from muybridge.text import one_line
from muybridge.verbs.watch.delivery import WEB_SECONDS, Delivery, Say, Undelivered
from muybridge.verbs.watch.mqtt_topic import MqttTopic
from muybridge.video.live.addresses import printable_address

_COMMAND_SECONDS = 60.0


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

    def deliver(self, line: str, *, again: bool) -> None:
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

    def deliver(self, line: str, *, again: bool) -> None:
        """Send it; see ``Delivery``."""
        try:
            answer = self._requests.post(
                self._url,
                data=line.encode(),
                headers={"Content-Type": "application/json"},
                timeout=WEB_SECONDS,
                allow_redirects=False,  # what the user typed gets it, nobody else
                stream=True,
            )
            status = answer.status_code
            answer.close()
        except self._requests.RequestException as error:  # its text names the address
            raise Undelivered(f"no answer ({type(error).__name__})") from None
        if not 200 <= status < 300:
            raise Undelivered(f"it answered {status}")


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
