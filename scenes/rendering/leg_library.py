"""Real lower legs from a file of shapes: read, checked, blended into new ones and smoothed."""

from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from scipy import sparse

from scenes.rendering.foot import FOOT, LEG_TOP_MM, SIDES, check_side, mirrored, other_side, sample_length_mm
from scenes.rendering.foot_pose import RawLeg, nearest_toe, plain_length, posed, toe_shares

LENGTHS_MM = (80.0, 420.0)  # of feet in a file, before they are scaled: newborn to taller than anybody


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

    def sample(self, rng, side, config=FOOT):
        """A random `Leg` of `side` ("left" or "right"); half of them are the mirrored other side."""
        check_side(side)
        if rng.random() < 0.5:
            return mirrored(self._sides[other_side(side)].sample(rng, config))
        return self._sides[side].sample(rng, config)


class _LibrarySide:
    """The legs of one side: the file's arrays, the lengthened, smoothed faces, what moves with which toe."""

    # Rings of vertices between the open upper end and LEG_TOP_MM: about 35 mm apart, as coarse as the file's
    # own mesh.
    RINGS = 6

    # Edges shorter than this are not split: photos show a millimetre or two a pixel.
    FINEST_MM = 2.6

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
        mean, joints = self.vertices.mean(axis=0), self.joints.mean(axis=0)
        rest = self._lengthened(mean, joints)
        self.smoothing, self.faces = loop_subdivision(self._lengthened_faces(quads), 2, rest, self.FINEST_MM)
        self.lengths = np.array([plain_length(v) for v in self.vertices])
        self._check_lengths(path)
        self.nearest = self._nearest_vertices(mean, joints)
        smooth = self.smoothing @ rest
        toe_of = nearest_toe(smooth, [joints[chain[1:]] for chain in self.toes])
        self.toe_share = toe_shares(toe_of, self.faces)

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

    def _check_lengths(self, path):
        low, high = LENGTHS_MM
        odd = self.lengths[(self.lengths < low) | (self.lengths > high)]
        if len(odd):
            raise ValueError(f"{path}: array {self.side}_vertices_mm has a foot that is {odd[0]:.3g} long: millimetres "
                             f"are needed, z up from a sole at 0, and feet of {low:g} to {high:g} mm")

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
        top = max(1.04 * LEG_TOP_MM, rim[:, 2].max() + 30.0)  # leaning costs height
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

    def sample(self, rng, config):
        """A random leg of this side. Frames and ranges as `LegLibrary.sample`."""
        target = sample_length_mm(rng, config)
        # One shape for all: the same draw each time, for which no length is liked better.
        shape_rng, liked = (np.random.default_rng(0), 250.0) if config.shapes == 1 else (rng, target)
        vertices, joints = self._blend(shape_rng, liked)
        floor = np.array([0.0, 0.0, vertices[:, 2].min()])
        scale = target / plain_length(vertices - floor)
        vertices, joints = (vertices - floor) * scale, (joints - floor) * scale
        toes = np.array([[joints[chain[0]], joints[chain[1]], joints[chain[-1]]] for chain in self.toes])
        smooth = self.smoothing @ self._lengthened(vertices, joints)
        raw = RawLeg(smooth, self.faces, self.side, joints[self.joint["ankle"]], toes, self.toe_share)
        return posed(rng, raw, target, config, press_mm=0.008 * target * rng.uniform(0.5, 1.0))

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

def _evened(loop, rounds=6):
    """A closed loop of points (N, 3) without its bumps: each drawn again and again to its neighbours."""
    for _ in range(rounds):
        loop = 0.5 * loop + 0.25 * (np.roll(loop, 1, axis=0) + np.roll(loop, -1, axis=0))
    return loop


def loop_subdivision(faces, rounds, vertices=None, finest=0.0):
    """Loop's subdivision of a closed triangle mesh as a matrix, which depends on nothing but the arguments.

    faces (M, 3) int, every edge between exactly two faces. Returns a sparse (N', N) float64 matrix that maps
    the vertices (N, 3) to the smoothed ones (N', 3), and the faces (M', 3) int32 of those: M * 4 ** rounds, or
    fewer where ``vertices`` (N, 3) are given: then only edges longer than ``finest`` on these are split, so that
    what is fine already gets no finer. Rules: C. Loop, "Smooth Subdivision Surfaces Based on Triangles", 1987.
    Raises ValueError for a mesh that is not closed.
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
        split = np.ones(len(edges), bool)
        if vertices is not None:
            here = total @ vertices
            split = np.linalg.norm(here[edges[:, 0]] - here[edges[:, 1]], axis=1) > finest
        middle_of = np.where(split, count + np.cumsum(split) - 1, -1)[edge_of]
        rows = np.tile(middle_of, 3)
        columns = np.concatenate([starts, ends, opposite])
        weights = np.repeat([3 / 16, 3 / 16, 1 / 8], len(starts))
        new = rows >= 0
        middles = sparse.coo_matrix((weights[new], (rows[new] - count, columns[new])), shape=(split.sum(), count))
        total = (sparse.vstack([_loop_kept(edges, split, count), middles]) @ total).tocsr()
        faces = _split_faces(faces, middle_of.reshape(3, -1).T)
    return total, faces


def _loop_kept(edges, split, count):
    """The sparse (count, count) matrix that moves the old vertices; one without a split edge stays."""
    degree = np.maximum(np.bincount(edges.ravel(), minlength=count), 1)
    share = (5 / 8 - (3 / 8 + np.cos(2 * np.pi / degree) / 4) ** 2) / degree
    share = share * (np.bincount(edges[split].ravel(), minlength=count) > 0)
    both = np.vstack([edges, edges[:, ::-1]])
    around = sparse.coo_matrix((share[both[:, 0]], (both[:, 0], both[:, 1])), shape=(count, count))
    return around + sparse.diags(1 - degree * share)


def _split_faces(faces, middles):
    """Faces (M', 3) int32 of faces (M, 3) whose edges ab, bc, ca have the new vertices middles (M, 3), -1: none."""
    made = [faces[(middles < 0).all(1)]]
    for turn in range(3):
        # Turned so that the edges to split come first: ab alone, or ab and bc.
        a, b, c = np.roll(faces, -turn, axis=1).T
        ab, bc, ca = np.roll(middles, -turn, axis=1).T
        one, two = (ab >= 0) & (bc < 0) & (ca < 0), (ab >= 0) & (bc >= 0) & (ca < 0)
        made += [np.column_stack(corners)[one] for corners in ((a, ab, c), (ab, b, c))]
        made += [np.column_stack(corners)[two] for corners in ((ab, b, bc), (a, ab, bc), (a, bc, c))]
    a, b, c = faces.T
    ab, bc, ca = middles.T
    full = (middles >= 0).all(1)
    made += [np.column_stack(corners)[full] for corners in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))]
    return np.vstack(made).astype(np.int32)


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
