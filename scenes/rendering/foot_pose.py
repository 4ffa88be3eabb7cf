"""From a leg at rest to a `Leg`: scaled, its toes bent at their joints, its arch set, leaned, stood on the floor.

Both sources of legs hand over a `RawLeg`; what happens here is the same for both. Everything before the measuring
is part of the shape, so the measures of the `Leg` are those of the mesh that is rendered.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse

from scenes.rendering.foot import FOOT_HEIGHT_MM, LEG_TOP_MM, Leg, arch_height, instep_height, measure_foot

UP_AXIS = np.array([1.0, 0.0, 0.0])  # a turn about it lifts what lies ahead
SIDE_AXIS = np.array([0.0, 0.0, 1.0])
TOP_MM = 1.1 * LEG_TOP_MM  # what a leg scaled up has above that is squashed: cameras hang there


@dataclass(frozen=True)
class RawLeg:
    """A leg before it is posed; toes at +y, not necessarily aligned with the axis, big toe of a left foot at +x.

    vertices (N, 3) float64 in mm, of about a foot's natural size, faces (M, 3) int32 outward, closed. ankle (3,).
    toe_joints (5, 3, 3): of each toe from the big one the joint near the web, the one in the middle, the tip.
    toe_share (N, 5): how far a vertex moves with each toe, 0..1, smooth over the webs.
    """

    vertices: np.ndarray
    faces: np.ndarray
    side: str
    ankle: np.ndarray
    toe_joints: np.ndarray
    toe_share: np.ndarray


def smoothstep(x):
    """0 below 0, 1 above 1, 3x^2 - 2x^3 between."""
    x = np.clip(x, 0.0, 1.0)
    return x * x * (3.0 - 2.0 * x)


def turned(points, centre, axis, angle_rad):
    """points (N, 3) turned about the unit vector `axis` (3,) through `centre` (3,), by angles (N,)."""
    offset = points - centre
    cosine, sine = np.cos(angle_rad)[:, None], np.sin(angle_rad)[:, None]
    along = (offset @ axis)[:, None] * axis
    return centre + along + (offset - along) * cosine + np.cross(axis, offset) * sine


def plain_length(vertices):
    """Extent along y below `FOOT_HEIGHT_MM`: near enough to the length to choose a scale."""
    return np.ptp(vertices[vertices[:, 2] < FOOT_HEIGHT_MM, 1])


def nearest_toe(vertices, chains):
    """(N,) the toe (0 = big toe ... 4) whose bone is nearest to each vertex; -1 behind the start of that bone.

    chains: five sequences of points from the web to the tip; the bone runs from the first to the last.
    """
    distances, ahead = [], []
    for chain in chains:
        start, end = np.asarray(chain[0]), np.asarray(chain[-1])
        bone = end - start
        share = (vertices - start) @ bone / (bone @ bone)
        distances.append(np.linalg.norm(vertices - start - np.clip(share, 0.0, 1.0)[:, None] * bone, axis=1))
        ahead.append(share > -0.1)
    nearest = np.argmin(distances, axis=0)
    return np.where(np.take_along_axis(np.array(ahead), nearest[None], axis=0)[0], nearest, -1)


def toe_shares(toe_of, faces, rounds=4):
    """(N, 5) float64: which toe a vertex belongs to, softened along the mesh.

    toe_of (N,) as of `nearest_toe`. Softening goes from vertex to vertex, so it blends across the web that joins
    two toes but not across the gap between them.
    """
    share = (toe_of[:, None] == np.arange(5)).astype(np.float64)
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    link = sparse.coo_matrix((np.ones(len(edges)), edges.T), (len(toe_of),) * 2).tocsr()
    link = ((link + link.T) > 0).astype(np.float64)
    mean = sparse.diags(1 / np.maximum(np.asarray(link.sum(1)).ravel(), 1)) @ link
    for _ in range(rounds):
        share = 0.5 * share + 0.5 * (mean @ share)
    return share


def _posture(rng, config, outward):
    """Degrees of the toes: up at the root, up in the middle, about z at the root, each (5,)."""
    number = np.arange(5)
    root = rng.normal(0.5, 0.5) * config.toe_lift_deg + rng.normal(0.0, 0.5, 5) * config.toe_lift_deg
    middle = rng.normal(0.0, 0.5, 5) * config.toe_lift_deg
    fan = rng.normal(0.0, config.toe_fan_deg) * (number - 1) + rng.normal(0.0, 0.7, 5) * config.toe_fan_deg
    root, middle, fan = np.clip(root, -5, 12), np.clip(middle, -6, 8), np.clip(fan, -4, 5)
    kind, strength = rng.random(), rng.uniform(0.35, 1.0)
    shares = np.cumsum([config.clawed_share, config.lifted_share, config.lifted_big_toe_share, config.spread_share])
    if kind < shares[0]:
        root = root + strength * np.array([10.0, 30.0, 32.0, 32.0, 28.0])
        middle = middle - strength * np.array([22.0, 55.0, 58.0, 56.0, 48.0])
    elif kind < shares[1]:
        root = root + strength * 30.0
    elif kind < shares[2]:
        root = root + strength * np.array([38.0, 6.0, 2.0, 0.0, 0.0])
    elif kind < shares[3]:
        fan = fan + strength * np.array([-7.0, -1.0, 3.5, 8.0, 13.0])
    return root, middle, fan * outward


def _bent_toes(rng, vertices, joints, share, config, outward):
    """Vertices and joints (5, 3, 3) with every toe bent at its middle, then at its root; nothing under the sole."""
    root, middle, fan = _posture(rng, config, outward)
    length = plain_length(vertices)
    if rng.random() < config.hallux_valgus_share:
        turn = rng.uniform(*config.hallux_valgus_deg)
        # The neighbours give way, less and less; the second is lifted a little by the toe that presses against it.
        fan = fan + outward * turn * np.array([1.0, 0.5, 0.28, 0.12, 0.0])
        root[1] += 0.25 * turn
        head = joints[0, 0] + [outward * 0.055 * length, -0.02 * length, 0.0]
        near = np.exp(-(((vertices - head) / (0.05 * length)) ** 2).sum(1))
        vertices = vertices + near[:, None] * [outward * 0.001 * turn * length * 0.6, 0.0, 0.0]
    floor = vertices[:, 2].min()
    bent, moved = vertices.copy(), joints.copy()
    for k in range(5):
        base, mid, tip = joints[k]
        mine = np.flatnonzero(share[:, k] > 1e-3)
        toe, own = bent[mine], share[mine, k]
        past_mid = (vertices[mine] - mid) @ (tip - mid) / ((tip - mid) @ (tip - mid))
        past_base = (vertices[mine] - base) @ (mid - base) / ((mid - base) @ (mid - base))
        at_mid = own * smoothstep((past_mid + 0.3) / 0.6)
        at_base = own * smoothstep((past_base + 0.3) / 0.9)
        for axis, centre, degrees, weight in ((UP_AXIS, mid, middle[k], at_mid), (UP_AXIS, base, root[k], at_base),
                                              (SIDE_AXIS, base, fan[k], at_base)):  # fmt: skip
            toe = turned(toe, centre, axis, np.radians(degrees) * weight)
            reach = np.array([0.0, centre is base, 1.0])
            moved[k] = turned(moved[k], centre, axis, np.radians(degrees) * reach)
        sunk = floor - toe[own > 0.5, 2].min(initial=floor)
        bent[mine] = toe + np.outer(sunk * at_base, SIDE_AXIS)
        moved[k, 1:] += sunk * SIDE_AXIS
    return bent, moved


def _arched(rng, vertices, length, config, inward):
    """Vertices whose inner sole is raised or lowered around 0.42 of the length: an arch higher or flatter."""
    kind = rng.random()
    rise = rng.normal(0.0, config.arch_spread_mm)
    change = rng.uniform(4.0, 10.0)
    if kind < config.flat_share:
        rise -= change
    elif kind < config.flat_share + config.high_share:
        rise += 0.8 * change
    along = (vertices[:, 1] - vertices[:, 1].min()) / length
    inner = smoothstep((inward * (vertices[:, 0] - vertices[:, 0].mean()) / length + 0.05) / 0.15)
    low = np.clip(1.0 - (vertices[:, 2] - vertices[:, 2].min()) / (0.2 * length), 0.0, 1.0)
    weight = np.exp(-(((along - 0.42) / 0.13) ** 2)) * inner * low
    raised = vertices[:, 2] + rise * weight * length / 250.0
    raised = np.maximum(raised, vertices[:, 2].min())  # a flat foot lies on the floor, not under it
    return np.column_stack([vertices[:, :2], raised])


def _tendons(rng, vertices, joints, ankle, length, config):
    """Vertices of the instep raised along lines from the ankle's front to the toes."""
    seen, height = rng.random() < config.tendons_share, rng.uniform(*config.tendon_mm)
    single = rng.uniform(0.2, 1.0, 5)
    if not seen:
        return vertices
    start = ankle[:2] + [0.0, 0.16 * length]
    low = vertices[:, 2].min()
    top = smoothstep((vertices[:, 2] - low - 0.08 * length) / (0.05 * length))
    rise = np.zeros(len(vertices))
    for k in range(5):
        way = joints[k, 0, :2] - start
        along = (vertices[:, :2] - start) @ way / (way @ way)
        beside = (vertices[:, :2] - start) @ [way[1], -way[0]] / np.linalg.norm(way)
        ends = smoothstep((along - 0.15) / 0.3) * smoothstep((1.05 - along) / 0.3)
        rise = np.maximum(rise, single[k] * ends * np.exp(-((beside / (0.014 * length)) ** 2)))
    return vertices + np.outer(rise * top * height * length / 250.0, SIDE_AXIS)


