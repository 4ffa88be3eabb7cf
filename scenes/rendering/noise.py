"""Noise that repeats without a seam, made once a process and cut, turned and shifted for each use.

A texture of half a million texels cannot be filtered anew for every scene: a small bank of periodic fields is kept
instead, the same in every process, and each use takes one of them at a place of its own. Fields are white noise shaped
in the frequency domain (spectral synthesis: Peitgen and Saupe, The Science of Fractal Images, 1988, chapter 2).
"""

from functools import cache

import numpy as np

FIELD_PX = 768
VARIANTS = 4  # fields of each kind
_BANK_SEED = 5477  # of the bank alone: it belongs to the code, not to a scene

# Kind: (slope of the amplitude over frequency, stretch of y against x, lowest and highest frequency in cycles a field).
_KINDS = {
    "cloud": (1.7, 1.0, 1, 200),
    "patch": (1.2, 1.0, 2, 24),  # stains: no detail
    "fine": (0.0, 1.0, 60, 300),  # pile, sand: texels of a few neighbours
    "coarse": (0.3, 1.0, 20, 110),  # tufts, gravel
    "streak": (0.5, 14.0, 6, 330),  # fibres along y
    "warp": (1.9, 3.0, 1, 30),  # what bends the rings of wood
    "brush": (0.2, 5.0, 10, 160),  # blades, hairs
}


@cache
def field(kind, variant=0):
    """Periodic noise, float32 (768, 768), mean 0 and standard deviation 1; read-only, the same in every process.

    kind: "cloud", "patch", "fine", "coarse", "streak", "warp" or "brush"; variant: 0 to `VARIANTS` - 1.
    """
    slope, stretch, low, high = _KINDS[kind]
    rng = np.random.default_rng([_BANK_SEED, sorted(_KINDS).index(kind), variant])
    along = np.fft.fftfreq(FIELD_PX, 1 / FIELD_PX)[:, None]
    across = np.fft.rfftfreq(FIELD_PX, 1 / FIELD_PX)[None, :]
    frequency = np.hypot(across, along * stretch)
    shape = np.maximum(frequency, 1.0) ** -slope * np.exp(-(frequency / high) ** 4) * (frequency >= low)
    noise = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((FIELD_PX, FIELD_PX))) * shape, (FIELD_PX, FIELD_PX))
    noise = ((noise - noise.mean()) / noise.std()).astype(np.float32)
    noise.flags.writeable = False
    return noise


def drawn(rng, kind):
    """One field of a kind, shifted and mirrored at random: float32 (768, 768), still periodic."""
    noise = np.roll(field(kind, int(rng.integers(VARIANTS))), tuple(rng.integers(FIELD_PX, size=2)), (0, 1))
    down, right = (int(v) for v in rng.choice([-1, 1], 2))
    return noise[::down, ::right]


@cache
def wood(variant):
    """Grain of a board along y, periodic float32 (768, 768), about -1 (dark) to 1; read-only.

    Growth rings cut at a slant (a saw of the distance across, bent by slow noise: from straight grain to the arches
    of flat-sawn boards as the variant grows, 0 to 3), fibres, and short dark pores.
    """
    x = np.arange(FIELD_PX, dtype=np.float32) / FIELD_PX
    rings = x * (34, 22, 13, 9)[variant] + field("warp", variant) * (0.4, 0.9, 1.6, 2.4)[variant]
    saw = (rings - np.floor(rings)) ** 1.6
    fibres = field("streak", variant)
    pores = np.clip(field("streak", (variant + 1) % VARIANTS) - 1.3, 0, 1.5)
    grain = (0.45 - saw) * (0.55, 0.8, 1.0, 1.1)[variant] + 0.3 * fibres - 0.5 * pores
    grain = (grain - grain.mean()) / (2 * grain.std())
    grain.flags.writeable = False
    return grain
