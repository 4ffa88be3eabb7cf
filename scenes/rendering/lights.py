"""Lamps: windows, ceiling lamps that glossy floors mirror, sun with the shadow of who takes the photo, flash.

Powers are relative: exposure is set when the photo is taken. A lamp is planned by the irradiance that it gives the
middle of the sheet, so that the ratio of direct to surrounding light is what the configuration says. At most three
emitters light a scene, for each costs noise. Shadows and window bars in hard sunlight are a picture that the sun
projects: they cost no geometry, and nothing that casts them can ever be seen in the photo.
"""

from dataclasses import dataclass

import cv2
import mitsuba as mi
import numpy as np

from scenes.rendering.draws import log_uniform, weighted
from scenes.rendering.turns import plane_turn

SUN_DISTANCE_MM = 60000.0
SUN_HALF_MM = 4000.0  # what the projected picture covers, from the sheet's middle
SUN_PX = 512  # 16 mm a texel: the sun's half a degree blurs the shadow of a head as much
FARTHEST_LAMP_MM = 5000.0  # along the floor

# Relative RGB of light by its colour temperature (about Planck's, green = 1, made milder as eyes and phones adapt).
KELVINS = (2500, 3200, 4200, 5500, 7000, 10000)
TINTS = ((1.50, 1.0, 0.48), (1.30, 1.0, 0.62), (1.14, 1.0, 0.82), (1.0, 1.0, 1.0), (0.93, 1.0, 1.12),
         (0.84, 1.0, 1.30))


@dataclass(frozen=True)
class LightConfig:
    """What light is drawn from. Shares are of 1; ranges are (low, high), ratios drawn evenly in their logarithm."""

    kinds: tuple[tuple[str, float], ...] = (  # names of KINDS with their weights
        ("ceiling", 0.27), ("window", 0.22), ("window_and_lamp", 0.15), ("sun", 0.12), ("sun_patch", 0.08),
        ("flash", 0.08), ("soft", 0.08))
    key_to_ambient: tuple[float, float] = (0.5, 5.0)  # irradiance of lamp or window over that of the room
    sun_to_sky: tuple[float, float] = (1.5, 8.0)
    flash_to_ambient: tuple[float, float] = (0.6, 8.0)
    mirrored_share: float = 0.6  # of ceiling lamps hung where a glossy floor shows them in the photo
    ceiling_mm: tuple[float, float] = (1900.0, 2900.0)
    photographer_share: float = 0.6  # of suns that throw the photographer's shadow near the sheet
    dapple_share: float = 0.15  # of the other suns: through leaves
    blinds_share: float = 0.35  # of sunlit windows
    warm_kelvin: tuple[float, float] = (2500.0, 4300.0)
    cool_kelvin: tuple[float, float] = (4800.0, 9000.0)

    def __post_init__(self):
        unknown = [name for name, _ in self.kinds if name not in KINDS]
        if unknown or not self.kinds:
            raise ValueError(f"kinds of light {unknown}: one or more of {', '.join(KINDS)}")


def tint(kelvin):
    """Relative linear RGB (3,) of light of a colour temperature, mean 1."""
    colour = np.array([np.interp(kelvin, KELVINS, channel) for channel in zip(*TINTS, strict=True)])
    return colour / colour.mean()


def _rgb(value):
    return {"type": "rgb", "value": [float(v) for v in value]}


def _ambient(colour, irradiance=1.0):
    """Light from everywhere, as walls and ceiling throw it back."""
    return {"type": "constant", "radiance": _rgb(np.asarray(colour) * irradiance / np.pi)}


def _irradiance_per_radiance(quads):
    """Sum over quads (k, 4, 3) mm of area * cosines / distance^2: irradiance at the sheet's middle of radiance 1."""
    middle = quads.mean(1)
    normal = np.cross(quads[:, 1] - quads[:, 0], quads[:, 3] - quads[:, 0])
    area = np.linalg.norm(normal, axis=1)
    squared = (middle**2).sum(1)
    facing = np.maximum(-(normal * middle).sum(1) / area, 0)
    return float((area * facing * np.maximum(middle[:, 2], 0) / squared**2).sum())


