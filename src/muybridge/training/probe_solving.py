"""Solving a probe: multinomial logistic regression at its optimum.

Notable: with fewer clips than features the solution lies in the span of the clips (the penalty sees lengths only), so
the features are turned into as many coordinates as there are clips; the answer is the same and much cheaper. All is
computed in float64 by L-BFGS with a line search, so it ends at the optimum and not after so many epochs.

Axes: N clips, B of them in a block, D features, R coordinates, K classes.
"""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from muybridge.threads import torch_threads

_MOST_ITERATIONS = 1000
_TOLERANCE = 1e-7
_SMALL = 1 << 20
"""Numbers of a problem so small that a second thread only doubles the processor time."""


def solve(inputs_ND: Tensor, labels_N: Tensor, penalty: float, *, class_count: int) -> tuple[Tensor, Tensor]:
    """Weights_KD and bias_K of multinomial logistic regression at its optimum."""
    return solve_path(inputs_ND, labels_N, (penalty,), class_count=class_count)[0]


def solve_path(
    inputs_ND: Tensor, labels_N: Tensor, penalties: Sequence[float], *, class_count: int
) -> list[tuple[Tensor, Tensor]]:
    """The optimum for each penalty, each begun where the next stronger one ended.

    Args:
        inputs_ND: float64.
        labels_N: Class numbers.
        penalties: In any order.
        class_count: K; a class without clips only has its bias lowered.

    Returns:
        weights_KD and bias_K in the order of the penalties.
    """
    found: dict[float, tuple[Tensor, Tensor]] = {}
    small = len(inputs_ND) * min(inputs_ND.shape) < _SMALL
    with torch_threads(1 if small else torch.get_num_threads()):
        # The optimum is a combination of the inputs, so D > N features are turned into N coordinates first.
        basis_RD = torch.linalg.qr(inputs_ND.T).Q.T if inputs_ND.shape[1] > inputs_ND.shape[0] else None
        turned_NR = inputs_ND if basis_RD is None else inputs_ND @ basis_RD.T
        weights_KR = torch.zeros(class_count, turned_NR.shape[1], dtype=torch.float64)
        bias_K = torch.zeros(class_count, dtype=torch.float64)
        for penalty in sorted(penalties, reverse=True):
            weights_KR, bias_K = descend(lambda: [(turned_NR, labels_N)], len(labels_N), penalty, weights_KR, bias_K)
            found[penalty] = (weights_KR if basis_RD is None else weights_KR @ basis_RD, bias_K)
    return [found[penalty] for penalty in penalties]


def descend(
    blocks: Callable[[], Iterable[tuple[Tensor, Tensor]]],
    clip_count: int,
    penalty: float,
    weights_KR: Tensor,
    bias_K: Tensor,
) -> tuple[Tensor, Tensor]:
    """The optimum, from the given weights on; ``blocks`` walks through inputs and class numbers of all clips."""
    weights, bias = weights_KR.clone(), bias_K.clone()
    optimizer = torch.optim.LBFGS(
        [weights, bias],
        max_iter=_MOST_ITERATIONS,
        tolerance_grad=_TOLERANCE,
        tolerance_change=_TOLERANCE**1.5,
        history_size=20,
        line_search_fn="strong_wolfe",
    )

    def loss() -> Tensor:
        """The loss; its gradient is written out, since autograd takes longer than a small problem."""
        # A trace of the penalty on the bias keeps a class without clips from sinking for ever.
        value = penalty / 2 * (weights.square().sum() + 1e-3 * bias.square().sum())
        weights.grad, bias.grad = penalty * weights, 1e-3 * penalty * bias
        for inputs_BR, labels_B in blocks():
            log_p_BK = functional.linear(inputs_BR, weights, bias).log_softmax(dim=1)
            value = value + functional.nll_loss(log_p_BK, labels_B, reduction="sum") / clip_count
            errors_BK = log_p_BK.exp()
            errors_BK[torch.arange(len(labels_B)), labels_B] -= 1
            weights.grad += errors_BK.T @ inputs_BR / clip_count
            bias.grad += errors_BK.sum(dim=0) / clip_count
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return weights, bias
