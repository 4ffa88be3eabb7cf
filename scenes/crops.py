"""A foot by itself, as it stands on the sheet: cut out of the photo, seen from above, upright, at a known scale.

What a foot's side is can be seen in such a picture without regard to how the phone was held. It is never mirrored, as
that would make a left foot a right one; whether heel or toes are up is left open.
"""

import math

import cv2
import numpy as np

from scenes.sheet import transform

SIZE_PX = 96
SPAN_MM = 320.0  # longer than any foot, with the displacement of what is not flat on the sheet
OUTSIDE_GREY = 114  # RGB where the crop reaches out of the photo, as in `scenes.images`; the mask is 0 there
# Above this many photo pixels to one of the crop, a bilinear warp would skip some: shrink by averaging first.
SHARP_ENOUGH = 1.5
# Pixels that axis and extent are found from; more only cost time.
ENOUGH_POINTS = 5_000


def foot_crop(rgb, foot, sheet_to_image, size_px=SIZE_PX, span_mm=SPAN_MM):
    """One foot upright on the sheet's plane, seen from above.

    Args:
        rgb: uint8 (H, W, 3), the photo.
        foot: bool (H, W), the pixels of one foot.
        sheet_to_image: (3, 3), sheet millimetres (z = 0) to photo pixels.
        size_px: side of the square crop.
        span_mm: millimetres on the sheet that `size_px` are long.

    Returns:
        uint8 (size_px, size_px, 4): RGB and the mask, 0 or 255 and what interpolation makes between. The middle of the
        foot's extent is at the crop's centre, its longest axis is vertical.

    Raises:
        ValueError: if arrays do not fit, the mask is empty, or none of it lies on the sheet's side of the horizon.
    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or foot.shape != rgb.shape[:2]:
        raise ValueError(f"rgb {rgb.dtype} {rgb.shape} and foot {foot.shape}: must be uint8 (H, W, 3) and (H, W)")
    centre, up = upright(foot, sheet_to_image)
    crop_to_image = np.asarray(sheet_to_image, np.float64) @ crop_to_sheet(centre, up, size_px, span_mm)
    middle = np.full(2, (size_px - 1) / 2)
    (left, top, right, bottom), ahead = _window(crop_to_image, size_px, rgb.shape[:2], middle)
    picture = np.dstack([rgb[top:bottom, left:right], foot[top:bottom, left:right].astype(np.uint8) * 255])
    crop_to_picture = np.array([[1.0, 0, -left], [0, 1, -top], [0, 0, 1]]) @ crop_to_image
    picture, crop_to_picture = _shrunk(picture, crop_to_picture, middle)
    nothing = (OUTSIDE_GREY,) * 3 + (0,)
    crop = cv2.warpPerspective(picture, crop_to_picture, (size_px, size_px), borderMode=cv2.BORDER_CONSTANT,
                               flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderValue=nothing)
    crop[~ahead] = nothing
    return crop


def upright(foot, sheet_to_image):
    """Where a foot is and which way it lies.

    foot: bool (H, W). sheet_to_image: (3, 3), millimetres to pixels.
    Returns (centre (2,), axis (2,)) in sheet millimetres: the unit vector of the largest second moment of the pixels,
    that of its two directions whose y is not negative, and the middle of their extent along it and across it.
    Raises ValueError for a mask without a pixel in front of the camera.
    """
    points = _pixels(foot)
    if not len(points):
        raise ValueError("the mask of the foot is empty: there is nothing to cut out")
    image_to_sheet = np.linalg.inv(sheet_to_image)
    # The sheet's own middle is in front of the camera: what has the other sign lies beyond the horizon.
    ahead = _homogeneous(image_to_sheet, points) * sheet_to_image[2][2] > 0
    if not ahead.any():
        raise ValueError("the foot lies beyond the horizon of the sheet's plane: the corners cannot be right")
    points = transform(image_to_sheet, points[ahead])
    _, axes = np.linalg.eigh(np.cov(points.T, bias=True))
    axis = axes[:, 1]
    if axis[1] < 0 or (axis[1] == 0 and axis[0] < 0):
        axis = -axis
    frame = np.stack([axis, _rightward(axis)])
    along = points @ frame.T
    return (along.min(axis=0) + along.max(axis=0)) / 2 @ frame, axis


def crop_to_sheet(centre_mm, up, size_px=SIZE_PX, span_mm=SPAN_MM):
    """Affine (3, 3), crop pixel to sheet millimetres: `centre_mm` (2,) in its middle, unit vector `up` (2,) upwards.

    A pixel's y goes down and the sheet's y up: with both turned, the crop shows the sheet from above.
    """
    pitch, middle = span_mm / size_px, (size_px - 1) / 2
    columns = np.column_stack([np.multiply(_rightward(up), pitch), np.multiply(up, -pitch)])
    matrix = np.eye(3)
    matrix[:2, :2] = columns
    matrix[:2, 2] = centre_mm - columns @ (middle, middle)
    return matrix


def _rightward(up):
    """`up` (2,) turned by a quarter clockwise, seen from above."""
    return np.array([up[1], -up[0]])


def _homogeneous(matrix, points):
    """Third coordinates (N,), what `transform` divides by."""
    return points @ matrix[2, :2] + matrix[2, 2]


def _pixels(foot):
    """Centres float64 (N, 2) of a mask's pixels; of a large mask, those on a regular grid."""
    step = max(1, math.isqrt(int(np.count_nonzero(foot)) // ENOUGH_POINTS))
    offset = (step - 1) // 2
    rows, columns = np.nonzero(foot[offset::step, offset::step])
    return np.column_stack([columns, rows]) * float(step) + offset


def _window(crop_to_image, size_px, shape, middle):
    """The part of the photo that the crop needs: ((left, top, right, bottom), bool (size_px, size_px)).

    The second says which crop pixels see the sheet's plane in front of the camera; the others would show the mirror
    image of what is behind it.
    """
    x, y = np.meshgrid(np.arange(size_px, dtype=np.float64), np.arange(size_px, dtype=np.float64))
    grid = np.column_stack([x.ravel(), y.ravel()])
    ahead = _homogeneous(crop_to_image, grid) * _homogeneous(crop_to_image, middle) > 0
    seen = transform(crop_to_image, grid[ahead])
    limit = np.array([shape[1], shape[0]])
    # One crop pixel of margin, for averaging and interpolation.
    margin = math.ceil(max(1.0, _pitch(crop_to_image, middle))) + 1
    low = np.clip(np.floor(seen.min(axis=0)) - margin, 0, limit - 1).astype(int)
    high = np.clip(np.ceil(seen.max(axis=0)) + margin + 1, low + 1, limit).astype(int)
    return (*low, *high), ahead.reshape(size_px, size_px)


def _pitch(crop_to_image, middle):
    """Photo pixels to one crop pixel at the crop's middle."""
    corners = transform(crop_to_image, middle + np.array([[0, 0], [1, 0], [0, 1]]))
    return math.sqrt(abs(np.linalg.det(corners[1:] - corners[0])))


def _shrunk(picture, crop_to_picture, middle):
    """The picture (h, w, C) averaged down to about the crop's resolution, and the map (3, 3) to it."""
    pitch = _pitch(crop_to_picture, middle)
    if pitch < SHARP_ENOUGH:
        return picture, crop_to_picture
    height, width = picture.shape[:2]
    size = max(1, round(width / pitch)), max(1, round(height / pitch))
    scale_x, scale_y = size[0] / width, size[1] / height
    # The half-pixel rule of a resize.
    shrink = np.array([[scale_x, 0, scale_x / 2 - 0.5], [0, scale_y, scale_y / 2 - 0.5], [0, 0, 1]])
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA), shrink @ crop_to_picture
