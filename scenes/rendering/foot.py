"""Feet with their lower legs as closed triangle meshes of known measures.

Two sources behind one type: `procedural_leg` is the project's own and needs nothing from outside,
`LegLibrary` blends and bends the real shapes of a file. `sample_leg` chooses between them.

The frame of every `Leg` is the foot's own: millimetres, right-handed, z up, the sole at z = 0. The y axis is
the foot's long axis (ISO 7250-1: from the heel's rearmost point to the tip of the second toe), toes at +y,
and the origin lies under the middle of the foot's length and breadth. A left foot has its big toe at +x, a
right foot at -x.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from scipy import sparse
from skimage.measure import marching_cubes

# Above this height over the sole the limb is leg and no longer foot. The malleoli of an adult lie about 65 to
# 85 mm high and a low shoe ends below them, so 80 mm is about where people say that the foot ends.
FOOT_HEIGHT_MM = 80.0

# Foot breadth is taken across the ball. Only what lies in front of this share of the foot's length counts,
# because a wide ankle or a leaning shank below 80 mm would otherwise set the breadth. The heads of the
# metatarsals lie at 0.62 to 0.75 of the length in adults and children, so the front half holds them with room
# to spare.
FOREFOOT_SHARE = 0.5

# Every leg ends at this height or higher, closed by a cap, so that no camera of ours looks into an open end.
LEG_TOP_MM = 500.0

SIDES = ("left", "right")


@dataclass(frozen=True)
class Leg:
    """A foot with its lower leg, up to at least 450 mm, and what a tape would read on it.

    vertices_mm (N, 3) float32, faces (M, 3) int32 counter-clockwise seen from outside; frame as in the
    module's docstring. `length_mm` and `width_mm` are foot length and foot breadth, see `measure_foot`.
    `heel_mm` is the heel's rearmost point, `toe_mm` the tip of the second toe, `ankle_mm` the centre of the
    ankle joint, each (3,).
    """

    vertices_mm: np.ndarray
    faces: np.ndarray
    side: str
    length_mm: float
    width_mm: float
    heel_mm: np.ndarray
    toe_mm: np.ndarray
    ankle_mm: np.ndarray


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


def mirrored(leg):
    """The same leg of the other side: x negated, faces turned round so that they still look outward."""
    flip = np.array([-1, 1, 1])
    return Leg(
        vertices_mm=leg.vertices_mm * flip.astype(np.float32),
        faces=np.ascontiguousarray(leg.faces[:, ::-1]),
        side=_other(leg.side),
        length_mm=leg.length_mm,
        width_mm=leg.width_mm,
        heel_mm=leg.heel_mm * flip,
        toe_mm=leg.toe_mm * flip,
        ankle_mm=leg.ankle_mm * flip,
    )


def sample_leg(rng, side, library=None):
    """A leg of the given side from the library where there is one, else a procedural one."""
    return procedural_leg(rng, side) if library is None else library.sample(rng, side)


def sample_length_mm(rng):
    """A foot length in mm, 155 to 316: three in four are adults', about one in five a child's, some anything.

    Adults: normal around 250 with 17, which covers the means of women (about 240) and men (about 265) in
    surveys of foot length; the stretch at both ends is there so that the networks meet every size, not
    because it is frequent.
    """
    kind = rng.random()
    if kind < 0.75:
        length = rng.normal(250.0, 17.0)
    elif kind < 0.94:
        length = rng.uniform(155.0, 225.0)
    else:
        length = rng.uniform(225.0, 316.0)
    return float(np.clip(length, 155.0, 316.0))


def _other(side):
    return SIDES[1 - SIDES.index(side)]


def _check_side(side):
    if side not in SIDES:
        raise ValueError(f"side {side!r}: a leg is 'left' or 'right'")


def _smoothstep(x):
    x = np.clip(x, 0.0, 1.0)
    return x * x * (3.0 - 2.0 * x)


def _turn(points, centre, axis, angle_rad):
    """points (N, 3) turned about the unit vector `axis` (3,) through `centre` (3,), by angles (N,)."""
    offset = points - centre
    cosine, sine = np.cos(angle_rad)[:, None], np.sin(angle_rad)[:, None]
    along = (offset @ axis)[:, None] * axis
    return centre + along + (offset - along) * cosine + np.cross(axis, offset) * sine


def _lean(vertices, ankle, rng, above_mm):
    """The shank turned about the ankle: -10 (back) to 25 degrees forward, mostly 4; up to 8 to either side.

    The angle grows from nothing at the ankle's height to its whole `above_mm` higher, so that the sole stays
    where it is and the skin at the joint bends instead of breaking.
    """
    forward, sideways = np.radians([rng.triangular(-10.0, 4.0, 25.0), rng.triangular(-8.0, 0.0, 8.0)])
    weight = _smoothstep((vertices[:, 2] - ankle[2] + 0.2 * above_mm) / (1.2 * above_mm))
    vertices = _turn(vertices, ankle, np.array([1.0, 0.0, 0.0]), -forward * weight)
    return _turn(vertices, ankle, np.array([0.0, 1.0, 0.0]), sideways * weight)


def _stand(vertices, press_mm):
    """vertices lowered onto the floor z = 0 and pressed flat by `press_mm`, as by the body's weight."""
    height = vertices[:, 2] - vertices[:, 2].min() - press_mm
    return np.column_stack([vertices[:, :2], np.maximum(height, 0.0)])


