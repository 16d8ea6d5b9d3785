"""The end of a server: its threads go, whatever ended it."""

import threading
from pathlib import Path

import pytest

from muybridge.verbs.serve.config import ServeConfig
from muybridge.verbs.serve.job import serve
from muybridge.verbs.serve.jobs import Jobs
from muybridge.verbs.serve.service import Service


@pytest.mark.parametrize("where", [(Service, "__post_init__"), (Jobs, "close")], ids=lambda where: where[1])
def test_no_thread_outlives_a_server_that_fails(tiny_run: Path, where, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(*where, interrupted)
    monkeypatch.setattr("muybridge.verbs.serve.draining.DrainingServer.run", lambda self, sockets: None)
    before = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt):
        serve([tiny_run], ServeConfig(port=0))
    computing = [each for each in set(threading.enumerate()) - before if not each.daemon]
    assert not computing