def _shining(name, quads, colour, irradiance):
    """Quads (k, 4, 3) mm, their normals towards the room, as one emitter that gives the sheet's middle `irradiance`."""
    # A window beside a low sheet is seen at a slant: without a floor to the divisor it would outshine everything.
    radiance = np.asarray(colour) * irradiance / max(_irradiance_per_radiance(quads), 2e-3)
    properties = mi.Properties()
    properties["bsdf"] = mi.load_dict({"type": "diffuse", "reflectance": _rgb((0.5, 0.5, 0.5))})
    properties["emitter"] = mi.load_dict({"type": "area", "radiance": _rgb(radiance)})
    made = mi.Mesh(name, 4 * len(quads), 2 * len(quads), props=properties)
    parameters = mi.traverse(made)
    parameters["vertex_positions"] = np.ascontiguousarray(quads, np.float32).ravel()
    first = 4 * np.arange(len(quads), dtype=np.uint32)[:, None, None]
    parameters["faces"] = (first + np.array([[0, 1, 2], [0, 2, 3]], np.uint32)).ravel()
    parameters.update()
    made.set_id(name)
    return made


def _lamp_place(rng, layout, config, height):
    """x, y (2,) mm of a ceiling lamp: mirrored by the floor into the photo, or anywhere overhead."""
    camera = layout.camera
    if rng.random() < config.mirrored_share:
        pixel = rng.uniform(0.03, 0.97, 2) * (camera.width, camera.height)
        spot = camera.backproject(pixel[None])[0]
        eye = camera.position_mm
        # The mirror image of the lamp hangs as far below the floor as the lamp above it.
        place = eye[:2] + (spot - eye[:2]) * (eye[2] + height) / eye[2]
        if np.isfinite(place).all() and np.linalg.norm(place) < FARTHEST_LAMP_MM:
            return place
    bearing, distance = rng.uniform(0, 2 * np.pi), rng.uniform(0, 2600)
    return np.array([np.cos(bearing), np.sin(bearing)]) * distance


def _ceiling_quads(rng, layout, config):
    """One lamp or a few alike under the ceiling: panels, tubes or bulbs, (k, 4, 3) mm, facing down."""
    height = rng.uniform(*config.ceiling_mm)
    kind = rng.choice(["panel", "tube", "bulb"], p=[0.4, 0.25, 0.35])
    size = {"panel": (rng.uniform(300, 700), rng.uniform(300, 1200)), "tube": (rng.uniform(60, 160), 1200.0),
            "bulb": (rng.uniform(90, 330),) * 2}[kind]
    rows, columns = rng.choice([1, 1, 2, 3]), rng.choice([1, 1, 1, 2])
    step = rng.uniform(900, 2400, 2)
    x, y = np.meshgrid(np.arange(columns) * step[0], np.arange(rows) * step[1])
    chosen = int(rng.integers(rows * columns))
    places = np.stack([x.ravel() - x.flat[chosen], y.ravel() - y.flat[chosen]], 1)
    turn = rng.choice([0, np.pi / 2]) if rng.random() < 0.5 else rng.uniform(0, np.pi)
    # Clockwise seen from above: the normals point down.
    outline = np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]]) * np.array(size) / 2
    plane = (places[:, None] + outline) @ plane_turn(turn).T + _lamp_place(rng, layout, config, height)
    quads = np.concatenate([plane, np.full((*plane.shape[:2], 1), height)], -1)
    if kind == "bulb":  # round: two squares, one turned by 45 degrees, the second a little higher
        middle = quads.mean(1, keepdims=True)
        eighth = np.array([[1, -1, 0], [1, 1, 0], [0, 0, np.sqrt(2)]]) / np.sqrt(2)
        quads = np.concatenate([quads, (quads - middle) @ eighth.T + middle + (0, 0, 5)])
    return quads


def _pane_quads(rng, bearing, distance, sill, size, panes):
    """A window's panes (k, 4, 3) mm in a wall at ``bearing``, facing the sheet; ``panes`` = (columns, rows)."""
    bar = rng.uniform(30, 90)
    width, height = size
    x = np.linspace(-width / 2, width / 2, panes[0] + 1)
    z = np.linspace(sill, sill + height, panes[1] + 1)
    out, along = np.array([np.cos(bearing), np.sin(bearing)]), np.array([-np.sin(bearing), np.cos(bearing)])
    quads = []
    for left, right in zip(x[:-1] + bar / 2, x[1:] - bar / 2, strict=True):
        for low, high in zip(z[:-1] + bar / 2, z[1:] - bar / 2, strict=True):
            quads.append([(*(out * distance + along * a), b) for a, b in
                          ((right, low), (left, low), (left, high), (right, high))])
    return np.array(quads)


