import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muybridge.verbs.demo.figures import ACTIONS, Body, FloatArray, Joint, Manner, perform

PAIRS = (("lower_arms", "raise_arms"), ("sit_down", "stand_up"), ("walk_left", "walk_right"))
BONES = (
    (Joint.PELVIS, Joint.NECK),
    (Joint.NECK, Joint.HEAD),
    (Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW),
    (Joint.RIGHT_SHOULDER, Joint.RIGHT_ELBOW),
    (Joint.LEFT_ELBOW, Joint.LEFT_HAND),
    (Joint.RIGHT_ELBOW, Joint.RIGHT_HAND),
    (Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER),
    (Joint.LEFT_HIP, Joint.LEFT_KNEE),
    (Joint.RIGHT_HIP, Joint.RIGHT_KNEE),
    (Joint.LEFT_KNEE, Joint.LEFT_ANKLE),
    (Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE),
    (Joint.LEFT_HIP, Joint.RIGHT_HIP),
)
seeds = st.integers(0, 2**32 - 1)


def acted(name: str, seed: int, frames: int = 40) -> FloatArray:
    rng = np.random.default_rng(seed)
    return perform(ACTIONS[name], body=Body.random(rng), manner=Manner.random(rng), frames=frames)


@given(pair=st.sampled_from(PAIRS), seed=seeds)
def test_the_two_of_a_pair_are_each_other_backwards(pair: tuple[str, str], seed: int) -> None:
    one, other = (acted(name, seed) for name in pair)
    np.testing.assert_allclose(one[::-1], other, atol=1e-9)
    assert np.abs(one - other).max() > 0.1


@given(name=st.sampled_from(sorted(ACTIONS)), seed=seeds)
def test_bones_keep_their_length(name: str, seed: int) -> None:
    joints_TJ3 = acted(name, seed)
    for start, end in BONES:
        lengths_T = np.linalg.norm(joints_TJ3[:, start] - joints_TJ3[:, end], axis=1)
        assert np.ptp(lengths_T) < 1e-9, (start, end)


@given(name=st.sampled_from(sorted(ACTIONS)), seed=seeds)
def test_only_a_jump_leaves_the_ground(name: str, seed: int) -> None:
    lower_ankle_T = acted(name, seed)[:, [Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE], 1].min(axis=1)
    assert lower_ankle_T.min() > -1e-9
    assert (lower_ankle_T.max() > 0.1) == (name == "jump")


@given(seed=seeds)
def test_walkers_go_where_the_name_says_whichever_way_they_face(seed: int) -> None:
    assert (np.diff(acted("walk_right", seed)[:, Joint.PELVIS, 0]) > 0).all()
    assert (np.diff(acted("walk_left", seed)[:, Joint.PELVIS, 0]) < 0).all()


@pytest.mark.parametrize("name", ["walk_left", "walk_right"])
def test_walkers_face_either_way(name: str) -> None:
    # The toes point where the figure faces.
    faces_right = [
        (joints_TJ3[:, Joint.LEFT_TOE, 0] - joints_TJ3[:, Joint.LEFT_ANKLE, 0]).mean() > 0
        for joints_TJ3 in (acted(name, seed) for seed in range(60))
    ]
    assert 15 < sum(faces_right) < 45


@given(seed=seeds)
def test_standing_up_lifts_the_hips_and_raising_lifts_the_hands(seed: int) -> None:
    hips_T = acted("stand_up", seed)[:, Joint.PELVIS, 1]
    assert hips_T[-1] - hips_T[0] > 0.15
    hands_T = acted("raise_arms", seed)[:, Joint.LEFT_HAND, 1]
    assert hands_T[-1] - hands_T[0] > 0.5
    assert np.diff(hands_T).min() > -0.02  # never lowered again on the way, but for swaying and the bent elbow


@given(seed=seeds)
def test_clapping_goes_back_and_forth(seed: int) -> None:
    joints_TJ3 = acted("clap", seed, frames=200)
    apart_T = np.linalg.norm(joints_TJ3[:, Joint.LEFT_HAND] - joints_TJ3[:, Joint.RIGHT_HAND], axis=1)
    assert apart_T.min() < 0.12
    assert apart_T.max() > 0.6
    crossings = np.count_nonzero(np.diff((apart_T > (apart_T.min() + apart_T.max()) / 2).astype(int)))
    assert crossings >= 2  # raising or lowering the arms crosses once
