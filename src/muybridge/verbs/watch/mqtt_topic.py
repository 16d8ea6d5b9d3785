"""A topic of a broker of MQTT, to which each event is published."""

import threading
from typing import Any
from urllib.parse import unquote, urlsplit

from muybridge.errors import UserError
from muybridge.verbs.watch.delivery import WEB_SECONDS, Delivery, Say, Undelivered
from muybridge.video.live.addresses import printable_address

_MOST_KEPT = 1000
"""So many events the client keeps for a broker that is away."""


class MqttTopic(Delivery):
    """A topic of a broker, to which each event is published, once.

    Notable: the client keeps what is published until the broker confirms it, also while there is no connection. So an
    event that is tried again is only waited for, and one that was given up may still arrive; it does not count then.
    """

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
            from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
        except ImportError:
            raise UserError("MQTT needs paho-mqtt: pip install 'muybridge[mqtt]'") from None
        self._topic = topic
        self._full = MQTTErrorCode.MQTT_ERR_QUEUE_SIZE
        self._client: Any = Client(CallbackAPIVersion.VERSION2)
        self._client.max_queued_messages_set(_MOST_KEPT)
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
        if not self._answered.wait(WEB_SECONDS) or self._refused:
            self._client.loop_stop()
            raise UserError(f"{name}: the broker refuses ({self._refused or 'no answer'}); check user and password")
        self._current: int | None = None  # numbers of messages, by the client
        self._arrived: set[int] = set()
        self._late: set[int] = set()
        super().__init__(name, say)
        self._confirmation = threading.Condition(self._counting)
        self._client.on_publish = self._published

    def _connected(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._refused = str(reason) if reason.is_failure else ""
        self._answered.set()

    def _published(self, _client: Any, _data: Any, number: int, _reason: Any, _properties: Any) -> None:
        with self._confirmation:
            if number in self._late:
                self._late.remove(number)
                self.failed -= 1
            else:
                self._arrived.add(number)
                self._confirmation.notify_all()

    def deliver(self, line: str, *, again: bool) -> None:
        """Publish it, once; tried again, only wait: the client keeps it and sends it when the broker is back."""
        if not again:
            self._current = None
        if self._current is None:
            try:
                # Without the lock: the client confirms others while it holds its own.
                sent = self._client.publish(self._topic, line, qos=1)
            except (ValueError, RuntimeError) as error:
                raise Undelivered(f"the broker's client does not take it ({type(error).__name__})") from None
            if sent.rc == self._full:
                raise Undelivered(f"{_MOST_KEPT} events wait for the broker already")
            self._current = sent.mid
        with self._confirmation:
            if not self._confirmation.wait_for(lambda: self._current in self._arrived, WEB_SECONDS):
                away = not self._client.is_connected()
                raise Undelivered("the broker is not connected" if away else "the broker did not confirm it")
            self._arrived.clear()

    def give_up(self, why: str) -> None:
        """Count an event that has not arrived until it has; see ``Delivery``."""
        if self._current is None:  # the client does not have it
            super().give_up(why)
            return
        with self._confirmation:
            if self._current in self._arrived:  # just now
                self._arrived.clear()
                return
            self._late.add(self._current)
            self.failed += 1
        self._say(f"{self.name}: an event has not arrived yet: {why}; it is sent when the broker is back")

    def close(self) -> None:
        """Deliver what waits, and leave the broker."""
        super().close()
        self._client.disconnect()
        self._client.loop_stop()
