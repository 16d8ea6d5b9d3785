"""What processes of one training tell each other by name, each word signed with a key that only they know.

Notable: words are unpickled, so whoever could put one there could run code. torch's store asks nobody who he is. So
every word goes with an HMAC under a key drawn for this training, and one without it is refused unread. Of a training
on one machine the store listens on 127.0.0.1 alone; of one on several on all addresses, as torch's own does.
"""

import hashlib
import hmac
import secrets
import socket
import time
from typing import Any

from muybridge.errors import UserError

_LOOK_SECONDS = 0.2
_LOOPBACK = "127.0.0.1"
_SIGNATURE_BYTES = hashlib.sha256().digest_size


class SignedStore:
    """A store of torch's whose words are signed.

    Args:
        store: A store of ``torch.distributed``.
        key: Known to the processes of the training alone.
    """

    def __init__(self, store: Any, key: bytes) -> None:
        self._store = store
        self._key = key

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._store.port)

    def put(self, name: str, word: bytes) -> None:
        """Say something to the others."""
        self._store.set(name, self._signature(name, word) + word)

    def holds(self, name: str) -> bool:
        """Whether anything stands under a name."""
        return bool(self._store.check([name]))

    def get(self, name: str) -> bytes:
        """What was said under a name.

        Raises:
            UserError: None of these processes said it.
        """
        found = bytes(self._store.get(name))
        word = found[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(found[:_SIGNATURE_BYTES], self._signature(name, word)):
            raise UserError(
                f"what port {self.port} was told under {name!r} comes from none of these processes: somebody else "
                "reaches it; train on a network of your own"
            )
        return word

    def wait(self, name: str) -> bytes:
        """What is said under a name, be it in hours.

        Raises:
            UserError: As `get`.
        """
        pause = 0.005
        while not self.holds(name):  # the store's own way of waiting has a limit, and complains
            time.sleep(pause)
            pause = min(2 * pause, _LOOK_SECONDS)
        return self.get(name)

    def _signature(self, name: str, word: bytes) -> bytes:
        return hmac.digest(self._key, name.encode() + b"\0" + word, "sha256")


def open_store(group: Any, *, rank: int, address: str, one_machine: bool) -> SignedStore:
    """The store of a group of processes; all of them call this at the same time.

    The first process holds it, and with its end the others hear no more.

    Args:
        group: A group of gloo's. Its connections stand, and bring the key to the others.
        rank: The number of this process in it.
        address: Of the first process's machine.
        one_machine: Whether all processes are on one.
    """
    import torch.distributed as dist

    make: Any = dist.TCPStore  # type: ignore[attr-defined]
    address = _LOOPBACK if one_machine else address
    store = None
    found: list[Any] = [0, b""]
    if rank == 0:
        if one_machine:  # torch's own listens on all addresses
            listening = socket.create_server((_LOOPBACK, 0))
            port = listening.getsockname()[1]
            words = {"master_listen_fd": listening.detach()}  # the store closes it
        else:
            port, words = 0, {}
        store = make(address, port, is_master=True, wait_for_workers=False, **words)
        found = [store.port, secrets.token_bytes(32)]
    dist.broadcast_object_list(found, 0, group=group)
    port, key = found
    if store is None:
        store = make(address, port, is_master=False)
    return SignedStore(store, key)
