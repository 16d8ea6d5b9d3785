"""What a user says of a server, as plain values."""

from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from muybridge.errors import UserError

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
"""Hosts that reach this machine alone, and no network."""

_LEAST_TOKEN = 16


@dataclass(frozen=True)
class ServeConfig:
    """How a server is reached, and how much it takes on."""

    host: str = "127.0.0.1"
    """Address to listen on. Anything but this machine (127.0.0.1, ::1, localhost) asks for a token."""

    port: int = 8000
    """Port to listen on; 0: any that is free."""

    token: str = field(default="", repr=False)
    """What clients must send, at least 16 characters; default: $MUYBRIDGE_TOKEN, else one is made and printed where the
    server is reached from other machines."""

    allow_host: list[str] = field(default_factory=list)
    """More names by which browsers may call a server that listens on this machine alone, such as that of a proxy."""

    allow_url: list[str] = field(default_factory=list)
    """Beginnings of addresses that videos may be fetched from, such as http://localhost:8080/; default: none."""

    label_studio_url: str = ""
    """Where Label Studio is, such as http://localhost:8080/: addresses without a host are there, and its key goes there
    alone. Asked for where `allow_url` names several hosts; default: the host that it names."""

    tls_cert: Path | None = None
    """Certificate (PEM) for HTTPS; goes with `tls_key`."""

    tls_key: Path | None = None
    """Its key (PEM)."""

    tls_self_signed: bool = False
    """HTTPS with a certificate that is made for this start; browsers warn of it."""

    max_upload_mb: float = 2048.0
    """Most megabytes of one request."""

    waiting: int = 64
    """Most requests that are answered or wait at once; more get 503."""

    jobs: int = 16
    """Most timelines that wait or run; more get 503."""

    kept_jobs: int = 32
    """Most timelines that are kept when they are done; the oldest goes first."""

    kept_minutes: float = 60.0
    """How long a timeline is kept that nobody asks for."""

    request_seconds: float = 120.0
    """Most time for an answer to a request, once it has arrived."""

    job_seconds: float = 86400.0
    """Most time for a timeline."""

    streams: int = 4
    """Most live streams at once; more get 503."""

    drain_seconds: float = 600.0
    """After SIGTERM: most time for what still runs."""

    folder: Path | None = None
    """Where uploads lie while they are needed; default: the system's folder for temporary files."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            UserError: For a value that makes no sense.
        """
        if not 0 <= self.port <= 65535:
            raise UserError(f"port is {self.port}; give 1 to 65535, or 0 for any that is free")
        if self.token and len(self.token) < _LEAST_TOKEN:
            raise UserError(f"the token has {len(self.token)} characters; give at least {_LEAST_TOKEN}, or none")
        if self.token and not all("!" <= letter <= "~" for letter in self.token):
            raise UserError("the token has characters that no HTTP header holds; give letters and digits")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise UserError("tls_cert and tls_key go together: a certificate and its key")
        if self.tls_self_signed and self.tls_cert is not None:
            raise UserError("tls_self_signed makes a certificate; leave out tls_cert and tls_key, or that")
        for name in ("max_upload_mb", "kept_minutes", "request_seconds", "job_seconds", "drain_seconds"):
            if not 0 < getattr(self, name) <= 1e9:
                raise UserError(f"{name} is {getattr(self, name):g}; give more than 0")
        for name in ("waiting", "jobs", "kept_jobs", "streams"):
            if not 1 <= getattr(self, name) <= 10_000:
                raise UserError(f"{name} is {getattr(self, name)}; give 1 to 10000")
        for name, address in (
            *(("allow_url", prefix) for prefix in self.allow_url),
            *([("label_studio_url", self.label_studio_url)] if self.label_studio_url else []),
        ):
            scheme, _, rest = address.partition("://")
            if scheme not in ("http", "https") or "/" not in rest or rest.startswith("/"):
                raise UserError(
                    f"{name} {address!r} is no beginning of an address; give scheme, host and a slash, such as "
                    "http://localhost:8080/"
                )

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches the server."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def most_bytes(self) -> int:
        """Most bytes of one request."""
        return int(self.max_upload_mb * 1e6)
