"""Clips of many requests through one model, computed together."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from muybridge import api
from muybridge.errors import UserError
from muybridge.inference.loading import load
from muybridge.inference.recognizer import Recognizer
from muybridge.verbs.serve.batching import Batcher


def paths_of(clips) -> list:
    return sorted(clips.glob("*/*.avi"))


def ask(batcher: Batcher, paths: Sequence) -> list:
    async def all_of_them():
        return await asyncio.gather(*(batcher.predict(path) for path in paths), return_exceptions=True)

    return asyncio.run(all_of_them())


@pytest.mark.parametrize("kind", ["recognizer", "ensemble"])
def test_answers_are_those_of_one_after_the_other(tiny_run, clips, tmp_path, kind):
    run = tiny_run if kind == "recognizer" else api.ensemble([tiny_run], calibrate=True, run=tmp_path / "both").run
    model, sizes = load(run), []
    batcher = Batcher(model, on_batch=sizes.append)
    paths = [*paths_of(clips), clips / "nothing.avi"]
    try:
        found = ask(batcher, paths)
    finally:
        batcher.close()
    for path, answer, expected in zip(paths, found, load(run).predict(paths), strict=True):
        assert answer.path == path and answer.error == expected.error
        if answer.error is None:
            assert dict(answer.ranking) == pytest.approx(dict(expected.ranking), abs=1e-5)
    assert sum(sizes) == len(paths) - 1 and max(sizes) > 1


def test_a_clip_that_breaks_the_network_breaks_no_other(tiny_run, clips, monkeypatch):
    model = load(tiny_run)
    bad, whole, answers = paths_of(clips)[3], Recognizer.decode, Recognizer.answers
    marked: list = []
    begin = threading.Event()

    def decode(self, clip, **options):
        decoded = whole(self, clip, **options)
        if clip.path == bad:
            marked.append(decoded)
        return decoded

    def refuse(self, decoded):
        begin.wait(20)
        if any(each is one for each in decoded for one in marked):
            raise UserError("scores that are no numbers")
        return answers(self, decoded)

    monkeypatch.setattr(Recognizer, "decode", decode)
    monkeypatch.setattr(Recognizer, "answers", refuse)
    batcher = Batcher(model)
    try:
        threading.Timer(0.5, begin.set).start()
        found = ask(batcher, paths_of(clips)[:6])
    finally:
        batcher.close()
    assert [isinstance(each, UserError) for each in found] == [number == 3 for number in range(6)]