def _in_foot_frame(vertices, faces, side, ankle, second_toe):
    """The `Leg` of a mesh whose sole is at z = 0: measured, then turned and moved so that its axis is +y."""
    measure = measure_foot(vertices, second_toe)
    x, y = measure.axis
    turn = np.array([[y, -x, 0.0], [x, y, 0.0], [0.0, 0.0, 1.0]])
    points = vertices, measure.heel_mm, measure.toe_mm, ankle
    vertices, heel, toe, ankle = (each @ turn.T for each in points)
    foot = vertices[vertices[:, 2] < FOOT_HEIGHT_MM, :2]
    origin = np.array([*(foot.min(axis=0) + foot.max(axis=0)) / 2, 0.0])
    return Leg(
        vertices_mm=(vertices - origin).astype(np.float32),
        faces=np.ascontiguousarray(faces, dtype=np.int32),
        side=side,
        length_mm=measure.length_mm,
        width_mm=measure.width_mm,
        heel_mm=heel - origin,
        toe_mm=toe - origin,
        ankle_mm=ankle - origin,
    )


# ----------------------------------------------------------------------------------------------------------
# Real shapes
# ----------------------------------------------------------------------------------------------------------


class LegLibrary:
    """Real lower legs from an .npz file, blended, scaled, bent and smoothed into new ones.

    The file holds for `left` and `right` each: `SIDE_vertices_mm` (V, N, 3) float, V variants of one
    topology, frame as a `Leg`'s but not necessarily aligned with the axis; `SIDE_quads` (Q, 4) int, outward,
    with exactly one open boundary at the upper end; `SIDE_joints_mm` (V, J, 3) with `SIDE_joint_names` (J,),
    which must name `ankle`, `knee` and the toes' joints `toe-K-J` (K from 1, the big toe, to 5; J from 1 at
    the ball to the tip); and `SIDE_shape_offsets_mm` (S, N, 3), displacements to add with weights of 0 to 1,
    named in `shape_offset_names` (S,).

    Raises FileNotFoundError when there is no such file, ValueError naming file and array when it holds
    something else.
    """

    def __init__(self, path):
        self.path = Path(path)
        arrays = _read_arrays(self.path)
        self._sides = {side: _LibrarySide(self.path, arrays, side) for side in SIDES}

    def sample(self, rng, side):
        """A random `Leg` of `side` ("left" or "right"); half of them are the mirrored other side."""
        _check_side(side)
        if rng.random() < 0.5:
            return mirrored(self._sides[_other(side)].sample(rng))
        return self._sides[side].sample(rng)


