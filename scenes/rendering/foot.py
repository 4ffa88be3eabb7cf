"""A foot with its lower leg as a closed triangle mesh, and what a tape would read on it.

The frame of every `Leg` is the foot's own: millimetres, right-handed, z up, the sole at z = 0. The y axis is
the foot's long axis (ISO 7250-1: from the heel's rearmost point to the tip of the second toe), toes at +y,
and the origin lies under the middle of the foot's length and breadth. A left foot has its big toe at +x, a
right foot at -x.

Where legs come from: `leg_library` (the real shapes of a file) and `procedural_leg` (the project's own); both
give a `foot_pose.RawLeg`, which `foot_pose.posed` bends, stands on the floor and measures.
"""

from dataclasses import dataclass

import numpy as np

# Above this height over the sole the limb is leg and no longer foot. The malleoli of an adult lie about 65 to
# 85 mm high and a low shoe ends below them, so 80 mm is about where people say that the foot ends.
FOOT_HEIGHT_MM = 80.0

# Foot breadth is taken across the ball. Only what lies in front of this share of the foot's length counts,
# because a wide ankle or a leaning shank below 80 mm would otherwise set the breadth. The heads of the
# metatarsals lie at 0.62 to 0.75 of the length in adults and children, so the front half holds them with room
# to spare.
FOREFOOT_SHARE = 0.5

# Where along the foot's length instep and arch are read, and how far in from the section's inner side the arch is.
INSTEP_SHARE = 0.5
ARCH_SHARE = 0.45
ARCH_INWARD_SHARE = 0.25

# Every leg ends at this height or higher, closed by a cap, so that no camera of ours looks into an open end.
LEG_TOP_MM = 500.0

SIDES = ("left", "right")


@dataclass(frozen=True)
class FootConfig:
    """What feet are drawn: sizes, shapes, toes. Shares are probabilities 0..1, pairs are ranges (low, high).

    A foot's toes are in one posture: ordinary, or with these shares clawed, all lifted, big toe lifted or spread.
    Hallux valgus (a big toe turned to its neighbours), arch and tendons are drawn besides.
    """

    adult_mean_mm: float = 250.0  # women's mean is about 240, men's about 265 in surveys of foot length
    adult_spread_mm: float = 17.0
    child_mm: tuple[float, float] = (150.0, 225.0)
    any_mm: tuple[float, float] = (225.0, 320.0)
    child_share: float = 0.19
    any_share: float = 0.06  # so that networks meet every size, not because it is frequent
    shapes: int = 48  # of the procedural leg that one source keeps; 1: every foot, also of a library, has one shape
    toe_lift_deg: float = 4.0  # standard deviation of the ordinary posture, all toes together; a single toe: half
    toe_fan_deg: float = 1.5
    clawed_share: float = 0.12
    lifted_share: float = 0.05
    lifted_big_toe_share: float = 0.07
    spread_share: float = 0.12
    hallux_valgus_share: float = 0.12
    hallux_valgus_deg: tuple[float, float] = (7.0, 24.0)
    arch_spread_mm: float = 1.5
    flat_share: float = 0.15
    high_share: float = 0.12
    tendons_share: float = 0.55
    tendon_mm: tuple[float, float] = (0.4, 2.4)  # height of the ridges on the instep
    lean_deg: tuple[float, float] = (-10.0, 25.0)  # of the shank, forward; mostly 4


FOOT = FootConfig()

PLAIN_FOOT = FootConfig(
    shapes=1, toe_lift_deg=0.0, toe_fan_deg=0.0, clawed_share=0.0, lifted_share=0.0, lifted_big_toe_share=0.0,
    spread_share=0.0, hallux_valgus_share=0.0, arch_spread_mm=0.0, flat_share=0.0, high_share=0.0, tendons_share=0.0,
)  # fmt: skip