def _leaned(rng, vertices, ankle, length, config):
    """The shank turned about the ankle, forward as `config` says, mostly 4 degrees, and up to 8 to either side.

    The angle grows from nothing at the ankle's height to its whole further up, so that the sole stays
    where it is and the skin at the joint bends instead of breaking.
    """
    back, forth = config.lean_deg
    forward = np.radians(rng.triangular(back, np.clip(4.0, back, forth), forth))
    sideways = np.radians(rng.triangular(-8.0, 0.0, 8.0))
    above = 0.22 * length
    weight = smoothstep((vertices[:, 2] - ankle[2] + 0.2 * above) / (1.2 * above))
    vertices = turned(vertices, ankle, UP_AXIS, -forward * weight)
    return turned(vertices, ankle, np.array([0.0, 1.0, 0.0]), sideways * weight)


def posed(rng, raw, target_mm, config, press_mm=0.0):
    """The `Leg` of a `RawLeg`: about `target_mm` long, bent, leaned, pressed flat by `press_mm`, and measured."""
    lowest = np.array([0.0, 0.0, raw.vertices[:, 2].min()])
    scale = target_mm / plain_length(raw.vertices - lowest)
    vertices, joints, ankle = ((each - lowest) * scale for each in (raw.vertices, raw.toe_joints, raw.ankle))
    vertices[:, 2] = np.minimum(vertices[:, 2], TOP_MM)
    outward = 1.0 if raw.side == "left" else -1.0  # the turn about z that leads away from the body's middle
    vertices, joints = _bent_toes(rng, vertices, joints, raw.toe_share, config, outward)
    vertices = _arched(rng, vertices, target_mm, config, outward)
    vertices = _tendons(rng, vertices, joints, ankle, target_mm, config)
    vertices = _leaned(rng, vertices, ankle, target_mm, config)
    # Onto the floor, and pressed flat as by the body's weight.
    drop = np.array([0.0, 0.0, vertices[:, 2].min() + press_mm])
    vertices, joints, ankle = vertices - drop, joints - drop, ankle - drop
    vertices[:, 2] = np.maximum(vertices[:, 2], 0.0)
    return _in_foot_frame(raw, vertices, joints, ankle)