class _LibrarySide:
    """The legs of one side: the file's arrays, the lengthened, smoothed faces, the second toe's vertices."""

    # Rings of vertices between the open upper end and LEG_TOP_MM: about 35 mm apart, as coarse as the file's
    # own mesh.
    RINGS = 6

    def __init__(self, path, arrays, side):
        self.side = side
        self.vertices = _array(path, arrays, f"{side}_vertices_mm", ("variants", "vertices", 3))
        quads = _array(path, arrays, f"{side}_quads", ("faces", 4))
        self.joints = _array(path, arrays, f"{side}_joints_mm", ("variants", "joints", 3))
        names = _array(path, arrays, f"{side}_joint_names", ("joints",))
        self.offsets = _array(path, arrays, f"{side}_shape_offsets_mm", ("offsets", "vertices", 3))
        self._check(path, quads, names)
        self.joint = {str(name): index for index, name in enumerate(names)}
        chains = ([name for name in sorted(self.joint) if name.startswith(f"toe-{k}-")] for k in range(1, 6))
        self.toes = [[self.joint[name] for name in chain] for chain in chains]
        self.boundary = _boundary_loop(path, side, quads)
        self.smoothing, self.faces = loop_subdivision(self._lengthened_faces(quads), rounds=2)
        mean, joints = self.vertices.mean(axis=0), self.joints.mean(axis=0)
        self.lengths = np.array([_plain_length(v) for v in self.vertices])
        self.nearest = self._nearest_vertices(mean, joints)
        smooth = self.smoothing @ self._lengthened(mean, joints)
        self.second_toe = np.flatnonzero(_toe_of(smooth, joints, self.toes) == 1)

    def _check(self, path, quads, names):
        variants, vertices = self.vertices.shape[:2]
        where = f"{path}: array {self.side}"
        if self.joints.shape[0] != variants or self.joints.shape[1] != len(names):
            raise ValueError(
                f"{where}_joints_mm is {self.joints.shape}: {variants} variants and {len(names)} names need"
                f" ({variants}, {len(names)}, 3)"
            )
        if self.offsets.shape[1] != vertices:
            raise ValueError(
                f"{where}_shape_offsets_mm is {self.offsets.shape}: wanted (offsets, {vertices}, 3)"
            )
        if quads.min() < 0 or quads.max() >= vertices:
            raise ValueError(f"{where}_quads names {quads.min()} or {quads.max()}: not in 0..{vertices - 1}")
        needed = ["ankle", "knee", *(f"toe-{k}-{j}" for k in range(1, 6) for j in (1, 2))]
        missing = sorted(set(needed) - {str(name) for name in names})
        if missing:
            raise ValueError(f"{where}_joint_names has no {', '.join(missing)}: the leg is bent at these")

    def _lengthened_faces(self, quads):
        """Triangles (M, 3) of the quads, of `RINGS` rings above the boundary, and of the cap on the last."""
        count, loop = self.vertices.shape[1], self.boundary
        size = len(loop)
        rings = np.vstack([loop, count + np.arange(self.RINGS * size).reshape(self.RINGS, size)])
        here, after = rings, np.roll(rings, -1, axis=1)
        wall = np.stack([after[:-1], here[:-1], here[1:], after[1:]], axis=-1).reshape(-1, 4)
        quads = np.vstack([quads, wall])
        cap = np.column_stack([after[-1], here[-1], np.full(size, count + self.RINGS * size)])
        return np.vstack([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]], cap])

    def _lengthened(self, vertices, joints):
        """vertices (N, 3) and those of rings and cap: the boundary carried on along the shank to the top."""
        shank = joints[self.joint["knee"]] - joints[self.joint["ankle"]]
        rim = vertices[self.boundary]
        top = max(LEG_TOP_MM, rim[:, 2].max() + 30.0)
        share = np.linspace(0.0, 1.0, self.RINGS + 1)[1:, None]
        rise = (top - rim[:, 2]) * share
        slope = shank / shank[2]
        outline = rim - rim[:, 2:] * slope
        bumps = outline - _evened(outline)
        rings = rim + rise[..., None] * slope - share[..., None] * bumps
        return np.vstack([vertices, rings.reshape(-1, 3), rings[-1].mean(axis=0)])

    @staticmethod
    def _nearest_vertices(vertices, joints):
        """(J, 12) indices of the vertices around each joint: a joint moves as the mean of these does."""
        distance = np.linalg.norm(vertices[None] - joints[:, None], axis=-1)
        return np.argsort(distance, axis=1)[:, :12]

    def sample(self, rng):
        """A random leg of this side. Frames and ranges as `LegLibrary.sample`."""
        target = sample_length_mm(rng)
        vertices, joints = self._blend(rng, target)
        vertices, joints = self._scaled(vertices, joints, target)
        vertices = self._bend_toes(rng, vertices, joints)
        ankle = joints[self.joint["ankle"]].copy()
        ends = np.vstack([vertices, joints])
        ends = _lean(ends, ankle, rng, above_mm=0.22 * target)
        vertices, joints = ends[: len(vertices)], ends[len(vertices) :]
        vertices = self.smoothing @ self._lengthened(vertices, joints)
        lowest = vertices[:, 2].min()
        press = 0.008 * target * rng.uniform(0.5, 1.0)
        ankle[2] -= lowest + press
        return _in_foot_frame(_stand(vertices, press), self.faces, self.side, ankle, self.second_toe)

    def _blend(self, rng, target_mm):
        """Vertices and joints of a convex blend of two or three variants, with shape offsets added.

        Variants as long as the wanted foot are preferred, so that a child's foot has a child's shape and no
        shape is scaled far. Offsets come in opposed pairs; their weights stay small because at full weight
        they are caricatures.
        """
        liking = np.exp(-(((self.lengths - target_mm) / 35.0) ** 2)) + 1e-3
        count = min(len(self.vertices), int(rng.integers(2, 4)))
        chosen = rng.choice(len(self.vertices), size=count, replace=False, p=liking / liking.sum())
        weights = rng.dirichlet(np.ones(count))
        vertices = np.tensordot(weights, self.vertices[chosen], axes=1)
        joints = np.tensordot(weights, self.joints[chosen], axes=1)
        strengths = rng.uniform(0.0, 0.3, len(self.offsets)) * (rng.random(len(self.offsets)) < 0.5)
        offset = np.tensordot(strengths, self.offsets, axes=1)
        return vertices + offset, joints + offset[self.nearest].mean(axis=1)

    @staticmethod
    def _scaled(vertices, joints, target_mm):
        floor = np.array([0.0, 0.0, vertices[:, 2].min()])
        scale = target_mm / _plain_length(vertices - floor)
        return (vertices - floor) * scale, (joints - floor) * scale

    def _bend_toes(self, rng, vertices, joints):
        """Each toe turned a little about its second joint: up or down, and to the side.

        The second joint and not the first, because the webs between the toes lie in front of the first:
        turning there would shear the skin of neighbours. Flexing moves the toes together with small
        differences.
        """
        toe = _toe_of(vertices, joints, self.toes)
        lift, fan = rng.normal(2.0, 4.0), rng.normal(0.0, 1.5)
        for number, chain in enumerate(self.toes):
            joint, tip = joints[chain[1]], joints[chain[-1]]
            reach = np.linalg.norm(tip - joint)
            forward = (tip - joint) / reach
            past = (vertices - joint) @ forward / reach
            weight = (toe == number) * _smoothstep((past + 0.1) / 0.6)
            up = np.radians(np.clip(lift + rng.normal(0.0, 2.0), -5.0, 12.0))
            outward = np.radians(np.clip(fan * (number - 1) + rng.normal(0.0, 1.2), -5.0, 5.0))
            vertices = _turn(vertices, joint, np.array([1.0, 0.0, 0.0]), up * weight)
            vertices = _turn(vertices, joint, np.array([0.0, 0.0, 1.0]), outward * weight)
        return vertices