@dataclass(frozen=True)
class Leg:
    """A foot with its lower leg, up to at least 450 mm, and what a tape would read on it.

    vertices_mm (N, 3) float32, faces (M, 3) int32 counter-clockwise seen from outside; frame as in the
    module's docstring. `length_mm` and `width_mm` are foot length and foot breadth, see `measure_foot`;
    `instep_mm` and `arch_mm` see `instep_height` and `arch_height`.
    `heel_mm` is the heel's rearmost point, `toe_mm` the tip of the second toe, `ankle_mm` the centre of the
    ankle joint, each (3,). `toe_joints_mm` (5, 3, 3): from the big toe to the little one the joint at the
    toe's root, the one in its middle, and its tip, inside the flesh. `toe_of` (N,) int8: the toe that a vertex
    belongs to, 0 (big toe) to 4; -1: none.
    """

    vertices_mm: np.ndarray
    faces: np.ndarray
    side: str
    length_mm: float
    width_mm: float
    instep_mm: float
    arch_mm: float
    heel_mm: np.ndarray
    toe_mm: np.ndarray
    ankle_mm: np.ndarray
    toe_joints_mm: np.ndarray
    toe_of: np.ndarray


@dataclass(frozen=True)
class FootMeasure:
    """Length and breadth in mm, the two points of the axis (3,), and the axis, a unit vector (2,) in x, y."""

    length_mm: float
    width_mm: float
    heel_mm: np.ndarray
    toe_mm: np.ndarray
    axis: np.ndarray


def measure_foot(vertices_mm, second_toe):
    """Foot length and foot breadth of ISO 7250-1, from the mesh's own vertices below `FOOT_HEIGHT_MM`.

    vertices_mm (N, 3), sole at z = 0, toes roughly towards +y; second_toe: indices or a boolean mask of the
    vertices of the second toe. The axis runs from the heel's rearmost point to the tip of the second toe.
    Which points are rearmost and foremost depends on the axis in turn, so both are found anew along each
    axis, starting from +y, until they stay the same (two or three rounds; a foot is much longer than its heel
    is wide). Length: between the rearmost and foremost points along the axis. Breadth: between the innermost
    and outermost points across the axis, of the part in front of `FOREFOOT_SHARE` of the length.

    Raises ValueError when no vertex of the second toe is below `FOOT_HEIGHT_MM`.
    """
    foot = vertices_mm[vertices_mm[:, 2] < FOOT_HEIGHT_MM].astype(np.float64)
    toe_points = vertices_mm[second_toe].astype(np.float64)
    toe_points = toe_points[toe_points[:, 2] < FOOT_HEIGHT_MM]
    if not len(toe_points):
        raise ValueError(f"no vertex of the second toe is below {FOOT_HEIGHT_MM} mm: the axis needs its tip")
    axis = np.array([0.0, 1.0])
    heel = toe = None
    for _ in range(10):
        previous = heel, toe
        heel = foot[np.argmin(foot[:, :2] @ axis)]
        toe = toe_points[np.argmax(toe_points[:, :2] @ axis)]
        if previous[0] is not None and np.array_equal(previous, (heel, toe)):
            break
        axis = (toe - heel)[:2] / np.linalg.norm((toe - heel)[:2])
    along = (foot[:, :2] - heel[:2]) @ axis
    length = float(np.ptp(along))
    across = foot[:, :2] @ np.array([axis[1], -axis[0]])
    width = float(np.ptp(across[along - along.min() >= FOREFOOT_SHARE * length]))
    return FootMeasure(length, width, heel, toe, axis)


def _section(vertices_mm, faces, y_mm):
    """The mesh's cut with the plane y = y_mm: segments (S, 2, 2) of (x, z)."""
    ahead = vertices_mm[:, 1] > y_mm
    cut = faces[ahead[faces].any(1) & ~ahead[faces].all(1)]
    corner = vertices_mm[cut].astype(np.float64)
    # Of a triangle's three edges, the two whose ends lie on different sides of the plane are cut.
    ends = np.stack([corner, np.roll(corner, -1, axis=1)], 2)
    crossing = ahead[cut] != ahead[np.roll(cut, -1, axis=1)]
    start, end = ends[crossing].transpose(1, 0, 2)
    share = ((y_mm - start[:, 1]) / (end[:, 1] - start[:, 1]))[:, None]
    return (start + share * (end - start))[:, [0, 2]].reshape(-1, 2, 2)


