"""One training sample made different: picture, mask, corners and visibility changed together.

The geometry (fit into the network input, turn, scale, shift, change of aspect, perspective) is one homography
and one warp, so that the photo is resampled once. What follows is added to the picture at the input's size:
print and clutter (`scenes.augment_clutter`), things that hide sheet and feet, which mask and visibility follow
(`scenes.augment_occluders`), then light, colour, lens, sensor and file (`scenes.augment_look`).

Corners come back in input pixels and in published order *of the input* (`scenes.sheet.order_corners`), which
need not be their order in the photo: a turn or a stretch changes which corner has the smallest x + y.
"""

from dataclasses import dataclass, fields, replace

import cv2
import numpy as np

from scenes.augment_clutter import add_clutter
from scenes.augment_look import change_look
from scenes.augment_occluders import covered, lay_over
from scenes.images import PADDING_GREY, InputSpec, fit_photo, input_to_photo
from scenes.labels import BACKGROUND, SHEET, flip_mask
from scenes.sheet import order_corners, transform

UNKNOWN = (-1.0, -1.0)  # the dataset's coordinates of a corner that cannot be told, with visibility 0
CORNER_MARGIN_PX = 2.0  # a corner that has to stay in the picture keeps this far from its border
SHARP_ENOUGH = 0.75  # below this scale a bilinear warp skips photo pixels: shrink by averaging first


@dataclass(frozen=True)
class AugmentConfig:
    """How much of what. `AugmentConfig()` is what training uses; a zero switches its part off.

    A `*_share` is the probability, 0..1, that a sample gets the change; the field beside it says how strong
    the change can be. Strengths are drawn uniformly up to the given one unless another law is named.
    """

    # Geometry. Lengths are shares of the input's width and height.
    flip_share: float = 0.5  # mirrored left-right, the sides of the feet swapped
    rotation_deg: float = 20.0  # turned by up to this either way, degrees, about the sheet's centre
    any_turn_share: float = 0.25  # turned by 0 to 360 degrees instead
    zoom_out: float = 0.30  # smallest scale is 1 - zoom_out ...
    zoom_in: float = 0.35  # ... and the largest 1 + zoom_in; log-uniform
    shift: float = 0.15  # moved by up to this along x and y
    aspect: float = 0.15  # x over y stretched by up to 1 + aspect or its inverse; log-uniform
    perspective: float = 0.12  # change of scale between the sheet's centre and a point half a diagonal away
    cut_off_share: float = 0.12  # corners may leave the picture; in all others those seen stay in it
    other_border_share: float = 0.5  # outside the photo: black, mirrored or smeared, not the padding grey

    # Things in the scene; these need the mask.
    print_share: float = 0.30  # lines of text, rules and boxes on the sheet
    clutter_share: float = 0.15  # patches on the background
    clutter_count: int = 3  # of these at most

    # Things that lie over or reach over the sheet; these need the mask or all four corners.
    occluder_share: float = 0.20
    occluder_count: int = 2  # of these at most
    occluder_corner_share: float = 0.5  # laid over a corner of the sheet on purpose
    occluder_hides: float = 0.33  # largest share of the sheet, and of either foot, that is hidden by them all

    # Light: stops are factors of two.
    light_share: float = 0.40
    light_stops: float = 0.8  # smooth light and dark over the picture
    shadow_share: float = 0.30
    shadow_depth: float = 0.65  # share of the light that a shadow takes at most
    vignette_share: float = 0.20
    vignette_depth: float = 0.45  # share of the light lost in the corners of the picture

    # Colour and tone.
    exposure_share: float = 0.60
    exposure_stops: float = 0.7  # brighter or darker
    contrast: float = 0.30  # slope of the tones about the middle: 1 - contrast to 1 + contrast
    gamma: float = 0.35  # exponent between 1 / (1 + gamma) and 1 + gamma; log-uniform
    white_balance_share: float = 0.50
    white_balance: float = 0.18  # gain of red and of blue against green: 1 - it to 1 + it
    saturation_share: float = 0.40
    saturation: float = 0.60  # factor 1 - it to 1 + it on the chroma
    hue_deg: float = 8.0  # turn of the chroma either way, degrees
    grey_share: float = 0.05  # no colour at all

    # Lens, sensor, file. Lengths in input pixels.
    blur_share: float = 0.20
    blur_sigma_px: float = 1.5
    motion_share: float = 0.12
    motion_px: float = 7.0  # length of the smear
    coarse_share: float = 0.12
    coarse_factor: float = 2.5  # made smaller by up to this factor and enlarged again
    noise_share: float = 0.35
    noise: float = 14.0  # standard deviation at mid-grey, of 255
    sharpen_share: float = 0.20
    sharpen: float = 1.2  # share of the difference from the blurred picture that is added
    jpeg_share: float = 0.40
    jpeg_worst: int = 25  # quality from this to 95


# Nothing but the fit into the input: what validation uses.
NONE = AugmentConfig(**{field.name: 0 for field in fields(AugmentConfig)})
# What the published work trained with: turned by up to 5 degrees, up to 10 % smaller, mirrored.
THESIS = replace(NONE, flip_share=0.5, rotation_deg=5.0, zoom_out=0.10)


