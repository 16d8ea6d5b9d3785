"""Scores on disk: a killed job goes on where it was, and nothing that is damaged or another's is taken up."""

import numpy as np
import pytest
import torch

from muybridge.errors import UserError
from muybridge.inference.timeline.score_file import ScoreFile

JOB = {"video": "a.mp4", "weights_sha256": "0" * 64}
SCORES_NK = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)


def opened(folder, job=JOB) -> ScoreFile:
    return ScoreFile(folder / "a", job, class_count=3)


@pytest.fixture
def killed(tmp_path):
    """Six scores that count, and a half-written one behind them."""
    with opened(tmp_path) as scores:
        scores.begin()
        scores.append(SCORES_NK[:4])
        scores.append(SCORES_NK[4:6])
        scores.keep({"counts": torch.tensor([9, 6])})
        scores.append(SCORES_NK[6:7])
    with (tmp_path / "a.scores").open("ab") as file:
        file.write(b"half")
    return tmp_path


def test_what_counts_is_taken_up_and_the_rest_cut_off(killed):
    with opened(killed) as scores:
        kept = scores.resume()
        assert kept["counts"].tolist() == [9, 6]
        assert (scores.count, scores.seconds) == (6, None)
        scores.append(SCORES_NK[6:])
        scores.keep({"counts": torch.tensor([13, 10])}, seconds=2.6)
        np.testing.assert_array_equal(scores.logits_NK(), SCORES_NK)
    with opened(killed) as scores:
        scores.resume()
        assert scores.seconds == 2.6
        np.testing.assert_array_equal(scores.logits_NK(), SCORES_NK)


def test_with_nothing_there_it_begins(tmp_path):
    with opened(tmp_path) as scores:
        assert scores.resume() is None
        scores.append(SCORES_NK)
        scores.keep({"counts": torch.tensor([13, 10])})
        np.testing.assert_array_equal(scores.logits_NK(), SCORES_NK)


def test_another_job_is_told(killed):
    with opened(killed, JOB | {"video": "b.mp4"}) as scores, pytest.raises(UserError, match="is of another video"):
        scores.resume()


@pytest.mark.parametrize("damage", ["flip", "cut", "state"])
def test_damage_is_told(killed, damage):
    path = killed / ("a.state" if damage == "state" else "a.scores")
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[-30] ^= 1
        path.write_bytes(data)
    else:
        path.write_bytes(data[:-40] if damage == "cut" else data[:20])
    with opened(killed) as scores, pytest.raises(UserError, match=r"damaged.*leave out resume"):
        scores.resume()
