"""Stick people: a skeleton, and the motions of the demo's actions.

A motion is a function from a clock that runs from 0 to 1 to joint angles. What makes the set worth learning
is how the actions come in pairs: one action of a pair is the other with its clock running backwards
(`ACTIONS`), and every random choice is drawn in the same way for both. A frame picked at random therefore
looks the same under both names, by construction, and only the order of the frames says which it was. (The
first frame of a clip does say something: who is going to stand up still sits.) Clapping passes through the
poses of raising the arms, and jumping through those of standing and crouching.

Walkers face either way, whichever way they go: half of them walk backwards, so neither the knees nor the
lean show the direction.

Axes: T frames, J joints, S sides (0 left, 1 right), 3 = (x to the figure's left, y up, z forward). Lengths
are in body heights, angles in radians. Segments are given by two angles: `pitch` swings forward from hanging
down, `spread` swings out to the side from hanging down.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


class Joint(IntEnum):
    """Row of each joint in a joints array; left and right alternate, so that `LEFT + side` works."""

    PELVIS = 0
    NECK = 1
    HEAD = 2
    LEFT_SHOULDER = 3
    RIGHT_SHOULDER = 4
    LEFT_ELBOW = 5
    RIGHT_ELBOW = 6
    LEFT_HAND = 7
    RIGHT_HAND = 8
    LEFT_HIP = 9
    RIGHT_HIP = 10
    LEFT_KNEE = 11
    RIGHT_KNEE = 12
    LEFT_ANKLE = 13
    RIGHT_ANKLE = 14
    LEFT_TOE = 15
    RIGHT_TOE = 16


@dataclass(frozen=True)
class Body:
    """Proportions of one figure, in body heights."""

    thigh: float
    shank: float
    torso: float
    upper_arm: float
    forearm: float
    shoulder_width: float
    hip_width: float
    head_radius: float
    thickness: float  # diameter of an arm; legs and torso follow from it

    @staticmethod
    def random(rng: np.random.Generator) -> "Body":
        """Draw a body: long or short legs, slim or stout."""
        leg = rng.uniform(0.46, 0.52)
        arm = rng.uniform(0.38, 0.43)
        head_radius = rng.uniform(0.068, 0.085)
        return Body(
            thigh=leg * 0.51,
            shank=leg * 0.49,
            torso=0.97 - leg - 2.2 * head_radius,
            upper_arm=arm * 0.48,
            forearm=arm * 0.52,
            shoulder_width=rng.uniform(0.2, 0.27),
            hip_width=rng.uniform(0.12, 0.16),
            head_radius=head_radius,
            thickness=rng.uniform(0.05, 0.075),
        )


@dataclass(frozen=True)
class Manner:
    """How one performance is given. Drawn alike for every action, so that no manner belongs to one action."""

    hold_before: float  # share of the clip before a one-way motion starts
    hold_after: float  # and after it has ended
    cycles: float  # repetitions per clip of a repeated motion
    phase: float  # where in its cycle a repeated motion starts, 0 to 1
    vigour: float  # factor on the size of the motion, about 1
    facing: int  # +1 turned to the right of the picture, -1 to its left
    turn: float  # how far it is turned that way, 0 to 1 of what the action allows
    sway_phase: float  # the slow idle movement that nobody can suppress

    @staticmethod
    def random(rng: np.random.Generator) -> "Manner":
        """Draw a manner."""
        return Manner(
            hold_before=rng.uniform(0.0, 0.2),
            hold_after=rng.uniform(0.0, 0.2),
            cycles=rng.uniform(1.6, 2.5),
            phase=rng.uniform(0.0, 1.0),
            vigour=rng.uniform(0.85, 1.15),
            facing=int(rng.choice((-1, 1))),
            turn=rng.uniform(0.0, 1.0),
            sway_phase=rng.uniform(0.0, 2 * np.pi),
        )


@dataclass(frozen=True)
class Pose:
    """Joint angles over time: the limbs' are (T, S), one column per side; the whole body's are (T,)."""

    thigh_pitch: FloatArray
    thigh_spread: FloatArray
    knee: FloatArray  # flexion, 0 = straight
    arm_pitch: FloatArray
    arm_spread: FloatArray
    elbow_pitch: FloatArray  # added to the upper arm's angles for the forearm's
    elbow_spread: FloatArray
    lean: FloatArray  # (T,), of the torso, forward
    lift: FloatArray  # (T,), of the lower foot off the ground, in body heights
    travel: FloatArray  # (T,), to the right of the picture, in body heights; 0 in the middle of the clip


Motion = Callable[[FloatArray, Manner], Pose]


def walk(clock_T: FloatArray, manner: Manner) -> Pose:
    """Walk to the right of the picture, forwards or backwards as the figure happens to face."""
    stride = 0.5 * manner.vigour
    steps = 0.8 * manner.cycles
    # Facing left, the legs run their cycle backwards: that is what walking backwards looks like.
    angle_T = 2 * np.pi * (manner.facing * steps / 2 * clock_T + manner.phase)
    angle_TS = np.stack([angle_T, angle_T + np.pi], axis=1)
    return _pose(
        clock_T,
        manner,
        thigh_pitch=0.06 + stride * np.sin(angle_TS),
        knee=0.1 + 0.9 * np.clip(np.cos(angle_TS), 0, None) ** 2,
        arm_pitch=-0.8 * stride * np.sin(angle_TS),
        elbow_pitch=np.full_like(angle_TS, 0.35),
        travel=(clock_T - 0.5) * steps * np.sin(stride),  # legs are half a body long, so a step is sin(stride)
    )


def rise(clock_T: FloatArray, manner: Manner) -> Pose:
    """Stand up from a seat, leaning forward on the way."""
    up_T = _one_way(clock_T, manner)
    down_T, between_T = 1 - up_T, np.sin(np.pi * up_T)
    return _pose(
        clock_T,
        manner,
        thigh_pitch=_both(1.5 * down_T),
        thigh_spread=_both(np.full_like(up_T, 0.06)),
        knee=_both(1.5 * down_T),
        arm_pitch=_both(0.35 * down_T + 0.6 * between_T),
        elbow_pitch=_both(0.15 + 0.7 * down_T),
        lean=0.08 * down_T + 0.6 * between_T * manner.vigour,
    )


def raise_arms(clock_T: FloatArray, manner: Manner) -> Pose:
    """Raise both arms sideways, from hanging to above the head."""
    return _pose(clock_T, manner, **_arms_at(_one_way(clock_T, manner)))


def clap(clock_T: FloatArray, manner: Manner) -> Pose:
    """Clap above the head: the upper part of raising and lowering the arms, again and again."""
    apart_T = 0.5 + 0.5 * np.cos(2 * np.pi * (manner.cycles * clock_T + manner.phase))
    return _pose(clock_T, manner, **_arms_at(1 - 0.55 * manner.vigour * apart_T))


def jump(clock_T: FloatArray, manner: Manner) -> Pose:
    """Jump on the spot: crouch, fly, crouch, with the arms thrown up a little or a lot."""
    height_T = np.sin(2 * np.pi * (0.8 * manner.cycles * clock_T + manner.phase))
    flight_T = np.clip(height_T, 0, None)
    crouch_T = np.clip(-height_T, 0, None)
    return _pose(
        clock_T,
        manner,
        thigh_pitch=_both(1.0 * crouch_T),
        thigh_spread=_both(0.1 + 0.15 * crouch_T),
        knee=_both(1.6 * crouch_T),
        lean=0.35 * crouch_T,
        lift=0.2 * manner.vigour * flight_T,
        **_arms_at((0.1 + 0.8 * manner.turn) * flight_T),
    )


@dataclass(frozen=True)
class Action:
    """A motion, which way its clock runs, and between which angles the figure is turned from the viewer."""

    motion: Motion
    backwards: bool
    turn_range: tuple[float, float]


_SIDE, _OBLIQUE, _FRONT = (1.1, 1.5), (0.8, 1.4), (0.0, 0.45)

ACTIONS: dict[str, Action] = {
    "clap": Action(clap, False, _FRONT),
    "jump": Action(jump, False, _FRONT),
    "lower_arms": Action(raise_arms, True, _FRONT),
    "raise_arms": Action(raise_arms, False, _FRONT),
    "sit_down": Action(rise, True, _OBLIQUE),
    "stand_up": Action(rise, False, _OBLIQUE),
    "walk_left": Action(walk, True, _SIDE),
    "walk_right": Action(walk, False, _SIDE),
}


def perform(action: Action, *, body: Body, manner: Manner, frames: int) -> FloatArray:
    """Act one clip out.

    Args:
        action: What is done.
        body: Who does it.
        manner: How.
        frames: T, at least 1.

    Returns:
        Joints (T, J, 3) in body heights, as the viewer sees them: x to the right of the picture, y up from
        the ground, z towards the viewer. x = 0 is where the figure stands; a walker passes it in the middle
        of the clip.
    """
    clock_T = (np.arange(frames) + 0.5) / frames
    pose = action.motion(1 - clock_T if action.backwards else clock_T, manner)
    joints_TJ3 = place_joints(body, pose)
    low, high = action.turn_range
    angle = manner.facing * (low + (high - low) * manner.turn)
    # Unturned, the figure looks at the viewer: its left is the picture's right, its forward is towards us.
    x_TJ, z_TJ = joints_TJ3[..., 0].copy(), joints_TJ3[..., 2].copy()
    joints_TJ3[..., 0] = np.cos(angle) * x_TJ + np.sin(angle) * z_TJ + pose.travel[:, None]
    joints_TJ3[..., 2] = np.cos(angle) * z_TJ - np.sin(angle) * x_TJ
    return joints_TJ3


def place_joints(body: Body, pose: Pose) -> FloatArray:
    """Turn joint angles into joint positions (T, J, 3) in the figure's own axes.

    The lower foot is at height `lift`, and the middle between the ankles stays at x = z = 0.
    """
    joints_TJ3 = np.zeros((len(pose.lean), len(Joint), 3))
    up_T3 = np.stack([np.zeros_like(pose.lean), np.cos(pose.lean), np.sin(pose.lean)], axis=1)
    neck_T3 = body.torso * up_T3
    joints_TJ3[:, Joint.NECK] = neck_T3
    joints_TJ3[:, Joint.HEAD] = neck_T3 + 1.3 * body.head_radius * up_T3
    for side, outwards in enumerate((1.0, -1.0)):
        across_3 = np.array([outwards, 0.0, 0.0])
        arm_pitch_T, arm_spread_T = pose.arm_pitch[:, side], pose.arm_spread[:, side]
        thigh_pitch_T, thigh_spread_T = pose.thigh_pitch[:, side], pose.thigh_spread[:, side]

        shoulder_T3 = 0.93 * neck_T3 + body.shoulder_width / 2 * across_3
        elbow_T3 = shoulder_T3 + body.upper_arm * _direction(arm_pitch_T, arm_spread_T, outwards)
        forearm_T3 = _direction(
            arm_pitch_T + pose.elbow_pitch[:, side], arm_spread_T + pose.elbow_spread[:, side], outwards
        )
        hip_3 = body.hip_width / 2 * across_3
        knee_T3 = hip_3 + body.thigh * _direction(thigh_pitch_T, thigh_spread_T, outwards)
        shin_pitch_T = thigh_pitch_T - pose.knee[:, side]
        ankle_T3 = knee_T3 + body.shank * _direction(shin_pitch_T, 0.3 * thigh_spread_T, outwards)
        # The foot stays level while the shin is near upright and hangs when it swings far back.
        foot_T3 = _direction(np.pi / 2 + np.minimum(0.0, 0.8 * shin_pitch_T + 0.3), thigh_spread_T, outwards)

        joints_TJ3[:, Joint.LEFT_SHOULDER + side] = shoulder_T3
        joints_TJ3[:, Joint.LEFT_ELBOW + side] = elbow_T3
        joints_TJ3[:, Joint.LEFT_HAND + side] = elbow_T3 + body.forearm * forearm_T3
        joints_TJ3[:, Joint.LEFT_HIP + side] = hip_3
        joints_TJ3[:, Joint.LEFT_KNEE + side] = knee_T3
        joints_TJ3[:, Joint.LEFT_ANKLE + side] = ankle_T3
        joints_TJ3[:, Joint.LEFT_TOE + side] = ankle_T3 + 0.09 * foot_T3
    ankles_TS3 = joints_TJ3[:, [Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE]]
    joints_TJ3[..., 1] += (pose.lift - ankles_TS3[..., 1].min(axis=1))[:, None]
    joints_TJ3[..., 2] -= ankles_TS3[..., 2].mean(axis=1)[:, None]
    return joints_TJ3


def _direction(pitch_T: FloatArray, spread_T: FloatArray, outwards: float) -> FloatArray:
    """Unit vectors (T, 3) of a segment that hangs down at pitch 0 and spread 0."""
    return np.stack(
        [
            outwards * np.sin(spread_T),
            -np.cos(spread_T) * np.cos(pitch_T),
            np.cos(spread_T) * np.sin(pitch_T),
        ],
        axis=1,
    )


def _one_way(clock_T: FloatArray, manner: Manner) -> FloatArray:
    """Progress 0 to 1 of a motion done once: it waits, eases in and out, and waits again."""
    moving_T = np.clip((clock_T - manner.hold_before) / (1 - manner.hold_before - manner.hold_after), 0, 1)
    return moving_T * moving_T * (3 - 2 * moving_T)


def _arms_at(height_T: FloatArray) -> dict[str, FloatArray]:
    """Both arms at a height from 0 (hanging) to 1 (hands together above the head)."""
    return {
        "arm_spread": _both(0.2 + 2.7 * height_T),
        "elbow_spread": _both(0.1 + 1.05 * height_T**3),
    }


def _both(values_T: FloatArray) -> FloatArray:
    """The same values for the left and the right side: (T, S)."""
    return np.stack([values_T, values_T], axis=1)


def _pose(clock_T: FloatArray, manner: Manner, **given: FloatArray) -> Pose:
    """A pose of someone standing relaxed, swaying slightly, but for what is `given`."""
    rest_T = np.zeros_like(clock_T)
    sway_T = 0.03 * np.sin(2 * np.pi * clock_T + manner.sway_phase)
    standing = {
        "thigh_pitch": _both(rest_T),
        "thigh_spread": _both(rest_T + 0.1),
        "knee": _both(rest_T + 0.04),
        "arm_pitch": _both(sway_T),
        "arm_spread": _both(rest_T + 0.2),
        "elbow_pitch": _both(rest_T + 0.1),
        "elbow_spread": _both(rest_T),
        "lean": rest_T,
        "lift": rest_T,
        "travel": rest_T,
    }
    chosen = standing | given
    return Pose(**(chosen | {"lean": chosen["lean"] + sway_T}))