def _window_quads(rng, layout):
    """A window or a glass door somewhere around."""
    size = rng.uniform(500, 2000), rng.uniform(700, 1600)
    return _pane_quads(rng, rng.uniform(0, 2 * np.pi), rng.uniform(1000, 3000), rng.uniform(0, 1000), size,
                       (int(rng.integers(1, 4)), int(rng.integers(1, 3))))


def ceiling(rng, layout, config):
    """Ceiling lamps of one colour, seldom with a second one."""
    kelvin = rng.uniform(config.warm_kelvin[0], config.cool_kelvin[1] * 0.8)
    ratio = log_uniform(rng, config.key_to_ambient)
    found = {"ambient": _ambient(tint(kelvin)),
             "lamp": _shining("lamp", _ceiling_quads(rng, layout, config), tint(kelvin), ratio)}
    if rng.random() < 0.2:
        found["lamp2"] = _shining("lamp2", _ceiling_quads(rng, layout, config), tint(rng.uniform(*config.warm_kelvin)),
                                  ratio * rng.uniform(0.2, 1))
    return found


def window(rng, layout, config):
    """Daylight from one side."""
    kelvin = rng.uniform(*config.cool_kelvin)
    return {"ambient": _ambient(tint(kelvin * rng.uniform(0.75, 1.05))),
            "window": _shining("window", _window_quads(rng, layout), tint(kelvin),
                               log_uniform(rng, config.key_to_ambient))}


def window_and_lamp(rng, layout, config):
    """Cool daylight from the side and a warm lamp."""
    found = window(rng, layout, config)
    found["lamp"] = _shining("lamp", _ceiling_quads(rng, layout, config), tint(rng.uniform(*config.warm_kelvin)),
                             log_uniform(rng, config.key_to_ambient) * rng.uniform(0.3, 1))
    return found


def soft(rng, layout, config):
    """A bright overcast day or a well-lit hall: light from everywhere and a large soft source overhead."""
    kelvin = rng.uniform(3500, 8000)
    return {"ambient": _ambient(tint(kelvin)), "lamp": _overhead(rng.uniform(-1500, 1500, 2), 1000, tint(kelvin),
                                                                 rng.uniform(0.3, 1.5))}


def even(rng, layout, config):
    """Always the same: a soft lamp overhead in a bright room; what `PLAIN_LIGHT` is made of."""
    return {"ambient": _ambient((1, 1, 1)), "lamp": _overhead(np.array([400.0, 300.0]), 500, (1, 1, 1), 1.0)}


def _overhead(place, half_mm, colour, irradiance):
    outline = np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]]) * half_mm + place
    return _shining("lamp", np.column_stack([outline, np.full(4, 2500.0)])[None], colour, irradiance)


def flash(rng, layout, config):
    """The phone's own lamp, 1 to 3 cm beside its lens: hot in the middle, hardly a shadow."""
    camera = layout.camera
    place = camera.position_mm + camera.rotation.T @ (rng.uniform(-15, 15), rng.uniform(8, 25), 0.0)
    ratio = log_uniform(rng, config.flash_to_ambient)
    kelvin = rng.uniform(2700, 6500)
    return {"ambient": _ambient(tint(kelvin)),
            "flash": {"type": "point", "position": place.tolist(),
                      "intensity": _rgb(tint(5200) * ratio * (place @ place) * np.linalg.norm(place) / place[2])}}


def _sun_axes(direction):
    """Two unit vectors (2, 3) across the sun's ``direction`` (3,): the axes of what it projects."""
    right = np.cross(direction, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(direction, right)])


def _in_sun_px(points, direction):
    """World points (N, 3) mm -> texels (N, 2) of the sun's picture; with 4 fractional bits for OpenCV, int32."""
    flat = np.asarray(points) @ _sun_axes(direction).T
    return np.round(((flat / SUN_HALF_MM + 1) * SUN_PX / 2 - 0.5) * 16).astype(np.int32)