def _evened(loop, rounds=6):
    """A closed loop of points (N, 3) without its bumps: each drawn again and again to its neighbours."""
    for _ in range(rounds):
        loop = 0.5 * loop + 0.25 * (np.roll(loop, 1, axis=0) + np.roll(loop, -1, axis=0))
    return loop


def _plain_length(vertices):
    """Extent along y below `FOOT_HEIGHT_MM`: near enough to the length to choose a scale."""
    return np.ptp(vertices[vertices[:, 2] < FOOT_HEIGHT_MM, 1])


def _toe_of(vertices, joints, toes):
    """(N,) the toe (0 = big toe ... 4) whose bone from second joint to tip is nearest to each vertex.

    Vertices behind the second joint of that toe get -1.
    """
    distances, ahead = [], []
    for chain in toes:
        start, end = joints[chain[1]], joints[chain[-1]]
        bone = end - start
        share = (vertices - start) @ bone / (bone @ bone)
        distances.append(np.linalg.norm(vertices - start - np.clip(share, 0.0, 1.0)[:, None] * bone, axis=1))
        ahead.append(share > -0.1)
    nearest = np.argmin(distances, axis=0)
    return np.where(np.take_along_axis(np.array(ahead), nearest[None], axis=0)[0], nearest, -1)


def loop_subdivision(faces, rounds):
    """Loop's subdivision of a closed triangle mesh as a matrix, which depends on nothing but the faces.

    faces (M, 3) int, every edge between exactly two faces. Returns a sparse (N', N) float64 matrix that maps
    the vertices (N, 3) to the smoothed ones (N', 3), and the faces (M * 4 ** rounds, 3) int32 of those.
    Rules: C. Loop, "Smooth Subdivision Surfaces Based on Triangles", 1987. Raises ValueError for a mesh that
    is not closed.
    """
    total = sparse.identity(int(faces.max()) + 1, format="csr")
    for _ in range(rounds):
        count = total.shape[0]
        starts = faces.T.ravel()
        ends, opposite = faces[:, [1, 2, 0]].T.ravel(), faces[:, [2, 0, 1]].T.ravel()
        pairs = np.sort(np.column_stack([starts, ends]), axis=1)
        edges, edge_of, uses = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
        edge_of = edge_of.ravel()
        if (uses != 2).any():
            raise ValueError(f"{(uses != 2).sum()} edges are not between two faces: the mesh must be closed")
        rows = np.concatenate([edge_of, edge_of, edge_of])
        columns = np.concatenate([starts, ends, opposite])
        weights = np.repeat([3 / 16, 3 / 16, 1 / 8], len(starts))
        middles = sparse.coo_matrix((weights, (rows, columns)), shape=(len(edges), count))
        degree = np.maximum(np.bincount(edges.ravel(), minlength=count), 1)
        share = (5 / 8 - (3 / 8 + np.cos(2 * np.pi / degree) / 4) ** 2) / degree
        both = np.vstack([edges, edges[:, ::-1]])
        around = sparse.coo_matrix((share[both[:, 0]], (both[:, 0], both[:, 1])), shape=(count, count))
        kept = around + sparse.diags(1 - degree * share)
        total = (sparse.vstack([kept, middles]) @ total).tocsr()
        a, b, c = faces.T
        ab, bc, ca = count + edge_of.reshape(3, -1)
        corners = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
        faces = np.vstack([np.column_stack(corner) for corner in corners]).astype(np.int32)
    return total, faces