@dataclass(frozen=True)
class Augmented:
    """A sample at network input size.

    image uint8 (h, w, 3) RGB; mask uint8 (h, w) class ids, or None; corners float64 (4, 2) input pixels,
    clockwise from the smallest x + y, (-1, -1) where unknown; visibility int (4,), 0 for a corner outside the
    input.
    """

    image: np.ndarray
    mask: np.ndarray | None
    corners: np.ndarray
    visibility: np.ndarray


def augment(image, mask, corners, visibility, spec: InputSpec, rng: np.random.Generator,
            config: AugmentConfig) -> Augmented:
    """Bring one photo with its truth to the network input, changed at random.

    image: uint8 (H, W, 3) RGB. mask: uint8 (H, W) class ids, or None. corners: (4, 2) photo pixels,
    clockwise; visibility: (4,) of 0, 1, 2; a corner with visibility 0 at (-1, -1) is unknown and stays so.
    The same state of `rng` gives the same sample. With `NONE` the image is `fit_photo(image, spec)` to the
    bit. Without a mask nothing is printed on the sheet or laid on the floor, and with neither a mask nor all four
    corners nothing lies over the sheet. What such a thing hides becomes background, a seen corner under it gets
    visibility 1. Outside the photo the mask is background. Raises ValueError for arrays of another shape or type.
    """
    corners, visibility = np.asarray(corners, np.float64), np.asarray(visibility, np.int64)
    _check(image, mask, corners, visibility)
    known = ~((visibility == 0) & (corners == UNKNOWN).all(axis=1))
    fit = np.linalg.inv(input_to_photo((image.shape[1], image.shape[0]), spec))
    photo_to_input = _draw_geometry(fit, image.shape, corners, visibility, known, spec, rng, config)
    truth = mask if mask is not None else _sheet_only(image.shape, corners, known)
    border = _draw_border(truth, photo_to_input, spec, rng, config)
    picture = fit_photo(image, spec) if photo_to_input is fit else _warp(image, photo_to_input, spec, border)
    classes = None if mask is None else _warp_mask(mask, photo_to_input, spec)

    moved = corners.copy()
    moved[known] = transform(photo_to_input, corners[known])
    picture = add_clutter(picture, classes, moved if known.all() else None, rng, config)
    # A share of 0 draws nothing from `rng`: the samples are those of a configuration without occluders.
    if config.occluder_share and truth is not None and rng.random() < config.occluder_share:
        told = classes if mask is not None else _warp_mask(truth, photo_to_input, spec)
        room = _room(image.shape, photo_to_input, spec, border)
        seen = known & _inside(moved, spec) & (visibility == 2)
        picture, hidden = lay_over(picture, told, room, moved, seen, rng, config)
        classes = None if mask is None else np.where(hidden, np.uint8(BACKGROUND), classes)
        visibility = np.where(seen & covered(moved, hidden), 1, visibility)
    picture = change_look(picture, rng, config)
    flipped = rng.random() < config.flip_share
    if flipped:
        picture = np.ascontiguousarray(picture[:, ::-1])
        classes = None if classes is None else np.ascontiguousarray(flip_mask(classes))
        moved[known, 0] = spec.width - 1 - moved[known, 0]
    inside = known & _inside(moved, spec)
    order = _published_order(moved, known, flipped)
    return Augmented(picture, classes, moved[order], np.where(inside, visibility, 0)[order])


def _check(image, mask, corners, visibility):
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"image is {image.dtype} {image.shape}; it must be uint8 RGB (H, W, 3)")
    if mask is not None and (mask.dtype != np.uint8 or mask.shape != image.shape[:2]):
        raise ValueError(f"mask is {mask.dtype} {mask.shape}; must be uint8 {image.shape[:2]} like the image")
    if corners.shape != (4, 2) or visibility.shape != (4,):
        raise ValueError(f"corners {corners.shape}, visibility {visibility.shape}; must be (4, 2) and (4,)")


def _inside(points, spec):
    """Which points (N, 2) lie on a pixel of the input: bool (N,)."""
    return ((points >= -0.5) & (points < np.array([spec.width, spec.height]) - 0.5)).all(axis=1)


def _published_order(corners, known, flipped):
    """Permutation (4,) into published order; unknown corners keep their place in the round of the four."""
    if known.all():
        return order_corners(corners)
    # The input order is clockwise and a homography keeps it so; a mirror turns it round.
    clockwise = np.array([0, 3, 2, 1]) if flipped else np.arange(4)
    if not known.any():
        return clockwise
    sums = np.where(known, corners.sum(axis=1), np.inf)[clockwise]
    return np.roll(clockwise, -int(np.argmin(sums)))


# Geometry