def _sun(direction, picture, colour, irradiance):
    """Parallel light (3,) downwards through ``picture``, float32 (512, 512), 1 where it passes, 0 where it does not.

    irradiance: on the floor.
    """
    origin = -direction * SUN_DISTANCE_MM
    frame = mi.ScalarTransform4f().look_at(origin=origin.tolist(), target=[0, 0, 0],
                                           up=(-_sun_axes(direction)[1]).tolist())
    slant = max(-direction[2], 0.15)
    # Mitsuba's projector gives pi times the irradiance that its picture names.
    scale = irradiance * SUN_DISTANCE_MM**2 / slant / np.pi
    light = np.ascontiguousarray(picture[..., None] * np.asarray(colour, np.float32))
    return {"type": "projector", "to_world": frame, "scale": float(scale),
            "fov": float(np.rad2deg(2 * np.arctan(SUN_HALF_MM / SUN_DISTANCE_MM))),
            "irradiance": {"type": "bitmap", "bitmap": mi.Bitmap(light), "raw": True, "wrap_mode": "clamp"}}


@dataclass(frozen=True, eq=False)
class Photographer:
    """Who holds the phone: head, shoulders, elbows, hips and hands (phone) as (3,) mm."""

    head: np.ndarray
    shoulders: np.ndarray
    elbows: np.ndarray
    hips: np.ndarray
    phone: np.ndarray


def sample_photographer(rng, layout):
    """A `Photographer` behind the camera, on the side of the photo's lower border."""
    camera = layout.camera
    eye = camera.position_mm
    down = camera.rotation[1, :2]  # the photo's downward direction over the floor
    back = down / max(np.linalg.norm(down), 1e-6)
    side = np.array([-back[1], back[0], 0.0])
    back = np.array([*back, 0.0])
    reach = rng.uniform(230, 480)
    head = eye + back * reach + (0, 0, rng.uniform(150, 480)) + side * rng.normal(0, 60)
    neck = head - (0, 0, 190) + back * 60
    wide = rng.uniform(160, 230)
    shoulders = np.stack([neck + side * wide, neck - side * wide]) - (0, 0, 60)
    hips = neck - (0, 0, rng.uniform(450, 600)) + back * rng.uniform(0, 250)
    elbows = (shoulders + eye) / 2 + np.stack([side, -side]) * 120 - (0, 0, rng.uniform(60, 200))
    return Photographer(head, shoulders, elbows, np.stack([hips + side * 130, hips - side * 130]), eye)


def _photographers_shade(direction, person, one_hand):
    """Where the sun is kept off by a `Photographer`, uint8 (512, 512), 255 for light."""
    picture = np.full((SUN_PX, SUN_PX), 255, np.uint8)
    texels = SUN_PX / (2 * SUN_HALF_MM)

    def limb(points, radius):
        cv2.polylines(picture, [_in_sun_px(points, direction)], False, 0, max(1, round(2 * radius * texels)),
                      cv2.LINE_AA, 4)

    def blob(point, radius):
        centre = _in_sun_px(point[None], direction)[0]
        cv2.circle(picture, tuple(int(v) for v in centre), round(radius * texels * 16), 0, -1, cv2.LINE_AA, 4)

    blob(person.head, 105)
    limb(np.stack([person.head, person.shoulders.mean(0)]), 60)
    torso = np.concatenate([person.shoulders, person.hips[::-1]])
    cv2.fillPoly(picture, [_in_sun_px(torso, direction)], 0, cv2.LINE_AA, 4)
    limb(torso[[0, 1, 2, 3, 0]], 70)
    for k in range(1 if one_hand else 2):
        limb(np.stack([person.shoulders[k], person.elbows[k], person.phone]), 40)
    blob(person.phone, 55)
    return picture


def _shadowing_direction(rng, layout, person):
    """The sun's direction (3,) that throws the shadow of head, shoulder or phone near the sheet, or None."""
    thrower = (person.head, person.shoulders[int(rng.integers(2))], person.phone)[rng.choice(3, p=[0.45, 0.35, 0.2])]
    target = np.array([*rng.normal(0, 0.45, 2) * (layout.sheet_format.short_mm, layout.sheet_format.long_mm), 0.0])
    way = target - thrower
    way /= np.linalg.norm(way)
    return way if -0.97 < way[2] < -0.25 else None


