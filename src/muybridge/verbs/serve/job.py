"""Starting a server, and ending it in good order."""

import errno
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rich.console import Console

from muybridge.console import STDERR, say
from muybridge.errors import UserError
from muybridge.files import require_local
from muybridge.temporaries import prefix_of, remove_dead
from muybridge.verbs.serve.config import ServeConfig
from muybridge.verbs.serve.security import App
from muybridge.video.isolation import isolated

TOKEN = "MUYBRIDGE_TOKEN"
_EXTRA = ("fastapi", "uvicorn", "python_multipart", "websockets", "prometheus_client", "cryptography")
_MOST_CONNECTIONS = 1000
_LONGEST_MESSAGE = 16 * 2**20


def serve(
    runs: Sequence[str | Path],
    config: ServeConfig | None = None,
    *,
    engine: str = "auto",
    device: str = "auto",
    console: Console = STDERR,
) -> None:
    """Serve trained models over HTTP until SIGTERM or Ctrl-C; what runs then is finished.

    Args:
        runs: Run directories or model folders; the first answers where a request names none.
        config: How the server is reached, and how much it takes on.
        engine: What computes clips: see ``muybridge.load``. Long videos and streams are computed in torch.
        device: Where torch computes: auto, cpu, cuda, cuda:1 or mps.
        console: Where addresses and notes are printed.

    Raises:
        UserError: If the extra `serve` is missing, there is no model, or the address is taken.
    """
    config = config or ServeConfig()
    missing = [name for name in _EXTRA if find_spec(name) is None]
    if missing:
        raise UserError(f"serve needs {', '.join(missing)}; install the extra: pip install 'muybridge[serve]'")
    if not runs:
        raise UserError("no model to serve; name a run, such as runs/default-1")
    from muybridge.verbs.serve.fetching import key_origin

    token = config.token or os.environ.get(TOKEN, "")
    ServeConfig(token=token)  # that of the environment has to be good, too
    key_origin(config)  # a key without a place is an error before models are loaded
    made = not token and not config.is_local
    token = secrets.token_urlsafe(32) if made else token
    with ExitStack() as stack:
        listening = stack.enter_context(_listening(config))
        root = stack.enter_context(_temporary_folder(config.folder))
        certificate = _certificate(config, root)
        stack.enter_context(isolated())
        _serve([Path(run) for run in runs], config, listening, root, certificate, token, made, engine, device, console)


def _serve(
    runs: list[Path],
    config: ServeConfig,
    listening: socket.socket,
    root: Path,
    certificate: tuple[Path, Path] | None,
    token: str,
    made: bool,
    engine: str,
    device: str,
    console: Console,
) -> None:
    from muybridge.verbs.serve.app import build_app
    from muybridge.verbs.serve.draining import DrainingServer
    from muybridge.verbs.serve.hosting import load_models
    from muybridge.verbs.serve.metrics import Metrics
    from muybridge.verbs.serve.service import Service

    metrics = Metrics()
    models = load_models(
        runs,
        engine=engine,
        device=device,
        announce=lambda line: say(console, line),
        on_batch=lambda name, clips: metrics.batches.labels(name).observe(clips),
    )
    with ExitStack() as ending:  # threads that nobody ends would keep the process
        ending.callback(models.close)
        service = Service(config, models, root, metrics)
        ending.callback(service.jobs.close)
        settings = settings_of(build_app(service, token=token), certificate)
        _say_where(console, config, listening, token, made, has_tls=certificate is not None)
        DrainingServer(settings, service).run(sockets=[listening])


def settings_of(app: App, certificate: tuple[Path, Path] | None) -> Any:
    """Uvicorn's settings for an application, with the certificate and key for HTTPS."""
    import uvicorn

    from muybridge.verbs.serve.connections import Connection

    return uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        http=Connection,
        ws="websockets-sansio",
        ws_max_size=_LONGEST_MESSAGE,
        ws_per_message_deflate=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=5,
        ssl_certfile=certificate and str(certificate[0]),
        ssl_keyfile=certificate and str(certificate[1]),
    )


@contextmanager
def _listening(config: ServeConfig) -> Iterator[socket.socket]:
    """A socket on the address, before the models are loaded."""
    try:
        found = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise UserError(f"host {config.host!r} is no address of this machine: {error.strerror or error}") from None
    with listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(address)
        except OSError as error:
            advice = "name another port" if error.errno == errno.EADDRINUSE else "name another host or port"
            raise UserError(f"{config.host} port {config.port}: {error.strerror}; {advice}") from None
        listening.set_inheritable(False)
        yield listening


@contextmanager
def _temporary_folder(parent: Path | None) -> Iterator[Path]:
    """The folder of all that is temporary; what servers that were killed left behind is removed first."""
    place = Path(tempfile.gettempdir()) if parent is None else parent
    require_local(place)
    place.mkdir(parents=True, exist_ok=True)
    remove_dead(place)
    folder = Path(tempfile.mkdtemp(prefix=prefix_of("serve"), dir=place))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _certificate(config: ServeConfig, root: Path) -> tuple[Path, Path] | None:
    """Certificate and key, checked."""
    if config.tls_self_signed:
        from muybridge.verbs.serve.tls import write_self_signed

        return write_self_signed(root, config.host)
    if config.tls_cert is None or config.tls_key is None:
        return None
    import ssl

    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(config.tls_cert, config.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise UserError(
            f"tls_cert {config.tls_cert} and tls_key {config.tls_key} cannot be used: "
            f"{getattr(error, 'reason', None) or error.strerror or error}; give a certificate and its key as PEM"
        ) from None
    return config.tls_cert, config.tls_key


def _say_where(
    console: Console, config: ServeConfig, listening: socket.socket, token: str, made: bool, *, has_tls: bool
) -> None:
    host, port = listening.getsockname()[:2]
    shown = socket.gethostname() if host in ("0.0.0.0", "::") else host
    shown = f"[{shown}]" if ":" in shown else shown
    url = f"{'https' if has_tls else 'http'}://{shown}:{port}"
    say(console, f"serving at {url}/{f'#token={token}' if made else ''} (stop with Ctrl-C)")
    if made:
        say(console, f"token: {token}")
    if not config.is_local and not has_tls:
        say(
            console,
            "note: without HTTPS others in the network can read what is sent, the token included; see --tls-cert",
        )
