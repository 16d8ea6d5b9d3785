"""Tokens: what each cell of the picture holds."""

import torch

from muybridge.models.heads.pooling import GlobalPool, GridPool, TokenPool, create_pooling
from muybridge.recipes.model import ModelConfig


def test_tokens_are_the_cells_of_the_grid_row_after_row() -> None:
    maps_NDHW = torch.arange(2 * 3 * 6 * 4, dtype=torch.float32).reshape(2, 3, 6, 4)
    for kind, reduce in (("mean", torch.mean), ("max", torch.amax)):
        pool = TokenPool(kind, 3, 2)
        tokens_NPD = pool(maps_NDHW)
        assert tokens_NPD.shape == (2, pool.places, pool.feature_count) == (2, 4, 3)
        for place, (rows, columns) in enumerate([(0, 0), (0, 2), (3, 0), (3, 2)]):
            cell_NDHW = maps_NDHW[:, :, rows : rows + 3, columns : columns + 2]
            torch.testing.assert_close(tokens_NPD[:, place], reduce(cell_NDHW, dim=(2, 3)))


def test_tokens_of_equal_cells_average_to_the_pooled_vector() -> None:
    maps_NDHW = torch.randn(5, 3, 6, 6)
    torch.testing.assert_close(TokenPool("mean", 3, 3)(maps_NDHW).mean(dim=1), GlobalPool("mean", 3)(maps_NDHW))


def test_maps_smaller_than_the_grid_still_fill_it() -> None:
    assert TokenPool("mean", 3, 4)(torch.randn(1, 3, 2, 1)).shape == (1, 16, 3)


def test_the_configuration_chooses() -> None:
    kinds = {
        TokenPool: [ModelConfig(head="attentive"), ModelConfig(head="attentive", token_grid=3, pooling="max")],
        GlobalPool: [
            ModelConfig(),
            ModelConfig(head="attentive", token_grid=1),
            ModelConfig(head="attentive", encoder_output="logits"),
            ModelConfig(head="attentive", fusion="late"),
        ],
        GridPool: [ModelConfig(pooling="grid"), ModelConfig(head="attentive", pooling="grid")],
    }
    for kind, configs in kinds.items():
        for config in configs:
            assert isinstance(create_pooling(config, 8), kind), config
    assert create_pooling(kinds[TokenPool][1], 8).places == 9
