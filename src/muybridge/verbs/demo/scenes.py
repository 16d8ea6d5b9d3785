"""Drawing: who acts, in front of what, under which light, seen by which camera.

A `Take` is the look of one source video: body, clothes, backdrop, lighting, style of camera. All clips of a
take share it, as clips cut from one film do, so a network can learn to know the film instead of the action.
What differs from clip to clip (place, path of the camera, grain, `Manner` of acting) is drawn from the same
distribution whatever the action.

How far apart the takes look decides whether the set can be learned. With backdrops and clothes of any colour
a small network knew every take by heart, never looked at the motion, and did no better than chance on
takes it had not seen. With dark figures before light, nearly grey walls it learns the motion in a minute, and
the look still reveals siblings.

Figures are drawn at twice the size of the clip and averaged down: cheap, and thin limbs come out smooth.

Axes: T frames, H height, W width, C channels (RGB), J joints, N corners. World coordinates are in pixels of
the finished clip, from its top left corner, before the camera moves.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from muybridge.verbs.demo.figures import ACTIONS, Body, FloatArray, Joint, Manner, perform

WIDTH_PX, HEIGHT_PX = 128, 96
_SUPERSAMPLING = 2
_BACKDROP_MARGIN_PX = 24  # drawn beyond the picture on every side, for the camera to move over
_SUBPIXEL_BITS = 4  # OpenCV draws at fixed-point coordinates with this many fractional bits

Frames = npt.NDArray[np.uint8]
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Take:
    """The look that all clips of one source share."""

    body: Body
    height_px: float
    shirt: Colour
    sleeves: Colour
    trousers: Colour
    skin: Colour
    hair: Colour
    shoes: Colour
    backdrop: Frames  # (H, W, C), larger than the picture by a margin
    seat: Colour
    seat_in_view: bool  # also where nobody sits down
    ball: Colour | None  # something that drifts through behind the figure
    gain: float
    noise: float  # standard deviation of the sensor noise, in grey levels
    pan_px: float  # typical sizes of the camera's movements over a clip
    zoom: float
    shake_px: float

    @staticmethod
    def random(rng: np.random.Generator) -> "Take":
        """Draw a take."""
        shirt, sleeves, trousers = (_colour(rng, tone=rng.uniform(40, 85), tint=35) for _ in range(3))
        complexion = rng.uniform(0.5, 0.9)
        return Take(
            body=Body.random(rng),
            height_px=rng.uniform(58, 70),
            shirt=shirt,
            sleeves=shirt if rng.random() < 0.5 else sleeves,
            trousers=trousers,
            skin=(150 * complexion, 100 * complexion, 75 * complexion),
            hair=_colour(rng, tone=rng.uniform(20, 70), tint=15),
            shoes=_colour(rng, tone=rng.uniform(20, 70), tint=15),
            backdrop=_draw_backdrop(rng),
            seat=_colour(rng, tone=rng.uniform(90, 150), tint=20),
            seat_in_view=bool(rng.random() < 0.5),
            ball=_colour(rng, tone=rng.uniform(80, 230), tint=25) if rng.random() < 0.5 else None,
            gain=rng.uniform(0.85, 1.15),
            noise=rng.uniform(1, 6),
            pan_px=rng.choice((0.0, 2.0, 5.0)),
            zoom=rng.choice((0.0, 0.02, 0.05)),
            shake_px=rng.choice((0.0, 0.0, 0.5, 1.0)),
        )


def render_clip(action_name: str, *, take: Take, rng: np.random.Generator, frames: int) -> Frames:
    """Draw one clip.

    Args:
        action_name: A name in `ACTIONS`.
        take: The look.
        rng: Draws all that differs between the clips of a take.
        frames: T, at least 1.

    Returns:
        Frames (T, H, W, C), uint8 RGB.
    """
    joints_TJ3 = perform(ACTIONS[action_name], body=take.body, manner=Manner.random(rng), frames=frames)
    centre_x_px = WIDTH_PX / 2 + rng.uniform(-36, 36)
    ground_y_px = rng.uniform(84, 92)
    joints_TJ3 = joints_TJ3 * (take.height_px, -take.height_px, take.height_px)
    joints_TJ3 += (centre_x_px, ground_y_px, 0)
    camera = _Camera.random(take, rng, frames)
    seat_corners = _place_seat(action_name, take, rng, joints_TJ3, ground_y_px)
    ball_T2 = _ball_path(rng, frames)
    ball_radius_px = rng.uniform(4, 8)
    gain = take.gain * rng.uniform(0.98, 1.02)
    clip_THWC = np.empty((frames, HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    for index in range(frames):
        canvas = _Canvas(take.backdrop, zoom=float(camera.zoom[index]), shift_2=camera.shift[index])
        if take.ball is not None:
            canvas.disc(ball_T2[index], ball_radius_px, take.ball)
        if seat_corners is not None:
            canvas.box(*seat_corners, take.seat)
        _draw_figure(canvas, joints_TJ3[index], take)
        picture_HWC = canvas.shrunk().astype(np.float32) * gain
        picture_HWC += rng.standard_normal((HEIGHT_PX, WIDTH_PX, 1), dtype=np.float32) * take.noise
        clip_THWC[index] = np.clip(picture_HWC, 0, 255)
    return clip_THWC


@dataclass(frozen=True)
class _Camera:
    """Takes a point of the world to `zoom * point + shift`, frame by frame."""

    zoom: FloatArray  # (T,)
    shift: FloatArray  # (T, 2), pixels

    @staticmethod
    def random(take: Take, rng: np.random.Generator, frames: int) -> "_Camera":
        """Draw slow pan, slow zoom and shake.

        A path is as likely as its reversal, as everything must be that accompanies a motion and its reversal.
        """
        clock_T = (np.arange(frames) + 0.5) / frames - 0.5
        zoom_T = 1 + 2 * take.zoom * rng.normal() * clock_T
        shift_T2 = clock_T[:, None] * rng.normal(0, take.pan_px, 2) * (1, 0.3)
        shift_T2 = shift_T2 + take.shake_px * rng.normal(size=(frames, 2))
        centre_2 = np.array([WIDTH_PX, HEIGHT_PX]) / 2
        return _Camera(zoom_T, centre_2 * (1 - zoom_T[:, None]) + shift_T2)


class _Canvas:
    """One picture being drawn at `_SUPERSAMPLING` times its size, seen through the camera."""

    def __init__(self, backdrop_HWC: Frames, *, zoom: float, shift_2: FloatArray) -> None:
        self._zoom = zoom * _SUPERSAMPLING
        self._shift_x, self._shift_y = (float(shift) * _SUPERSAMPLING for shift in shift_2)
        # The backdrop starts a margin before the world does; it has no fine lines, so it is moved at the
        # size of the clip and only then enlarged.
        shift_x, shift_y = (float(shift) - _BACKDROP_MARGIN_PX * zoom for shift in shift_2)
        backdrop_to_picture_23 = np.array([[zoom, 0, shift_x], [0, zoom, shift_y]])
        small = cv2.warpAffine(
            backdrop_HWC, backdrop_to_picture_23, (WIDTH_PX, HEIGHT_PX), borderMode=cv2.BORDER_REFLECT
        )
        large = cv2.resize(small, None, fx=_SUPERSAMPLING, fy=_SUPERSAMPLING, interpolation=cv2.INTER_NEAREST)
        self._picture_HWC = np.asarray(large, np.uint8)

    def limb(self, start_2: FloatArray, end_2: FloatArray, thickness_px: float, colour: Colour) -> None:
        """A line with round ends."""
        start, end = self._fixed_point(start_2), self._fixed_point(end_2)
        thickness = max(1, round(thickness_px * self._zoom))
        cv2.line(self._picture_HWC, start, end, colour, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)

    def disc(self, centre_2: FloatArray, radius_px: float, colour: Colour) -> None:
        """A filled circle."""
        radius = round(radius_px * self._zoom * 2**_SUBPIXEL_BITS)
        centre = self._fixed_point(centre_2)
        cv2.circle(self._picture_HWC, centre, radius, colour, cv2.FILLED, cv2.LINE_AA, _SUBPIXEL_BITS)

    def box(self, top_left_2: FloatArray, bottom_right_2: FloatArray, colour: Colour) -> None:
        """A filled upright rectangle."""
        corners = self._fixed_point(top_left_2), self._fixed_point(bottom_right_2)
        cv2.rectangle(self._picture_HWC, *corners, colour, cv2.FILLED, cv2.LINE_AA, _SUBPIXEL_BITS)

    def polygon(self, corners_N2: FloatArray, colour: Colour) -> None:
        """A filled convex polygon."""
        corners = np.array([self._fixed_point(corner_2) for corner_2 in corners_N2], np.int32)
        cv2.fillConvexPoly(self._picture_HWC, cv2.convexHull(corners), colour, cv2.LINE_AA, _SUBPIXEL_BITS)

    def shrunk(self) -> Frames:
        """The picture (H, W, C) at its final size."""
        small = cv2.resize(self._picture_HWC, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.uint8)

    def _fixed_point(self, point_2: FloatArray) -> tuple[int, int]:
        x = float(point_2[0]) * self._zoom + self._shift_x
        y = float(point_2[1]) * self._zoom + self._shift_y
        return round(x * 2**_SUBPIXEL_BITS), round(y * 2**_SUBPIXEL_BITS)


def _draw_figure(canvas: _Canvas, joints_J3: FloatArray, take: Take) -> None:
    """Draw the limbs from the far side to the near side, each with a darker rim to show over the others."""
    width_px = take.body.thickness * take.height_px
    at_J2, depth_J = joints_J3[:, :2], joints_J3[:, 2]
    legs_and_arms: list[tuple[float, Joint, Joint, float, Colour]] = []
    for side in (0, 1):
        for first, second, thickness, colour in (
            (Joint.LEFT_ANKLE, Joint.LEFT_TOE, 0.9, take.shoes),
            (Joint.LEFT_KNEE, Joint.LEFT_ANKLE, 1.15, take.trousers),
            (Joint.LEFT_HIP, Joint.LEFT_KNEE, 1.4, take.trousers),
            (Joint.LEFT_ELBOW, Joint.LEFT_HAND, 0.9, take.skin),
            (Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW, 1.1, take.sleeves),
        ):
            start, end = Joint(first + side), Joint(second + side)
            depth = float(depth_J[start] + depth_J[end]) / 2
            legs_and_arms.append((depth, start, end, thickness * width_px, colour))
    # The torso belongs between the far and the near arm; the legs join it from below in any order.
    torso_depth = float(depth_J[Joint.PELVIS] + depth_J[Joint.NECK]) / 2
    legs_and_arms.sort(key=lambda limb: limb[0])
    behind = [limb for limb in legs_and_arms if limb[0] < torso_depth]
    in_front = [limb for limb in legs_and_arms if limb[0] >= torso_depth]
    for limb in behind:
        _draw_limb(canvas, at_J2, limb)
    trunk = at_J2[[Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER, Joint.RIGHT_HIP, Joint.LEFT_HIP]]
    canvas.limb(at_J2[Joint.NECK], at_J2[Joint.HEAD], width_px, take.skin)
    canvas.limb(trunk.mean(axis=0) * 0.25 + at_J2[Joint.NECK] * 0.75, at_J2[Joint.PELVIS], 2.2 * width_px, take.shirt)
    canvas.polygon(trunk, take.shirt)
    head_2, radius_px = at_J2[Joint.HEAD], take.body.head_radius * take.height_px
    canvas.disc(head_2 - np.array((0, 0.25 * radius_px)), radius_px, take.hair)
    canvas.disc(head_2 + np.array((0, 0.15 * radius_px)), 0.88 * radius_px, take.skin)
    for limb in in_front:
        _draw_limb(canvas, at_J2, limb)


def _draw_limb(canvas: _Canvas, at_J2: FloatArray, limb: tuple[float, Joint, Joint, float, Colour]) -> None:
    _, start, end, thickness_px, colour = limb
    rim = (0.6 * colour[0], 0.6 * colour[1], 0.6 * colour[2])
    canvas.limb(at_J2[start], at_J2[end], thickness_px + 1.2, rim)
    canvas.limb(at_J2[start], at_J2[end], thickness_px, colour)


def _place_seat(
    action_name: str, take: Take, rng: np.random.Generator, joints_TJ3: FloatArray, ground_y_px: float
) -> tuple[FloatArray, FloatArray] | None:
    """Corners of a box to sit on: under the figure where it sits, anywhere (or nowhere) where it does not."""
    height_px = take.body.shank * take.height_px * 0.85
    half_width_px = 0.1 * take.height_px
    if action_name in ("sit_down", "stand_up"):
        lowest = int(joints_TJ3[:, Joint.PELVIS, 1].argmax())
        x_px = float(joints_TJ3[lowest, Joint.PELVIS, 0])
    elif take.seat_in_view:
        x_px = rng.uniform(16, WIDTH_PX - 16)
    else:
        return None
    top_left_2 = np.array([x_px - half_width_px, ground_y_px - height_px])
    return top_left_2, np.array([x_px + half_width_px, ground_y_px])


def _ball_path(rng: np.random.Generator, frames: int) -> FloatArray:
    """A straight drift (T, 2) through the upper part of the picture."""
    clock_T = (np.arange(frames) + 0.5) / frames - 0.5
    middle_2 = rng.uniform((0, 0), (WIDTH_PX, HEIGHT_PX / 2))
    return middle_2 + clock_T[:, None] * rng.normal(0, (30, 5))


def _draw_backdrop(rng: np.random.Generator) -> Frames:
    """Wall, floor, texture and clutter, all in light tones, against which a dark figure shows."""
    tone = rng.uniform(165, 215)
    width, height = WIDTH_PX + 2 * _BACKDROP_MARGIN_PX, HEIGHT_PX + 2 * _BACKDROP_MARGIN_PX
    corners = [[_colour(rng, tone=tone + rng.uniform(-20, 20), tint=8) for _ in range(2)] for _ in range(2)]
    wall = cv2.resize(np.array(corners, np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    picture_HWC = np.asarray(wall, np.float32)
    floor_y = round(height * rng.uniform(0.6, 0.75))
    picture_HWC[floor_y:] -= rng.uniform(0, 30)
    for _ in range(rng.integers(3, 9)):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, floor_y))
        half_sizes = rng.integers(4, 25, 2).tolist()
        colour = _colour(rng, tone=tone + rng.uniform(-30, 30), tint=12)
        if rng.random() < 0.5:
            cv2.ellipse(picture_HWC, (x, y), half_sizes, 0, 0, 360, colour, cv2.FILLED, cv2.LINE_AA)
        else:
            far_corner = (x + 2 * half_sizes[0], min(y + 2 * half_sizes[1], floor_y))
            cv2.rectangle(picture_HWC, (x, y), far_corner, colour, cv2.FILLED)
    coarse = rng.normal(0, rng.uniform(1, 6), (height // 4, width // 4)).astype(np.float32)
    texture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    picture_HWC += np.asarray(texture, np.float32)[..., None]
    return np.clip(picture_HWC, 0, 255).astype(np.uint8)


def _colour(rng: np.random.Generator, *, tone: float, tint: float) -> Colour:
    """A grey level with each channel off it by up to `tint`."""
    red, green, blue = tone + rng.uniform(-tint, tint, 3)
    return float(red), float(green), float(blue)