def _read_arrays(path):
    """All arrays of an .npz file by name; FileNotFoundError, or ValueError when it is no such archive."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise
    except (ValueError, TypeError, EOFError, OSError, BadZipFile) as error:
        # TypeError: a single array (.npy) cannot be opened as an archive.
        raise ValueError(f"{path}: not a readable .npz archive of legs ({error})") from error


def _array(path, arrays, name, shape):
    """The array of that name, checked against `shape` (a word: any size above 0); floats as float64."""
    if name not in arrays:
        raise ValueError(f"{path}: no array {name!r}; a file of legs needs it, with shape {shape}")
    array = arrays[name]
    fits = array.ndim == len(shape) and all(
        size == wanted if isinstance(wanted, int) else size > 0 for size, wanted in zip(array.shape, shape, strict=True)
    )
    if not fits:
        raise ValueError(f"{path}: array {name!r} has shape {array.shape}, wanted {shape}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{path}: array {name!r} holds NaN or infinity; every coordinate must be a number")
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def _boundary_loop(path, side, quads):
    """The vertices of the one open boundary in the order in which the faces run along it."""
    start, end = quads.ravel(), np.roll(quads, -1, axis=1).ravel()
    edges = set(zip(start.tolist(), end.tolist(), strict=True))
    following = {a: b for a, b in edges if (b, a) not in edges}
    if not following:
        raise ValueError(f"{path}: {side}_quads has no open boundary; the leg must be open at its upper end")
    loop = [min(following)]
    while len(loop) <= len(following) and following.get(loop[-1]) not in (loop[0], None):
        loop.append(following[loop[-1]])
    if len(loop) != len(following):
        raise ValueError(
            f"{path}: {side}_quads has {len(following)} open edges that make more than one loop;"
            " a leg has one open end, above"
        )
    return np.array(loop)


# ----------------------------------------------------------------------------------------------------------
# The project's own shape
# ----------------------------------------------------------------------------------------------------------


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


def procedural_leg(rng, side):
    """A random leg of the project's own: rounded cones melted into one surface and polygonised.

    Modelled as a left foot of length 1 with the heel at y = 0, then scaled; a right one is its mirror image.
    Raises ValueError for a side other than "left" and "right".
    """
    _check_side(side)
    shape, target = random_shape(rng), sample_length_mm(rng)
    toes = _toe_cones(shape)
    axes = _grid(top=1.05 * LEG_TOP_MM / target)
    vertices, faces = _polygonised(_leg_field(shape, toes, axes), axes)
    scale = target / np.ptp(vertices[vertices[:, 2] < FOOT_HEIGHT_MM / target, 1])
    second_toe = _nearest_toe(vertices, toes) == 1
    ankle = ANKLE * scale
    vertices = _lean(vertices * scale, ankle, rng, above_mm=0.22 * target)
    leg = _in_foot_frame(_stand(vertices, press_mm=0.0), faces, "left", ankle, second_toe)
    return leg if side == "left" else mirrored(leg)


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


def _nearest_toe(vertices, toes):
    """(N,) the toe (0 = big toe ... 4) whose last cone is nearest; -1 behind its start."""
    distances, ahead = [], []
    for chain in toes:
        start, end, start_radius, end_radius, _ = chain[-1]
        bone = np.subtract(end, start)
        share = (vertices - start) @ bone / (bone @ bone)
        clipped = np.clip(share, 0.0, 1.0)
        reach = np.linalg.norm(vertices - start - clipped[:, None] * bone, axis=1)
        distances.append(reach - start_radius - clipped * (end_radius - start_radius))
        ahead.append(share > 0.0)
    nearest = np.argmin(distances, axis=0)
    return np.where(np.take_along_axis(np.array(ahead), nearest[None], axis=0)[0], nearest, -1)