def _draw_geometry(fit, shape, corners, visibility, known, spec, rng, config):
    """The homography (3, 3) photo pixel -> input pixel of this sample; `fit` itself where nothing changes."""
    size = np.array([spec.width, spec.height], np.float64)
    angle = rng.uniform(-1, 1) * config.rotation_deg
    if rng.random() < config.any_turn_share:
        angle = rng.uniform(0, 360)
    scale = np.exp(rng.uniform(np.log(1 - config.zoom_out), np.log(1 + config.zoom_in)))
    aspect = np.exp(rng.uniform(-0.5, 0.5) * np.log(1 + config.aspect))
    lean = rng.uniform(-1, 1, 2) * config.perspective / (np.linalg.norm(size) / 2)
    shift = rng.uniform(-1, 1, 2) * config.shift * size
    may_cut = rng.random() < config.cut_off_share
    if angle == 0 and scale == 1 and aspect == 1 and not lean.any() and not shift.any():
        return fit

    # About the sheet's centre: turned in the photo, where pixels are square, then fitted, stretched, leaned.
    centre = corners[known].mean(axis=0) if known.any() else (np.array([shape[1], shape[0]]) - 1) / 2
    turn = np.deg2rad(angle)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    about = np.eye(3)
    about[:2, :2] = np.diag([scale * aspect, scale / aspect]) @ fit[:2, :2] @ rotation
    about = np.array([[1, 0, 0], [0, 1, 0], [*lean, 1]]) @ about @ _translation(-centre)

    target = transform(fit, centre[None])[0] + shift
    low, high = 0.1 * size, 0.9 * size
    stay = known & (visibility > 0)
    if stay.any() and not may_cut:
        offsets = transform(about, corners[stay])
        room = size - 1 - 2 * CORNER_MARGIN_PX
        shrink = min(1.0, *(room / np.maximum(np.ptp(offsets, axis=0), 1e-9)))
        about = np.diag([shrink, shrink, 1.0]) @ about
        low = CORNER_MARGIN_PX - shrink * offsets.min(axis=0)
        high = size - 1 - CORNER_MARGIN_PX - shrink * offsets.max(axis=0)
    return _translation(np.clip(target, low, high)) @ about


def _translation(by):
    return np.array([[1, 0, by[0]], [0, 1, by[1]], [0, 0, 1]], np.float64)


def _warp(image, photo_to_input, spec, border):
    """The photo at input size: uint8 (h, w, 3). border: keywords of cv2.warpPerspective."""
    small, small_to_photo = _shrunk(image, photo_to_input)
    return cv2.warpPerspective(small, photo_to_input @ small_to_photo, (spec.width, spec.height),
                               flags=cv2.INTER_LINEAR, **border)


def _warp_mask(mask, photo_to_input, spec, border_mode=cv2.BORDER_CONSTANT):
    """Class ids at input size: uint8 (h, w), the nearest; background outside the photo unless told."""
    return cv2.warpPerspective(mask, photo_to_input, (spec.width, spec.height), flags=cv2.INTER_NEAREST,
                               borderMode=border_mode, borderValue=BACKGROUND)


def _shrunk(image, photo_to_input):
    """The photo, averaged down to input resolution if it is finer, and (3, 3) its pixel -> photo pixel."""
    height, width = image.shape[:2]
    middle = np.array([[width / 2, height / 2], [width / 2 + 1, height / 2], [width / 2, height / 2 + 1]])
    origin, right, down = transform(photo_to_input, middle)
    # The larger of the two: averaging must not take away what the finer direction can show.
    scale = max(np.linalg.norm(right - origin), np.linalg.norm(down - origin))
    if scale >= SHARP_ENOUGH:
        return image, np.eye(3)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    x, y = width / size[0], height / size[1]
    to_photo = np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]])
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), to_photo


def _sheet_only(shape, corners, known):
    """What corners tell without a mask: uint8 (H, W), SHEET within the four; None where one is unknown."""
    if not known.all():
        return None
    mask = np.full(shape[:2], BACKGROUND, np.uint8)
    cv2.fillConvexPoly(mask, np.clip(np.round(corners), -30000, 30000).astype(np.int32), SHEET)
    return mask


def _draw_border(truth, photo_to_input, spec, rng, config):
    """What lies outside the photo, as keywords of cv2.warpPerspective.

    A mirrored or smeared photo must not show a second sheet or foot that the truth does not know: where it
    would, the border is the padding grey. truth: class ids (H, W), or None where nothing is known.
    """
    grey = {"borderMode": cv2.BORDER_CONSTANT, "borderValue": (PADDING_GREY,) * 3}
    other, kind = rng.random() < config.other_border_share, rng.integers(3)
    if not other:
        return grey
    if kind == 0:
        return {"borderMode": cv2.BORDER_CONSTANT, "borderValue": (0, 0, 0)}
    mode = cv2.BORDER_REFLECT_101 if kind == 1 else cv2.BORDER_REPLICATE
    if truth is None:
        return grey
    told, shown = (_warp_mask(truth, photo_to_input, spec, each) for each in (cv2.BORDER_CONSTANT, mode))
    return {"borderMode": mode} if np.array_equal(told, shown) else grey


def _room(shape, photo_to_input, spec, border):
    """Where things of the scene can be seen: bool (h, w), the photo; None for everywhere, where it is continued."""
    if border["borderMode"] != cv2.BORDER_CONSTANT:
        return None
    return _warp_mask(np.ones(shape[:2], np.uint8), photo_to_input, spec) > 0