def _dapple(rng):
    """Light through leaves, uint8 (512, 512)."""
    leaves = cv2.resize(rng.standard_normal((64, 64)).astype(np.float32), (SUN_PX, SUN_PX),
                        interpolation=cv2.INTER_CUBIC)
    boughs = cv2.resize(rng.standard_normal((10, 10)).astype(np.float32), (SUN_PX, SUN_PX),
                        interpolation=cv2.INTER_CUBIC)
    return (np.clip(0.5 + 2.5 * (leaves * 0.7 + boughs + rng.uniform(-0.3, 0.6)), 0, 1) * 255).astype(np.uint8)


def sun(rng, layout, config):
    """Hard sun and a blue sky, often with the photographer's shadow across the sheet."""
    bearing, height = rng.uniform(0, 2 * np.pi), np.deg2rad(rng.uniform(20, 78))
    direction = -np.array([np.cos(bearing) * np.cos(height), np.sin(bearing) * np.cos(height), np.sin(height)])
    picture = None
    if rng.random() < config.photographer_share:
        person = sample_photographer(rng, layout)
        aimed = _shadowing_direction(rng, layout, person)
        direction = direction if aimed is None else aimed
        picture = _photographers_shade(direction, person, rng.random() < 0.5)
    elif rng.random() < config.dapple_share:
        picture = _dapple(rng)
    light = tint(rng.uniform(4000, 5800))
    sky = tint(rng.uniform(5500, 10000))
    ratio = log_uniform(rng, config.sun_to_sky)
    if picture is None:
        beam = {"type": "directional", "direction": direction.tolist(),
                "irradiance": _rgb(light * ratio / max(-direction[2], 0.15))}
    else:
        blurred = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.6)).astype(np.float32) / 255
        beam = _sun(direction, blurred, light, ratio)
    return {"ambient": _ambient(sky), "sun": beam}


def sun_patch(rng, layout, config):
    """Indoors: the sun's patch through a window, with its bars or the stripes of a blind, near or across the sheet."""
    bearing, height = rng.uniform(0, 2 * np.pi), np.deg2rad(rng.uniform(18, 60))
    direction = -np.array([np.cos(bearing) * np.cos(height), np.sin(bearing) * np.cos(height), np.sin(height)])
    size = np.array([rng.uniform(400, 1600), rng.uniform(500, 1500)])
    panes = (int(rng.integers(1, 4)), int(rng.integers(1, 3)))
    if rng.random() < config.blinds_share:
        panes = (1, int(size[1] / rng.uniform(50, 160)))
    quads = _pane_quads(rng, bearing + rng.normal(0, 0.4), 2500.0, 900.0, size, panes)
    target = np.array([*rng.normal(0, 260, 2), 0.0])
    along = quads.mean((0, 1))
    quads = quads - along + target - direction * rng.uniform(1500, 4000)
    picture = np.zeros((SUN_PX, SUN_PX), np.uint8)
    cv2.fillPoly(picture, [_in_sun_px(quad, direction) for quad in quads], 255, cv2.LINE_AA, 4)
    blurred = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.3)).astype(np.float32) / 255
    return {"ambient": _ambient(tint(rng.uniform(3200, 8000))),
            "sun": _sun(direction, blurred, tint(rng.uniform(3800, 5600)), log_uniform(rng, config.sun_to_sky))}


KINDS = {light.__name__: light for light in (ceiling, window, window_and_lamp, sun, sun_patch, flash, soft, even)}
PLAIN_LIGHT = LightConfig(kinds=(("even", 1.0),))


def lamps(rng, layout, config):
    """The lamps of a scene: {name: Mitsuba emitter or shining mesh}, an ambient light and one or two more.

    layout: `Layout` (its camera decides where a floor mirrors a lamp and where the photographer stands). config:
    `LightConfig`.
    """
    kind = weighted(rng, config.kinds)
    # As objects: of nested dictionaries Mitsuba orders the emitters by chance, and with them the noise.
    return {name: mi.load_dict(lamp) if isinstance(lamp, dict) else lamp
            for name, lamp in KINDS[kind](rng, layout, config).items()}
