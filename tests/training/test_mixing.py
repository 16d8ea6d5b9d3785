import numpy as np
import pytest
import torch
from torch.nn import functional

from muybridge.training.mixing import mix_clips, soft_cross_entropy

CLASSES = 4


def mixed(clip_BT, lengths_B=None, *, seed=0, mixup=0.0, cutmix=0.0, space=(2, 3)):
    """The clips of a batch whose b-th clip is of class b, mixed; and their targets."""
    lengths_B = torch.full((len(clip_BT),), clip_BT.shape[1]) if lengths_B is None else torch.tensor(lengths_B)
    targets_BK = torch.eye(CLASSES)[: len(clip_BT)]
    generator = np.random.default_rng(seed)
    return mix_clips(clip_BT, lengths_B, targets_BK, mixup=mixup, cutmix=cutmix, generator=generator, space=space)


def levels(shape, dtype=torch.uint8):
    """Clips that are 10, 20, 30 and 40 all over."""
    return (torch.arange(1, CLASSES + 1) * 10).reshape(-1, *[1] * (len(shape) - 1)).expand(shape).to(dtype)


LEVELS_K = torch.arange(1.0, CLASSES + 1) * 10


@pytest.mark.parametrize("shape", [(4, 3, 8, 8, 3), (4, 3, 5)])
def test_mixup_mixes_clips_and_targets_by_the_same_shares(shape):
    shares = []
    for seed in range(50):
        clip_BT, targets_BK = mixed(levels(shape), seed=seed, mixup=0.4)
        assert clip_BT.dtype == torch.float32
        torch.testing.assert_close(targets_BK.sum(dim=1), torch.ones(4))
        expected_B = targets_BK @ LEVELS_K
        torch.testing.assert_close(clip_BT, expected_B.reshape(-1, *[1] * (len(shape) - 1)).expand(shape))
        shares += targets_BK.diagonal().tolist()
    # Beta(0.4, 0.4) is high at both ends; a quarter of the clips meets itself.
    assert sum(share < 0.1 for share in shares) > 20
    assert sum(0.3 < share < 0.7 for share in shares) > 20


def test_cutmix_puts_one_box_into_all_frames_with_targets_by_area():
    boxed = 0
    for seed in range(50):
        clip_BTHWC, targets_BK = mixed(levels((4, 3, 16, 12, 3)), seed=seed, cutmix=1.0)
        torch.testing.assert_close(clip_BTHWC.mean(dim=(1, 2, 3, 4)), targets_BK @ LEVELS_K)
        for clip_THWC, level in zip(clip_BTHWC, LEVELS_K, strict=True):
            inside_HW = (clip_THWC[0, :, :, 0] != level).numpy()
            torch.testing.assert_close(clip_THWC, clip_THWC[:1].expand_as(clip_THWC))
            rows, columns = np.flatnonzero(inside_HW.any(axis=1)), np.flatnonzero(inside_HW.any(axis=0))
            if len(rows):
                assert inside_HW[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
                boxed += not inside_HW.all()
    assert boxed > 80


def test_cutmix_of_features_replaces_a_stretch_of_steps():
    stretches = 0
    for seed in range(50):
        features_BTD, targets_BK = mixed(levels((4, 10, 5), torch.float16), seed=seed, cutmix=1.0, space=None)
        torch.testing.assert_close(features_BTD.mean(dim=(1, 2)), targets_BK @ LEVELS_K)
        for features_TD, level in zip(features_BTD, LEVELS_K, strict=True):
            inside = np.flatnonzero((features_TD[:, 0] != level).numpy())
            if len(inside):
                assert (np.diff(inside) == 1).all()
                stretches += len(inside) < 10
    assert stretches > 80


def test_maps_are_cut_in_their_own_height_and_width():
    maps_BTDHW, targets_BK = mixed(levels((4, 2, 5, 16, 12), torch.float32), seed=1, cutmix=1.0, space=(3, 4))
    torch.testing.assert_close(maps_BTDHW, maps_BTDHW[:, :1, :1].expand_as(maps_BTDHW))
    torch.testing.assert_close(maps_BTDHW.mean(dim=(1, 2, 3, 4)), targets_BK @ LEVELS_K)


@pytest.mark.parametrize(("mixup", "cutmix", "space"), [(0.4, 0.0, None), (0.0, 1.0, (2, 3)), (0.0, 1.0, None)])
def test_clips_keep_their_lengths_and_padding(mixup, cutmix, space):
    lengths = [6, 1, 4, 2]
    clip_BT = torch.zeros(4, 6, 8, 8, 1)
    for clip, length, level in zip(clip_BT, lengths, LEVELS_K, strict=True):
        clip[:length] = level
    for seed in range(20):
        out_BT, targets_BK = mixed(clip_BT, lengths, seed=seed, mixup=mixup, cutmix=cutmix, space=space)
        for clip, length, target_K in zip(out_BT, lengths, targets_BK, strict=True):
            assert (clip[length:] == 0).all()
            # A shorter partner is held at its last frame, so that no padding gets in.
            torch.testing.assert_close(clip[:length].mean(), target_K @ LEVELS_K)


def test_with_both_a_batch_draws_one_of_them():
    cut = 0
    for seed in range(60):
        clip_BTHWC, _ = mixed(levels((4, 1, 8, 8, 1)), seed=seed, mixup=0.4, cutmix=1.0)
        cut += set(clip_BTHWC.unique().tolist()) <= {10.0, 20.0, 30.0, 40.0}
    assert 15 < cut < 45


def test_the_generator_decides():
    one, two, other = (mixed(levels((4, 3, 8, 8, 3)), seed=seed, cutmix=1.0) for seed in (5, 5, 6))
    assert torch.equal(one[0], two[0])
    assert torch.equal(one[1], two[1])
    assert not torch.equal(one[0], other[0])


@pytest.mark.parametrize("weights_K", [None, torch.tensor([0.5, 1.0, 2.0, 0.1])])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_the_soft_loss_is_torchs_where_targets_are_whole_classes(weights_K, label_smoothing):
    torch.manual_seed(0)
    logits_BK, labels_B = torch.randn(6, CLASSES), torch.tensor([0, 1, 2, 3, 3, 0])
    hard = functional.cross_entropy(logits_BK, labels_B, weight=weights_K, label_smoothing=label_smoothing)
    targets_BK = functional.one_hot(labels_B, CLASSES).float()
    soft = soft_cross_entropy(logits_BK, targets_BK, weights_K=weights_K, label_smoothing=label_smoothing)
    torch.testing.assert_close(soft, hard)


def test_the_soft_loss_between_two_classes_is_between_their_losses():
    torch.manual_seed(0)
    logits_BK, weights_K = torch.randn(1, CLASSES), torch.tensor([0.5, 1.0, 2.0, 0.1])
    target_BK = torch.tensor([[0.3, 0.0, 0.7, 0.0]])
    found = soft_cross_entropy(logits_BK, target_BK, weights_K=weights_K, label_smoothing=0.0)
    lost_K = -logits_BK.log_softmax(dim=1)[0]
    expected = (0.3 * 0.5 * lost_K[0] + 0.7 * 2.0 * lost_K[2]) / (0.3 * 0.5 + 0.7 * 2.0)
    torch.testing.assert_close(found, expected)
