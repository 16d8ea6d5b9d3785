"""Shards to a bucket: under their own names, since they are read there in ranges, and the index last."""

from collections.abc import Callable

from muybridge.dataset.shard_index import INDEX_FILE, ShardIndex
from muybridge.errors import UserError
from muybridge.storage.reaching import reaching
from muybridge.storage.remote_files import files_below, read_remote, upload
from muybridge.text import counted


def upload_shards(index: ShardIndex, url: str, *, announce: Callable[[str], None]) -> None:
    """Upload a folder of shards; what is there already, of a push that was broken off, is not sent again.

    Args:
        index: The shards of this machine.
        url: Where they are to lie.
        announce: Called with what was sent.

    Raises:
        UserError: A shard is missing here, other shards lie there, or the bucket cannot be reached.
    """
    index.require_shards()
    own = (index.root / INDEX_FILE).read_bytes()
    with reaching(url, "run the same push again"):
        there = {name.removeprefix(f"{url}/"): status.size_bytes for name, status in files_below(url).items()}
        strange = there.keys() - index.shards.keys() - {INDEX_FILE}
        if strange or (INDEX_FILE in there and read_remote(f"{url}/{INDEX_FILE}") != own):
            raise UserError(f"{url} is already there and holds something else; name another place")
        sent = [name for name, size_bytes in index.shards.items() if there.get(name) != size_bytes]
        for name in sent:
            upload(index.root / name, f"{url}/{name}")
        upload(index.root / INDEX_FILE, f"{url}/{INDEX_FILE}")
    announce(f"uploaded {counted(len(sent), 'shard')} of {len(index.shards)} to {url}")
