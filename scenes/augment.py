"""One training sample made different: picture, mask, corners and visibility changed together.

The geometry (fit into the network input, turn, scale, shift, change of aspect, perspective) is one homography
and one warp, so that the photo is resampled once. What follows changes the look only and leaves the truth as
it is: print on the sheet, things lying on the floor, light, colour, lens, sensor, JPEG.

Corners come back in input pixels and in published order *of the input* (`scenes.sheet.order_corners`), which
need not be their order in the photo: a turn or a stretch changes which corner has the smallest x + y.
"""

from dataclasses import dataclass, fields, replace

import cv2
import numpy as np

from scenes.images import PADDING_GREY, InputSpec, fit_photo, input_to_photo
from scenes.labels import BACKGROUND, SHEET, flip_mask
from scenes.sheet import homography, order_corners, transform

UNKNOWN = (-1.0, -1.0)  # the dataset's coordinates of a corner that cannot be told, with visibility 0
CORNER_MARGIN_PX = 2.0  # a corner that has to stay in the picture keeps this far from its border
SHARP_ENOUGH = 0.75  # below this scale a bilinear warp skips photo pixels: shrink by averaging first
LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, the luma of JPEG


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
    bit. Without a mask nothing is printed on the sheet or laid on the floor. Outside the photo the mask is
    background. Raises ValueError for arrays of another shape or type.
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
    picture = _change_look(picture, classes, moved if known.all() else None, rng, config)
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


# Look


def _change_look(picture, classes, corners, rng, config):
    """Scene, light, colour, lens, sensor and file, in the order in which light meets them.

    picture: uint8 (h, w, 3); classes: (h, w) or None; corners: (4, 2) input pixels, None where not all are
    known. Returns uint8 (h, w, 3).
    """
    def wanted(share):
        return rng.random() < share

    if classes is not None and corners is not None and wanted(config.print_share):
        picture = _print_on_sheet(picture, classes, corners, rng)
    if classes is not None and wanted(config.clutter_share):
        picture = _lay_on_background(picture, classes, rng, config.clutter_count)
    picture = _light(picture, rng, config)
    picture = _colour(picture, rng, config)
    if wanted(config.exposure_share):
        picture = _tone(picture, rng, config)
    if wanted(config.blur_share):
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, max(config.blur_sigma_px, 0.3)))
    if wanted(config.motion_share):
        picture = _smear(picture, rng, config.motion_px)
    if wanted(config.coarse_share):
        picture = _coarsen(picture, rng, config.coarse_factor)
    if wanted(config.noise_share):
        picture = _noise(picture, rng, config.noise)
    if wanted(config.sharpen_share):
        blurred = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.6, 1.5))
        amount = rng.uniform(0, config.sharpen)
        picture = cv2.addWeighted(picture, 1 + amount, blurred, -amount, 0)
    if wanted(config.jpeg_share):
        picture = _compress(picture, int(rng.integers(config.jpeg_worst, 96)))
    return picture


def _blend(picture, colour, alpha):
    """picture uint8 (h, w, 3) with colour (3,) or (h, w, 3), 0..255, laid over it by alpha (h, w) in 0..1."""
    alpha = alpha[..., None].astype(np.float32)
    return (picture + alpha * (np.asarray(colour, np.float32) - picture) + 0.5).astype(np.uint8)


def _where(classes, wanted):
    """float32 (h, w), 1 where the class is the wanted one, softer at its outline, 0 elsewhere."""
    return cv2.blur((classes == wanted).astype(np.float32), (3, 3)) * (classes == wanted)


def _print_on_sheet(picture, classes, corners, rng):
    """Dark strokes in the sheet's frame, so that a network learns that print is no hole in the sheet."""
    sides = np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1)
    if not 8 <= sides.min() <= sides.max() <= 4 * max(picture.shape):
        return picture  # too small to print on, or so near that strokes would be bars
    # About two page pixels to one of the picture, and any side of the sheet may be the page's top.
    turns = int(rng.integers(4))
    page_corners = np.roll(corners, -turns, axis=0)
    width, height = (int(np.clip(2 * length, 16, 640)) for length in np.roll(sides, -turns)[:2])
    page = _page(width, height, rng)
    frame = np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], np.float64)
    try:
        page_to_picture = homography(frame, page_corners)
    except ValueError:  # seen from the edge: nothing to print on
        return picture
    strokes = cv2.warpPerspective(page, page_to_picture, picture.shape[1::-1], flags=cv2.INTER_LINEAR)
    ink = rng.uniform(0, 90) + rng.uniform(0, 70, 3) * (rng.random() < 0.4)
    return _blend(picture, ink, strokes * _where(classes, SHEET) * rng.uniform(0.35, 1.0) / 255)


