"""The worst answers of a network, to be looked at: photo, truth, what was said, and the heatmaps it was read from."""

import cv2
import numpy as np

from keypoints.config import CORNERS
from scenes.gallery import captioned, write_gallery
from scenes.images import input_to_photo

TRUTH, SAID = (60, 220, 60), (255, 60, 200)  # RGB
PICTURE_PX = 480  # longer side of each of the two panels
FARTHEST_PX = 1e5  # OpenCV draws with whole numbers of 32 bits


def write_failures(folder, subject, findings, count, progress=None):
    """Write the `count` worst samples as NN-NAME.png, worst first, and contact-sheet.png: list of the paths written.

    folder: made where it is missing; `scenes.gallery.check_folder` first. subject: keypoints.subject.Subject. findings:
    keypoints.evaluate.Findings of its samples as they are. progress: called with 1 after each picture. Raises OSError.
    """
    indices, errors = findings.worst()
    indices, errors = indices[:count], errors[:count]

    def pictures():
        place = 0
        # A few at a time: of each the photo is read and predicted anew.
        for start in range(0, len(indices), subject.config.batch):
            chunk = indices[start : start + subject.config.batch]
            for index, example, output in zip(chunk, *subject.outputs(chunk), strict=True):
                header = f"{place + 1}: {example.name}, {errors[place]:.2f} % of the diagonal"
                place += 1
                yield example.name, failure_picture(example, output, findings.found[index], subject.config, header)

    return write_gallery(folder, pictures(), len(indices), progress)


def failure_picture(example, output, found, config, header):
    """One sample: uint8 (h, w, 3), RGB. Left the photo with truth and answer, right the heatmaps over it.

    example: keypoints.loader.Example. output: heatmaps (C, h, w), or coordinates, which have no right panel. found: (K,
    2), the answer in pixels of the photo on disk. header: a line above, ASCII.
    """
    height, width = example.rgb.shape[:2]
    scale = PICTURE_PX / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    photo = cv2.resize(example.rgb, size, interpolation=interpolation)

    def to_picture(points_in_photo):
        return (np.asarray(points_in_photo) + 0.5) * size / np.array(example.size) - 0.5

    left = draw_points(photo, to_picture(example.corners_in_photo), TRUTH, example.visibility)
    left = draw_points(left, to_picture(found), SAID)
    panels = [left]
    if not config.is_regression:
        panels.append(blended(photo, heat_of_photo(output, example.rgb.shape[1::-1], size, config)))
    return captioned(np.hstack(panels), header)


def draw_points(picture, points, colour, visibility=None):
    """A copy of uint8 (h, w, 3) with points (K, 2) as rings with a dot: four joined by a thin line, covered ones (1)
    with a smaller ring, ones outside (0) or not finite left out. visibility: (K,), or None for all seen."""
    drawn = picture.copy()
    points = np.asarray(points, float)
    visibility = np.full(len(points), 2) if visibility is None else np.asarray(visibility)
    shown = (visibility > 0) & (np.abs(np.nan_to_num(points, nan=np.inf)) < FARTHEST_PX).all(axis=1)
    if len(points) == CORNERS and shown.all():
        outline = np.round(points * 16).astype(np.int32)
        cv2.polylines(drawn, [outline], True, colour, 1, cv2.LINE_AA, shift=4)
    reach = 5 if len(points) <= 8 else 2
    for (x, y), seen in zip(points[shown], visibility[shown], strict=True):
        centre = round(x), round(y)
        cv2.circle(drawn, centre, reach if seen == 2 else max(reach - 2, 1), colour, 1, cv2.LINE_AA)
        cv2.circle(drawn, centre, 0, colour, -1)
    return drawn


def heat_of_photo(heatmaps, held_size, size, config):
    """The largest of the heatmaps (C, h, w) at each pixel of the photo, in [0, 1]: float32 (size[1], size[0]).

    held_size: (width, height) of what was fitted to the input. size: (width, height) of the picture wanted.
    """
    heat = np.clip(np.asarray(heatmaps[: config.peaks], np.float32).max(axis=0), 0, 1)
    rows, columns = heat.shape

    def scaling(source, target):
        across, down = target[0] / source[0], target[1] / source[1]
        return np.array([[across, 0, across / 2 - 0.5], [0, down, down / 2 - 0.5], [0, 0, 1]])

    to_picture = (
        scaling(held_size, size)
        @ input_to_photo(held_size, config.input_spec)
        @ scaling((columns, rows), (config.width, config.height))
    )
    return cv2.warpPerspective(heat, to_picture, size, flags=cv2.INTER_LINEAR)


def blended(photo, heat):
    """The photo uint8 (h, w, 3), greyed, under the heat (h, w) in [0, 1], from dark red to yellow."""
    colours = cv2.applyColorMap((heat * 255 + 0.5).astype(np.uint8), cv2.COLORMAP_HOT)[..., ::-1]
    grey = photo.mean(axis=2, keepdims=True) * 0.7 + 20
    share = np.clip(2 * heat, 0, 0.85)[..., None]
    return np.clip(grey * (1 - share) + colours * share + 0.5, 0, 255).astype(np.uint8)
