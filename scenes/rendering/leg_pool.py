"""A pool of procedural legs: made once, then scaled, bent and mirrored anew for every scene."""

from dataclasses import replace

import numpy as np

from scenes.rendering.foot import FOOT, check_side, mirrored, sample_length_mm
from scenes.rendering.foot_pose import posed
from scenes.rendering.procedural_leg import random_shape, raw_leg

STRETCH = (0.92, 1.09)  # how much shorter or longer than made a pooled leg is used: further, a child looks adult
POOL = 7001  # keeps the pool's random numbers apart from those of scenes of the same seed


class LegPool:
    """Procedural legs of one seed; the same interface as a `LegLibrary`.

    The shapes that `FootConfig.shapes` asks for are made when first drawn, about a quarter of a second each, and
    kept (1.5 MB each). Shape k depends on (seed, k, config) alone: neither workers nor order change it.
    """

    def __init__(self, seed):
        self.seed = seed
        self._made = {}

    def base(self, k, config=FOOT):
        """Shape k as (`RawLeg` of the left side, its length in mm)."""
        if (k, config) not in self._made:
            rng = np.random.default_rng([POOL, self.seed, k])
            shape, length = random_shape(rng), sample_length_mm(rng, config)
            shortest = length * STRETCH[0]
            if config.shapes == 1:
                length, shortest = config.adult_mean_mm, config.child_mm[0]
            self._made[k, config] = raw_leg(shape, length, shortest), length
        return self._made[k, config]

    def sample(self, rng, side, config=FOOT):
        """A random `Leg` of `side` ("left" or "right"), from one of the shapes."""
        check_side(side)
        raw, length = self.base(int(rng.integers(config.shapes)), config)
        if config.shapes == 1:
            target = sample_length_mm(rng, config)
        else:
            target = float(np.clip(length * rng.uniform(*STRETCH), config.child_mm[0], config.any_mm[1]))
            # Feet of one length differ in breadth and height as well.
            vary = np.array([rng.uniform(0.96, 1.04), 1.0, rng.uniform(0.96, 1.05)])
            raw = replace(raw, vertices=raw.vertices * vary, ankle=raw.ankle * vary, toe_joints=raw.toe_joints * vary)
        leg = posed(rng, raw, target, config, press_mm=0.002 * target)
        return leg if side == "left" else mirrored(leg)