def _in_foot_frame(raw, vertices, joints, ankle):
    """The `Leg` of a mesh whose sole is at z = 0: measured, then turned and moved so that its axis is +y."""
    toe_of = np.where(raw.toe_share.max(1) > 0.5, raw.toe_share.argmax(1), -1).astype(np.int8)
    measure = measure_foot(vertices, toe_of == 1)
    x, y = measure.axis
    turn = np.array([[y, -x, 0.0], [x, y, 0.0], [0.0, 0.0, 1.0]])
    points = vertices, measure.heel_mm, measure.toe_mm, ankle, joints
    vertices, heel, toe, ankle, joints = (each @ turn.T for each in points)
    foot = vertices[vertices[:, 2] < FOOT_HEIGHT_MM, :2]
    origin = np.array([*(foot.min(axis=0) + foot.max(axis=0)) / 2, 0.0])
    vertices = (vertices - origin).astype(np.float32)
    return Leg(
        vertices_mm=vertices,
        faces=np.ascontiguousarray(raw.faces, dtype=np.int32),
        side=raw.side,
        length_mm=measure.length_mm,
        width_mm=measure.width_mm,
        instep_mm=instep_height(vertices, raw.faces, measure.length_mm),
        arch_mm=arch_height(vertices, raw.faces, raw.side, measure.length_mm),
        heel_mm=heel - origin,
        toe_mm=toe - origin,
        ankle_mm=ankle - origin,
        toe_joints_mm=joints - origin,
        toe_of=toe_of,
    )
