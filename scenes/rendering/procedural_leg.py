"""The project's own leg: rounded cones melted into one surface and polygonised. Needs nothing from outside."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from skimage.measure import marching_cubes

from scenes.rendering.foot import FOOT_HEIGHT_MM, LEG_TOP_MM
from scenes.rendering.foot_pose import RawLeg, nearest_toe, toe_shares


@dataclass(frozen=True)
class FootShape:
    """What varies between procedural feet. Lengths are shares of the foot's length; factors are 1 on average.

    Figures: foot breadth over length is 0.39 with 0.02 (the means of large surveys lie between 0.37 and
    0.40), bimalleolar breadth about 0.28, height of the medial malleolus about 0.32, ankle girth 0.85, calf
    girth 1.4. The big toe is the longest in about two of three feet, the second in about one of four, both
    alike in the rest. The spreads beyond these are our assumption of what an ordinary crowd shows.
    """

    breadth: float
    instep: float
    arch: float
    girth: float
    toe_thickness: float
    toe_gap: float
    toe_tips: tuple
    toe_lift: tuple
    big_toe_turn: float


def random_shape(rng):
    """A `FootShape` drawn from natural ranges."""
    kind = rng.random()
    second = rng.uniform(-0.035, -0.012) if kind < 0.65 else rng.uniform(0.01, 0.025) if kind < 0.9 else 0.0
    # From the second toe outwards each tip lies further back than the one before.
    back = np.cumsum([second, *rng.normal([-0.037, -0.045, -0.062], 0.006)])
    return FootShape(
        breadth=float(np.clip(rng.normal(1.0, 0.05), 0.88, 1.13)),
        instep=float(np.clip(rng.normal(1.0, 0.06), 0.86, 1.15)),
        arch=float(rng.uniform(0.3, 1.1)),
        girth=float(np.clip(rng.normal(1.0, 0.1), 0.8, 1.3)),
        toe_thickness=float(np.clip(rng.normal(1.0, 0.06), 0.87, 1.14)),
        toe_gap=float(rng.uniform(0.001, 0.010)),
        toe_tips=(0.0, *back.tolist()),
        toe_lift=tuple(np.clip(rng.normal(0.0, 0.006, 5), -0.008, 0.016).tolist()),
        big_toe_turn=float(np.clip(rng.normal(0.015, 0.015), -0.015, 0.05)),
    )


# Grid step for polygonising, as a share of the foot's length: 2.5 mm of 250. The gaps between toes need it;
# above the ankle a step of 5 % along z is enough.
GRID_STEP = 0.01
SHANK_STEP = 0.05
FINE_HEIGHT = 0.42

ANKLE = np.array([0.0, 0.215, 0.27])


def raw_leg(shape, length_mm, shortest_mm):
    """The left `RawLeg` of a `FootShape`, `length_mm` long, and high enough when scaled to `shortest_mm`.

    Modelled as a left foot of length 1 with the heel at y = 0, then scaled.
    """
    toes = _toe_cones(shape)
    axes = _grid(top=1.1 * LEG_TOP_MM / shortest_mm)
    vertices, faces = _polygonised(_leg_field(shape, toes, axes), axes)
    joints = np.array([[a + 0.3 * (m - a), m, b] for (a, m, *_), (_, b, *_) in toes])
    toe_of = nearest_toe(vertices, joints[:, 1:])
    scale = length_mm / np.ptp(vertices[vertices[:, 2] < FOOT_HEIGHT_MM / length_mm, 1])
    share = toe_shares(toe_of, faces, rounds=2)
    return RawLeg(vertices * scale, faces.astype(np.int32), "left", ANKLE * scale, joints * scale, share)


def _grid(top):
    """The sample positions along x, y and z, in shares of the foot's length."""
    fine = np.arange(-0.02, FINE_HEIGHT, GRID_STEP)
    coarse = np.arange(FINE_HEIGHT, top, SHANK_STEP)
    across, along = np.arange(-0.34, 0.345, GRID_STEP), np.arange(-0.14, 1.08, GRID_STEP)
    return tuple(axis.astype(np.float32) for axis in (across, along, np.concatenate([fine, coarse, [top]])))


def _polygonised(field, axes):
    """Vertices (N, 3) and outward faces (M, 3) of the surface field = 0, closed at the grid's borders."""
    padded = np.pad(field, 1, constant_values=np.float32(GRID_STEP))
    cells, faces, _, _ = marching_cubes(padded, 0.0, gradient_direction="descent")
    places = [np.interp(cells[:, i] - 1.0, np.arange(len(axis)), axis) for i, axis in enumerate(axes)]
    return np.column_stack(places), faces


def _leg_field(shape, toes, axes):
    """The signed distance, negative inside, only roughly Euclidean, at the grid points: (X, Y, Z) float32."""
    body = None
    for cone in _body_cones(shape):
        body = _melt(body, _cone_distance(cone, axes), 0.05)
    front = axes[1] > 0.55
    low = axes[2] < 0.2
    part = axes[0], axes[1][front], axes[2][low]
    digits = None
    for chain in toes:
        digit = None
        for cone in chain:
            digit = _melt(digit, _cone_distance(cone, part), 0.02)
        digits = _melt(digits, digit, 0.004)
    window = np.ix_(np.arange(len(axes[0])), np.flatnonzero(front), np.flatnonzero(low))
    body[window] = _melt(body[window], digits, 0.022)
    # The sole is flat where it carries weight, with a rounded rim.
    return -_melt(-body, np.broadcast_to(axes[2], body.shape), 0.02)


