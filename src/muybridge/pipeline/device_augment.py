"""The loader's augmentation on the device that trains: the same draws, applied to a whole batch of uint8 frames.

Loader processes then only read, and a clip's matrix and brightness travel with its frames. Interpolation is torch's,
so pixels differ from OpenCV's by rounding; ``tests/pipeline/test_device_augment.py`` says how much.

Axes: B clips, T frames, H height, W width, C channels (RGB).
"""

import torch
from torch import Tensor
from torch.nn import functional

from muybridge.errors import UserError
from muybridge.recipes.augment import AugmentConfig


def augments_on_device(config: AugmentConfig, *, cuda: bool) -> bool:
    """Resolve ``augment.device``; auto is the GPU where there is one.

    Raises:
        UserError: If a GPU is asked for that is not there.
    """
    if config.device == "gpu" and not cuda:
        raise UserError("augment.device is gpu, but torch finds no CUDA GPU here; leave it at auto")
    return cuda and config.device != "cpu"


def augment_batch(frames_BTHWC: Tensor, matrices_B23: Tensor, gains_B: Tensor) -> Tensor:
    """Warp and brighten each clip with its own draw.

    Args:
        frames_BTHWC: uint8 RGB, on any device.
        matrices_B23: From output pixel (x, y) to input pixel, as ``draw_affine`` returns them; the identity for none.
        gains_B: Factors of brightness.

    Returns:
        frames_BTHWC, uint8; pixels from outside repeat the border.
    """
    count, frame_count, height, width, channels = frames_BTHWC.shape
    device = frames_BTHWC.device
    y_HW, x_HW = torch.meshgrid(
        torch.arange(height, device=device, dtype=torch.float32),
        torch.arange(width, device=device, dtype=torch.float32),
        indexing="ij",
    )
    pixels_HW3 = torch.stack([x_HW, y_HW, torch.ones_like(x_HW)], dim=-1)
    source_BHW2 = torch.einsum("hwk,bik->bhwi", pixels_HW3, matrices_B23.float())
    # grid_sample counts from -1, the centre of the first pixel, to 1, that of the last.
    last_2 = torch.tensor([max(1, width - 1), max(1, height - 1)], device=device)
    grid_BHW2 = 2 * source_BHW2 / last_2 - 1
    # All frames of a clip share its map, so they are channels of one image.
    images_BCHW = frames_BTHWC.permute(0, 1, 4, 2, 3).reshape(count, frame_count * channels, height, width).float()
    warped_BCHW = functional.grid_sample(images_BCHW, grid_BHW2, padding_mode="border", align_corners=True).round_()
    bright_BCHW = warped_BCHW.mul_(gains_B.float()[:, None, None, None]).round_().clamp_(0, 255)
    result_BTCHW = bright_BCHW.to(torch.uint8).reshape(count, frame_count, channels, height, width)
    return result_BTCHW.permute(0, 1, 3, 4, 2).contiguous()
