"""The scores of an ensemble on a long video, from those of its members.

Each member looks at the video as it does alone, at its own rate and size. At each moment their answers become one as
for a clip. The ensemble holds no threshold for none of these.

Axes: N steps, M members, K classes.
"""

from collections.abc import Sequence

import numpy as np

from muybridge.inference.ensemble import Ensemble
from muybridge.inference.probabilities import log
from muybridge.inference.timeline.score_track import ScoreTrack


def combined_track(ensemble: Ensemble, tracks: Sequence[ScoreTrack]) -> ScoreTrack:
    """The scores of an ensemble, step by step: logarithms of its probabilities.

    Args:
        ensemble: It.
        tracks: Of its members, in their order, all of one video. The finest steps are taken; where a member has
            longer ones, its score counts for all of that time.
    """
    finest = min(tracks, key=lambda track: track.step_seconds)
    middle_N = (np.arange(len(finest.logits_NK)) + 0.5) * finest.step_seconds
    by_member = []
    for track in tracks:
        order = [track.classes.index(label) for label in ensemble.classes]
        own_N = np.minimum((middle_N / track.step_seconds).astype(np.int64), len(track.logits_NK) - 1)
        by_member.append(track.probabilities_NK()[own_N][:, order])
    probabilities_NK = np.stack([ensemble.combination(each_MK) for each_MK in np.stack(by_member, axis=1)])
    return ScoreTrack(
        video=finest.video,
        classes=ensemble.classes,
        logits_NK=log(probabilities_NK).astype(np.float32),
        step_seconds=finest.step_seconds,
        seconds=finest.seconds,
    )