def _under_and_top(section, x_mm):
    """Heights (K, 2) where verticals at x_mm (K,) first enter and first leave a section; NaN where they miss it.

    Above the foot, what hangs over it, as a shank that leans forward, does not count: the first way out is its top.
    """
    left, right = section[:, :, 0].min(1), section[:, :, 0].max(1)
    (x0, z0), (x1, z1) = section[:, 0].T, section[:, 1].T
    met = (left <= x_mm[:, None]) & (x_mm[:, None] < right)
    share = (x_mm[:, None] - x0) / np.where(x1 == x0, 1.0, x1 - x0)
    heights = np.sort(np.where(met, z0 + share * (z1 - z0), np.inf), axis=1)[:, :2]
    return np.where(np.isfinite(heights), heights, np.nan)


def instep_height(vertices_mm, faces, length_mm):
    """Height of the instep in mm: the highest point on top of the foot, over the floor, at half of its length.

    Of a closed mesh in a `Leg`'s frame. The mesh is cut with the plane across the long axis at `INSTEP_SHARE` of
    the length from the heel's rearmost point. Above each place of the cut, a millimetre apart, the top is where a
    vertical from below first leaves the mesh; the highest of these is the instep (the "midfoot height" of
    foot-shape surveys). Where a shank that leans far forward stands on the place itself, there is no way out below
    half of the length, and the places beside it count.
    """
    heel = vertices_mm[vertices_mm[:, 2] < FOOT_HEIGHT_MM, 1].min()
    section = _section(vertices_mm, faces, heel + INSTEP_SHARE * length_mm)
    x = section[..., 0]
    places = np.linspace(x.min(), x.max(), int(np.ptp(x)) + 2)[1:-1]
    under, top = _under_and_top(section, places).T
    # Beside the foot a vertical may meet nothing but the shank that leans over it.
    return float(top[(under < FOOT_HEIGHT_MM) & (top < 0.5 * length_mm)].max())


def arch_height(vertices_mm, faces, side, length_mm):
    """Height of the arch in mm: how high the sole is over the floor under the foot's inner side; 0: a flat foot.

    Of a closed mesh in a `Leg`'s frame. Read on the sole at `ARCH_SHARE` of the length from the heel's rearmost
    point, `ARCH_INWARD_SHARE` of the breadth that the foot has there (below `FOOT_HEIGHT_MM`) outward from its
    inner side: in the middle of the hollow, neither on the outer border that stands nor on the side wall.
    """
    heel = vertices_mm[vertices_mm[:, 2] < FOOT_HEIGHT_MM, 1].min()
    section = _section(vertices_mm, faces, heel + ARCH_SHARE * length_mm)
    x = section[section[..., 1] < FOOT_HEIGHT_MM, 0]
    inward = 1.0 if side == "left" else -1.0
    inner = x.max() if side == "left" else x.min()
    place = inner - inward * ARCH_INWARD_SHARE * np.ptp(x)
    return float(_under_and_top(section, np.array([place]))[0, 0])


def mirrored(leg):
    """The same leg of the other side: x negated, faces turned round so that they still look outward."""
    flip = np.array([-1, 1, 1])
    return Leg(
        vertices_mm=leg.vertices_mm * flip.astype(np.float32),
        faces=np.ascontiguousarray(leg.faces[:, ::-1]),
        side=other_side(leg.side),
        length_mm=leg.length_mm,
        width_mm=leg.width_mm,
        instep_mm=leg.instep_mm,
        arch_mm=leg.arch_mm,
        heel_mm=leg.heel_mm * flip,
        toe_mm=leg.toe_mm * flip,
        ankle_mm=leg.ankle_mm * flip,
        toe_joints_mm=leg.toe_joints_mm * flip,
        toe_of=leg.toe_of,
    )


def sample_length_mm(rng, config=FOOT):
    """A foot length in mm, mostly an adult's, else a child's, some anything: see `FootConfig`."""
    kind = rng.random()
    if kind < 1.0 - config.child_share - config.any_share:
        length = rng.normal(config.adult_mean_mm, config.adult_spread_mm)
    elif kind < 1.0 - config.any_share:
        length = rng.uniform(*config.child_mm)
    else:
        length = rng.uniform(*config.any_mm)
    return float(np.clip(length, config.child_mm[0], config.any_mm[1]))


def other_side(side):
    return SIDES[1 - SIDES.index(side)]


def check_side(side):
    if side not in SIDES:
        raise ValueError(f"side {side!r}: a leg is 'left' or 'right'")
