"""The likeliest course of a stream, decided while it runs.

Axes: S states.
"""

from collections import deque

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]


class OnlinePath:
    """What `segmenting.cheapest_path` finds, a state at a time.

    A step is decided once the best ways to all states of today go through the same state then; from there on nothing
    that comes can change it, so it is what the whole stream would have. Where they do not agree for too long, the
    step is that of the best of them. The other ways stay: evidence that needs longer than that to outweigh the cost
    of a change makes it come late, and not never.

    Source: Viterbi, 1967; the merging of survivors: Šrámek, Brejová and Vinař, On-line Viterbi algorithm, 2007.

    Args:
        change_cost: As for ``cheapest_path``.
        longest_delay: Steps after which one is decided in any case.
    """

    def __init__(self, *, change_cost: float, longest_delay: int) -> None:
        self._change_cost = change_cost
        self._longest_delay = longest_delay
        self._best_S: Numbers | None = None
        # Of each step that is not decided, and each state there, the state of the step before.
        self._came_from: deque[npt.NDArray[np.int64]] = deque()

    def push(self, logs_S: Numbers) -> list[int]:
        """Take the logarithms of the probabilities of the next step, and return the states that are decided now."""
        own_S = np.arange(len(logs_S))
        if self._best_S is None:
            self._best_S, came_from_S = logs_S.copy(), own_S
        else:
            other = int(self._best_S.argmax())
            changed = self._best_S[other] - self._change_cost
            moves_S = self._best_S < changed
            came_from_S = np.where(moves_S, other, own_S)
            self._best_S = np.where(moves_S, changed, self._best_S) + logs_S
            self._best_S -= self._best_S.max()  # so that the numbers of a long stream stay small
        self._came_from.append(came_from_S)
        decided = self._agreed()
        if len(self._came_from) > self._longest_delay:
            decided.append(self._force())
        return decided

    def finish(self) -> list[int]:
        """The states of the steps that are left, at the end of the stream."""
        if self._best_S is None:
            return []
        states = [int(self._best_S.argmax())]
        for came_from_S in list(self._came_from)[:0:-1]:
            states.append(int(came_from_S[states[-1]]))
        self._came_from.clear()
        self._best_S = None
        return states[::-1]

    def _agreed(self) -> list[int]:
        """Decide as many steps as all ways have in common."""
        assert self._best_S is not None
        ways_S = np.arange(len(self._best_S))
        for step in range(len(self._came_from) - 1, 0, -1):
            ways_S = np.unique(self._came_from[step][ways_S])
            if len(ways_S) == 1:
                states = [int(ways_S[0])]  # at step - 1
                for earlier in range(step - 1, 0, -1):
                    states.append(int(self._came_from[earlier][states[-1]]))
                for _ in states:
                    self._came_from.popleft()
                return states[::-1]
        return []

    def _force(self) -> int:
        """Decide the first step that is left by the best way of today."""
        assert self._best_S is not None
        state = int(self._best_S.argmax())
        for came_from_S in list(self._came_from)[:0:-1]:
            state = int(came_from_S[state])
        self._came_from.popleft()
        return state