def _page(width, height, rng):
    """A printed or written page: uint8 (height, width), 255 where there is ink."""
    page = np.zeros((height, width), np.uint8)
    for _ in range(rng.integers(1, 4)):
        left, right = np.sort(rng.uniform(0.03, 0.97, 2)) * width
        above, below = np.sort(rng.uniform(0.03, 0.97, 2)) * height
        kind = rng.random()
        if kind < 0.65:
            _paragraph(page, (left, above, right, below), rng)
        elif kind < 0.85:
            for y in np.arange(above, below, rng.uniform(8, 30)):
                cv2.line(page, (int(left), int(y)), (int(right), int(y)), 255, int(rng.integers(1, 3)))
        else:
            filled = rng.random() < 0.3
            cv2.rectangle(page, (int(left), int(above)), (int(right), int(below)), 255,
                          -1 if filled else int(rng.integers(1, 4)))
    return page


def _paragraph(page, box, rng):
    """Words as zigzag strokes, line under line, in box (left, above, right, below); changes `page`."""
    left, above, right, below = box
    letter = rng.uniform(3, 14)  # height of a letter, page pixels
    thickness = int(rng.integers(1, 2 + (letter > 7)))
    for base in np.arange(above + letter, below, letter * rng.uniform(1.4, 2.4)):
        x = left
        while x < right:
            letters = int(rng.integers(2, 10))
            xs = x + np.arange(letters + 1) * letter * 0.6
            ys = base - rng.uniform(0, letter, letters + 1)
            cv2.polylines(page, [np.stack([xs, ys], axis=1).astype(np.int32)], False, 255, thickness)
            x = xs[-1] + letter
        if rng.random() < 0.15:
            above += letter


def _lay_on_background(picture, classes, rng, most):
    """Patches of flat or mottled colour, on background only: elsewhere the truth would not know them."""
    height, width = classes.shape
    background = _where(classes, BACKGROUND)
    for _ in range(rng.integers(1, most + 1) if most else 0):
        shape = np.zeros((height, width), np.uint8)
        centre = rng.uniform(0, 1, 2) * (width, height)
        radii = rng.uniform(0.04, 0.22, 2) * max(height, width)
        corners = 4 if rng.random() < 0.5 else int(rng.integers(5, 14))
        steps = np.arange(corners) + rng.uniform(0, 0.6 if corners > 4 else 0.2, corners)
        angles = 2 * np.pi * steps / corners
        outline = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii
        turn = rng.uniform(0, 2 * np.pi)
        outline = outline @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + centre
        cv2.fillPoly(shape, [outline.astype(np.int32)], 1)
        colour = np.full((height, width, 3), rng.uniform(0, 255, 3), np.float32)
        if rng.random() < 0.5:
            cells = rng.integers(4, 40, 2)
            mottle = rng.normal(0, rng.uniform(10, 50), (*cells, 1)).astype(np.float32)
            colour = np.clip(colour + cv2.resize(mottle, (width, height))[..., None], 0, 255)
        picture = _blend(picture, colour, shape * background)
    return picture


def _light(picture, rng, config):
    """Uneven light, the edge of a shadow, vignetting: one factor a pixel."""
    height, width = picture.shape[:2]
    factor = None
    if rng.random() < config.light_share:
        stops = rng.uniform(-1, 1, (4, 3)).astype(np.float32) * rng.uniform(0, config.light_stops)
        factor = np.exp2(cv2.resize(stops, (width, height), interpolation=cv2.INTER_LINEAR))
    if rng.random() < config.shadow_share:
        shade = 1 - _shadow(width, height, rng) * np.float32(rng.uniform(0, config.shadow_depth))
        factor = shade if factor is None else factor * shade
    if rng.random() < config.vignette_share:
        x, y = np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32)
        fall = 1 - np.float32(rng.uniform(0, config.vignette_depth) / 2) * (x[None] ** 2 + y[:, None] ** 2)
        factor = fall if factor is None else factor * fall
    if factor is None:
        return picture
    return np.clip(picture * factor[..., None] + 0.5, 0, 255).astype(np.uint8)


