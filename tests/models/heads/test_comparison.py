"""The benchmark of the heads, on features that only order tells apart."""

import csv
import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"


@pytest.fixture
def heads(monkeypatch):
    """The benchmark, found as it is where it runs as a script."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("heads")


@pytest.fixture
def features(tmp_path):
    """48 clips of two classes, each the other one backwards; 5 steps of 4 places, and clips of 3 steps."""
    rng = np.random.default_rng(0)
    labels_N = np.arange(48) % 2
    tokens_NSPD = rng.normal(0, 0.1, (48, 5, 4, 6))
    lengths_N = np.where(np.arange(48) % 3 == 0, 3, 5)
    for tokens_SPD, label, length in zip(tokens_NSPD, labels_N, lengths_N, strict=True):
        tokens_SPD[:length, :, 0] += np.linspace(-1, 1, length)[:, None] * (1 if label else -1)
        tokens_SPD[length:] = 0
    path = tmp_path / "order.npz"
    np.savez_compressed(
        path,
        tokens_NLD=tokens_NSPD.reshape(48, 20, 6).astype(np.float16),
        lengths_N=4 * lengths_N,
        places=4,
        labels_N=labels_N,
        groups_N=np.array([f"g{number // 4}" for number in range(48)]),
        mirrors_K=np.array([1, 0]),
    )
    return path


def test_heads_that_see_order_tell_mirrored_clips_apart_and_the_mean_does_not(
    heads, features, tmp_path, monkeypatch, capsys
):
    table = tmp_path / "rows.csv"
    monkeypatch.setattr(heads, "SETTINGS", (heads.Setting(1e-2, 0.0),))
    names = ["mean", "probe", "bilstm", "attentive-tokens"]
    arguments = ["--features", str(features), "--choose", "order", "--device", "cpu", "--csv", str(table)]
    monkeypatch.setattr(sys, "argv", ["heads.py", *arguments, "--heads", *names])
    heads.main()
    assert "chosen in 5 of 5 folds" in capsys.readouterr().out
    with table.open(newline="") as file:
        rows = {row["head"]: row for row in csv.DictReader(file)}
    assert list(rows) == names
    for row in rows.values():
        assert row["clips"] == "48"
        assert row["pair_named"] == "48"
        assert row["pair_correct"] == row["correct"]
        assert float(row["wilson_low"]) < 100 * int(row["correct"]) / 48 <= float(row["wilson_high"])
    assert int(rows["bilstm"]["correct"]) >= 46
    assert int(rows["attentive-tokens"]["correct"]) >= 44
    assert int(rows["mean"]["correct"]) <= 36
    assert int(rows["probe"]["correct"]) <= 36
    assert rows["attentive-tokens"]["input"] == "20 tokens of 6"
    assert rows["bilstm"]["input"] == "5 steps of 6"


def test_eight_significant_bits_are_rounded_not_cut(heads):
    eight_bits = importlib.import_module("frozen_tokens").eight_bits
    numbers = np.array([1.0, 1 + 2**-7, 1 + 2**-8, 1 + 3 * 2**-8, 0.0, 5.99], np.float32)
    kept = eight_bits(numbers).astype(np.float32)
    np.testing.assert_allclose(kept, numbers, rtol=2**-8)
    assert kept[:2].tolist() == [1.0, 1 + 2**-7]
    assert kept[2] == 1.0  # half-way: to the even one
    assert kept[3] == 1 + 2**-6