def _melt(a, b, radius):
    """Union of two fields with the crease between them filled over `radius` (quadratic smooth minimum)."""
    if a is None:
        return b
    near = np.maximum(radius - np.abs(a - b), 0.0)
    return np.minimum(a, b) - near * near * np.float32(0.25 / radius)


def _cone_distance(cone, axes):
    """Distance to a cone with round ends: (start (3,), end (3,), radius there and here, flatness along z)."""
    start, end, start_radius, end_radius, flat = cone
    squeeze = np.array([1.0, 1.0, 1.0 / flat])
    bone = (np.subtract(end, start) * squeeze).astype(np.float32)
    x, y, z = ((axis - np.float32(at)) * np.float32(s) for axis, at, s in zip(axes, start, squeeze, strict=True))
    x, y, z = x[:, None, None], y[None, :, None], z[None, None, :]
    along = (x * bone[0] + y * bone[1]) + z * bone[2]
    share = np.clip(along / np.float32(max(bone @ bone, 1e-9)), 0.0, 1.0)
    squared = ((x * x + y * y) + z * z) - share * (2 * along - share * np.float32(bone @ bone))
    radius = np.float32(start_radius) + share * np.float32(end_radius - start_radius)
    return np.sqrt(np.maximum(squared, 0.0)) - radius


def _ball(shape):
    """The heads of the five metatarsals, (5, 3), from the big toe's to the little toe's."""
    x = np.array([0.118, 0.036, -0.030, -0.090, -0.142]) * shape.breadth
    y = np.array([0.725, 0.745, 0.720, 0.680, 0.630])
    z = np.array([0.072, 0.070, 0.064, 0.057, 0.050])
    return np.column_stack([x, y, z])


def _toe_cones(shape):
    """Five lists of rounded cones, big toe first: from the metatarsal's head over the joint to the tip."""
    heads, thick, wide = _ball(shape), shape.toe_thickness, shape.breadth
    radii = np.array([0.046, 0.0285, 0.027, 0.026, 0.027]) * thick * wide**0.5
    toes, x = [], 0.098 * wide - shape.big_toe_turn
    for k in range(5):
        if k:
            x -= radii[k - 1] + radii[k] + shape.toe_gap
        r, lift = radii[k], shape.toe_lift[k]
        tip = np.array([x, 1.0 + shape.toe_tips[k] - r, 0.82 * r + lift])
        head = heads[k]
        if k == 0:
            middle = head + 0.5 * (tip - head) + [0.004, 0.0, 0.008 + lift / 2]
            toes.append([(head, middle, 0.055, 0.93 * r, 0.85), (middle, tip, 0.93 * r, r, 0.8)])
        else:
            middle = head + 0.55 * (tip - head) + [0.0, 0.0, 0.024 + lift / 2]
            toes.append([(head, middle, 1.1 * r, 0.9 * r, 0.95), (middle, tip, 0.88 * r, r, 0.92)])
    return toes


# Shank: height, position along y, radius. Narrowest above the ankle, thickest at the calf, on past the knee.
SHANK = (
    (0.27, 0.215, 0.108),
    (0.38, 0.210, 0.116),
    (0.50, 0.204, 0.128),
    (0.65, 0.196, 0.148),
    (0.80, 0.187, 0.172),
    (0.95, 0.179, 0.195),
    (1.10, 0.173, 0.211),
    (1.25, 0.171, 0.217),
    (1.40, 0.176, 0.211),
    (1.60, 0.187, 0.200),
    (1.80, 0.196, 0.197),
    (4.00, 0.220, 0.215),
)


def _body_cones(shape):
    """Rounded cones of heel, sides, instep, ball, ankle bones and shank."""
    wide, high, arch, girth = shape.breadth, shape.instep, shape.arch, shape.girth
    ball = _ball(shape)
    # The pad at the toes' roots, which ends where the webs are.
    webs = ball + [0.0, 0.045, -0.018]
    hollow = 0.075 + 0.045 * arch
    middle = np.array([0.02 * wide, 0.44, 0.145 * high + 0.01 * arch])
    lateral = np.array([-0.112 * wide, 0.42, 0.07])
    medial = np.array([0.060 * wide, 0.42, 0.055 + hollow])
    heel = np.array([-0.004, 0.125, 0.098])
    front = ANKLE + [0.0, 0.045, 0.0]
    cones = [
        (heel, heel + [0.0, 0.05, 0.01], 0.122, 0.118 * wide, 1.0),
        (heel + [0.0, -0.02, 0.06], (0.0, 0.15, 0.40), 0.085, 0.070 * girth, 1.0),
        (heel + [-0.03, 0.04, -0.02], lateral, 0.085, 0.068, 0.9),
        (lateral, ball[4], 0.068, 0.055, 0.9),
        (heel + [0.03, 0.08, 0.05], medial, 0.085, 0.068, 1.0),
        (medial, ball[0], 0.068, 0.060, 0.95),
        (front, middle, 0.115, 0.098, 0.95),
        *((middle, head, 0.075, 0.052, 0.9) for head in ball[1:4]),
        *((a, b, 0.045, 0.042, 0.85) for a, b in pairwise(webs)),
        ((0.092, 0.245, 0.315), (0.088, 0.25, 0.35), 0.040, 0.030, 1.0),
        ((-0.098, 0.195, 0.270), (-0.090, 0.205, 0.33), 0.038, 0.030, 1.0),
    ]
    points = [((0.0, y, z), r * girth) for z, y, r in SHANK]
    return cones + [(a, b, ra, rb, 1.0) for (a, ra), (b, rb) in pairwise(points)]