def _shadow(width, height, rng):
    """float32 (height, width): 1 in the shadow of something straight-edged, 0 in the light, soft between."""
    quarter = max(1, width // 4), max(1, height // 4)
    shape = np.zeros(quarter[::-1], np.float32)
    # Two corners near the picture and the rest far outside: the shadow comes in over the border.
    points = rng.uniform(-0.2, 1.2, (int(rng.integers(3, 6)), 2))
    points[0] += rng.choice([-1, 1], 2)
    cv2.fillPoly(shape, [(points * quarter).astype(np.int32)], 1.0)
    shape = cv2.GaussianBlur(shape, (0, 0), rng.uniform(0.4, 0.08 * max(quarter) + 0.4))
    return cv2.resize(shape, (width, height), interpolation=cv2.INTER_LINEAR)


def _colour(picture, rng, config):
    """White balance, saturation, hue and grey: one 3 x 3 matrix on the RGB values."""
    matrix = np.eye(3)
    if rng.random() < config.saturation_share:
        angle = np.deg2rad(rng.uniform(-1, 1) * config.hue_deg)
        matrix = _chroma(1 + rng.uniform(-1, 1) * config.saturation, angle)
    if rng.random() < config.grey_share:
        matrix = np.tile(LUMA, (3, 1))
    if rng.random() < config.white_balance_share:
        red, blue = 1 + rng.uniform(-1, 1, 2) * config.white_balance
        matrix = np.diag([red, 1.0, blue]) @ matrix
    if np.array_equal(matrix, np.eye(3)):
        return picture
    return cv2.transform(picture, matrix)


def _chroma(saturation, angle):
    """RGB matrix (3, 3) that keeps the luma of a colour, scales its chroma and turns it by angle (radians).

    The turn is about the grey axis (Rodrigues' formula); what it changes in the luma is taken back.
    """
    axis = np.ones(3) / np.sqrt(3)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    turn = np.cos(angle) * np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * np.outer(axis, axis)
    luma = np.tile(LUMA, (3, 1))
    chroma = saturation * turn @ (np.eye(3) - luma)
    return luma + chroma - luma @ chroma


def _tone(picture, rng, config):
    """Exposure, contrast and gamma as one curve of 256 entries."""
    tones = np.arange(256) / 255
    tones = tones ** np.exp(rng.uniform(-1, 1) * np.log(1 + config.gamma))
    tones = (tones - 0.5) * (1 + rng.uniform(-1, 1) * config.contrast) + 0.5
    tones = tones * 2 ** (rng.uniform(-1, 1) * config.exposure_stops)
    return cv2.LUT(picture, np.clip(tones * 255 + 0.5, 0, 255).astype(np.uint8))


def _smear(picture, rng, longest_px):
    """Motion blur along a straight line."""
    length = rng.uniform(2, max(longest_px, 2))
    half = int(np.ceil(length / 2))
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    angle = rng.uniform(0, np.pi)
    # Dense points along the line, each counted in the pixel that it falls into.
    along = np.linspace(-length / 2, length / 2, 8 * half)[:, None] * [np.cos(angle), np.sin(angle)]
    columns, rows = np.round(along + half).astype(int).T
    np.add.at(kernel, (rows, columns), 1)
    return cv2.filter2D(picture, -1, kernel / kernel.sum())


def _coarsen(picture, rng, most):
    """Fewer pixels and back: what a crop of a small or far photo looks like."""
    height, width = picture.shape[:2]
    factor = rng.uniform(1, max(most, 1))
    small = cv2.resize(picture, (max(1, round(width / factor)), max(1, round(height / factor))),
                       interpolation=cv2.INTER_AREA)
    back = cv2.INTER_NEAREST if rng.random() < 0.15 else cv2.INTER_LINEAR
    return cv2.resize(small, (width, height), interpolation=back)


def _noise(picture, rng, strongest):
    """Sensor noise, even or growing with the light; fine, or blotchy as after a phone's denoising."""
    height, width = picture.shape[:2]
    grain = int(rng.integers(1, 3))
    channels = 3 if rng.random() < 0.7 else 1
    noise = rng.standard_normal((-(-height // grain), -(-width // grain), channels), dtype=np.float32)
    if grain > 1:
        noise = cv2.resize(noise, (width, height), interpolation=cv2.INTER_LINEAR)
    noise = noise.reshape(height, width, channels) * np.float32(rng.uniform(0, strongest))
    if rng.random() < 0.5:
        noise = noise * np.sqrt(picture.astype(np.float32) / 128)
    return np.clip(picture + noise + 0.5, 0, 255).astype(np.uint8)


def _compress(picture, quality):
    """Through JPEG and back."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
