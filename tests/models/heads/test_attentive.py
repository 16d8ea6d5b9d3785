"""The attentive head against attention written out token by token, and what it makes of positions."""

import pytest
import torch

from muybridge.errors import UserError
from muybridge.models.heads.attentive import AttentiveHead


def _head(places: int = 4, **options: int) -> AttentiveHead:
    return AttentiveHead(6, places, width=8, heads=2, **options).double().eval()


def _tokens(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


@pytest.mark.parametrize("feed_forward", [0, 12])
def test_it_is_cross_attention_with_every_token_projected(feed_forward: int) -> None:
    head, tokens_BLD = _head(feed_forward=feed_forward), _tokens(2, 5 * 4, 6)
    normed_BLD = head.token_norm(tokens_BLD)
    keys_BLNE = head.key(normed_BLD).unflatten(2, (2, 4))
    values_BLNE = head.value(normed_BLD).unflatten(2, (2, 4))
    scores_BLN = torch.einsum("blne,ne->bln", keys_BLNE, head.query) / 4**0.5
    for token in range(20):
        share = (token // 4 + 0.5) / 5
        waves_C = torch.cos(torch.pi * share * torch.arange(1, 9, dtype=torch.float64))
        scores_BLN[:, token] += waves_C @ head.time + head.place[token % 4]
    attended_BNE = torch.einsum("bln,blne->bne", scores_BLN.softmax(dim=1), values_BLNE)
    expected_BW = attended_BNE.flatten(1)
    if head.feed_forward is not None:
        expected_BW = expected_BW + head.feed_forward(expected_BW)
    torch.testing.assert_close(head(tokens_BLD), expected_BW, atol=1e-6, rtol=1e-5)


def test_it_sees_where_and_when_a_token_is() -> None:
    head, tokens_BSPD = _head(), _tokens(1, 5, 4, 6)
    given = head(tokens_BSPD.flatten(1, 2))
    for axis in (1, 2):
        assert not torch.allclose(head(tokens_BSPD.flip(axis).flatten(1, 2)), given, atol=1e-4)


def test_a_clip_of_several_places_is_the_same_alone_and_padded() -> None:
    head, lengths = _head(), (12, 20, 4)
    clips = [_tokens(length, 6) for length in lengths]
    padded_BLD = torch.nn.utils.rnn.pad_sequence(clips, batch_first=True, padding_value=float("nan"))
    together = head(padded_BLD, torch.tensor(lengths))
    torch.testing.assert_close(together, torch.cat([head(clip[None]) for clip in clips]))


def test_time_is_a_share_of_the_clip() -> None:
    """Every token twice in a row: the same clip at half the speed, seen with twice the frames."""
    head, tokens_BLD = _head(places=1), _tokens(1, 40, 6)
    slower = head(tokens_BLD.repeat_interleave(2, dim=1))
    torch.testing.assert_close(slower, head(tokens_BLD), atol=0.02, rtol=0)


def test_heads_that_do_not_divide_the_width_are_refused_with_those_that_do() -> None:
    with pytest.raises(UserError, match=r"attentive_heads is 3, .* width 8 .* one of 1, 2, 4, 8"):
        AttentiveHead(6, width=8, heads=3)


def test_it_learns_which_half_of_a_clip_a_pattern_is_in() -> None:
    """The mean of the tokens is the same for both classes, so only their times can tell them apart."""
    labels_B = torch.arange(64) % 2
    tokens_BLD = torch.randn(64, 8, 6) * 0.1
    tokens_BLD[labels_B == 0, :4, 2] += 1.0
    tokens_BLD[labels_B == 1, 4:, 2] += 1.0
    head = torch.nn.Sequential(AttentiveHead(6, width=8, heads=2), torch.nn.Linear(8, 2))
    optimizer = torch.optim.AdamW(head.parameters(), lr=0.01)
    for _ in range(60):
        loss = torch.nn.functional.cross_entropy(head(tokens_BLD), labels_B)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (head(tokens_BLD).argmax(dim=1) == labels_B).float().mean() > 0.95
