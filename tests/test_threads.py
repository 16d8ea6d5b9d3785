"""Work in threads: in order, a little ahead, and side by side in torch."""

import threading

import pytest
import torch

from muybridge.threads import in_order, read_ahead, torch_workers


def test_results_come_in_order_and_little_is_begun_ahead():
    begun, taken = [], []

    def source():
        for number in range(20):
            begun.append(number)
            yield number

    for number in read_ahead(source(), lambda each: each * 10, workers=2, ahead=1):
        taken.append(number)
        assert len(begun) - len(taken) <= 5
    assert taken == [10 * number for number in range(20)]


def test_what_is_raised_ends_it_and_its_threads():
    before = threading.active_count()

    def work(number):
        if number == 2:
            raise ValueError("two")
        return number

    found = read_ahead(range(9), work, workers=2)
    assert [next(found), next(found)] == [0, 1]
    with pytest.raises(ValueError, match="two"):
        next(found)
    assert threading.active_count() == before


def test_torchs_threads_are_divided_and_nobody_elses_number_changes():
    mine = torch.get_num_threads()
    later = []
    try:
        torch.set_num_threads(5)
        with torch_workers(2) as pool:
            together = threading.Barrier(2, timeout=20)
            counts = list(in_order(pool, range(2), lambda _: (together.wait(), torch.get_num_threads())[1], limit=2))
            assert torch.get_num_threads() == 5
            other = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
            other.start()
            other.join()
    finally:
        torch.set_num_threads(mine)
    assert (counts, later) == ([2, 2], [5])
