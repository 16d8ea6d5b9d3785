import torch

from muybridge.training.live_bytes import LiveBytes


def test_bytes_are_counted_while_they_live():
    live = LiveBytes()
    with live:
        one = torch.empty(1000, device="meta")
        assert live.now == 4000
        view = one[10:]  # no bytes of its own
        two = one + 1
        assert (live.now, live.peak) == (8000, 8000)
        del one
        assert live.now == 8000  # the view holds them
        del view
        assert live.now == 4000
        three = two.half()
        assert (live.now, live.peak) == (6000, 8000)
        del two, three
    assert (live.now, live.peak) == (0, 8000)


def test_each_of_several_results_is_counted():
    live = LiveBytes()
    with live:
        values, places = torch.empty(8, 100, device="meta").max(dim=0)
    assert live.peak == 4 * 800 + 4 * 100 + 8 * 100
    assert values.shape == places.shape


def test_what_the_backward_pass_needs_stays():
    weight = torch.empty(100, 100, device="meta", requires_grad=True)
    live = LiveBytes()
    with live:
        hidden = (torch.empty(10, 100, device="meta") @ weight).relu()
        kept = live.now  # input, its product and the result of ReLU, at least the first and the last
        assert kept >= 2 * 4000
        hidden.sum().backward()
        assert live.peak >= kept + 4 * 100 * 100
