"""Reading photos of every kind that phones and people send, and fitting them to the input of a network.

Arrays outside the models are uint8 RGB (H, W, 3). Pixel centres are at integers, x right, y down.
"""

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageFile

from scenes.camera import focal_from_exif

# Below this no sheet is measured to a few millimetres: one pixel would be a percent of it.
MIN_SIDE_PX = 100
# 200-megapixel phones are sold; decoded that is 600 MB.
MAX_PIXELS = 200_000_000
# Formats that hold photos. Not every format that Pillow opens: EPS, for one, starts another program.
# HEIF is there for those who have registered a plugin for it.
PHOTO_FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000", "AVIF", "HEIF")
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
# What counts as a photo in a folder; a file that is named is tried whatever it is called.
PHOTO_EXTENSIONS = (".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".heic", ".heif")
PADDING_GREY = 114

_ORIENTATION = 0x0112
_TURNS = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
          4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270,
          7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90}
# What full white is in each mode of one channel; a fact of the mode, never read off the data. Pillow gives
# PNG and PGM of 16 bits as I;16 or, in older versions, I; floats are 0..1 by the habit of those who write
# them.
_WHITE = {"I;16": 65535.0, "I;16L": 65535.0, "I;16B": 65535.0, "I;16N": 65535.0, "I": 65535.0, "F": 1.0}

FITS = ("letterbox", "stretch", "turn")


class PhotoError(Exception):
    """A file that gives no photo. code: unreadable_image, image_too_small or image_too_large; message: one
    line."""

    def __init__(self, code, message):
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self):
        return self.message


@dataclass(frozen=True, eq=False)
class Photo:
    """rgb: uint8 (H, W, 3), turned as its EXIF says. focal_px: focal length from EXIF in pixels, or None."""

    rgb: np.ndarray
    focal_px: float | None


def read_photo(path):
    """Read an image file with Pillow: Photo.

    Grey, palette, 16-bit, float (0..1) and CMYK images become RGB; transparent ones are laid on white; of
    several frames the first is taken; the EXIF orientation is applied. The size is checked before anything
    is decoded. Raises PhotoError: unreadable_image, image_too_small (a side under MIN_SIDE_PX),
    image_too_large (more than MAX_PIXELS).
    """
    path = Path(path)
    if path.is_dir():
        raise PhotoError("unreadable_image", "this is a folder, not an image file")
    if path.exists() and not path.is_file():
        raise PhotoError("unreadable_image", "this is no regular file: copy the photo into one")
    # A damaged file makes Pillow's decoders raise nearly anything, so that here every exception means the
    # same.
    try:
        image = _open_header(path)
    except FileNotFoundError as error:
        raise PhotoError("unreadable_image", "no such file") from error
    except Exception as error:
        raise PhotoError("unreadable_image", _why_unreadable(path, error)) from error
    with image:
        _check_size(*image.size)
        try:
            refuse_truncated()
            image.load()
            rgb, exif = _to_rgb(image), _exif(image)
        except Exception as error:
            raise PhotoError("unreadable_image", f"damaged or cut short: {_one_line(error)}; "
                                                 "copy or download the file again") from error
    turn = _TURNS.get(exif.get(_ORIENTATION))
    rgb = np.array(rgb if turn is None else rgb.transpose(turn))
    return Photo(rgb, focal_from_exif(exif, rgb.shape[1], rgb.shape[0]))


def refuse_truncated():
    """To be called before Pillow decodes: a file that is cut short is an error, not a picture with a grey end.

    The switch is one for the whole process, and importing GluonCV turns it the other way.
    """
    ImageFile.LOAD_TRUNCATED_IMAGES = False


_pillow_limit = threading.Lock()


@contextmanager
def _own_size_limit():
    """Within: Pillow's own limit on pixels, a warning at 89 million, is off, for MAX_PIXELS is checked
    instead."""
    with _pillow_limit:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _open_header(path):
    """Image whose header is read and whose pixels are not."""
    Image.init()
    formats = [name for name in PHOTO_FORMATS if name in Image.OPEN]
    with _own_size_limit():
        return Image.open(path, formats=formats)


def _why_unreadable(path, error):
    """One line on why a file could not be opened as an image, with the way out where there is one."""
    try:
        with open(path, "rb") as file:
            head = file.read(12)
    except OSError as reading_error:
        return f"the file cannot be read: {reading_error.strerror}"
    if not head:
        return "the file is empty"
    if head[4:8] == b"ftyp" and head[8:12] in HEIF_BRANDS:
        return "HEIC photos are not read: convert the photo to JPEG"
    if isinstance(error, Image.UnidentifiedImageError):
        return "not an image of a known kind, or its header is damaged: JPEG and PNG are sure to be read"
    return f"not a readable image: {_one_line(error)}"


def _one_line(error):
    return " ".join(str(error).split())[:160] or type(error).__name__


def _check_size(width, height):
    if min(width, height) < MIN_SIDE_PX:
        raise PhotoError("image_too_small", f"the image is {width} x {height} pixels; each side needs "
                                            f"{MIN_SIDE_PX} or more: send the photo itself, not its preview")
    if width * height > MAX_PIXELS:
        raise PhotoError("image_too_large", f"the image is {width} x {height} pixels; at most "
                                            f"{MAX_PIXELS // 1_000_000} million are read: make it smaller")


def _exif(image):
    """EXIF as a flat dict of tag numbers; {} where the header is damaged, which spoils no pixel."""
    try:
        exif = image.getexif()
        return {**exif, **exif.get_ifd(0x8769)}
    except Exception:
        return {}


def _to_rgb(image):
    """Decoded Pillow image of any mode -> one of mode RGB."""
    if image.mode in _WHITE:
        values = np.nan_to_num(np.asarray(image, dtype=np.float64) / _WHITE[image.mode])
        grey = np.floor(np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


@dataclass(frozen=True)
class InputSpec:
    """How a photo becomes the input of a network.

    height, width: of the input, pixels. fit: "letterbox" (whole photo, sides kept in proportion, grey bars),
    "stretch" (sides scaled apart), "turn" (as letterbox, after a quarter turn counter-clockwise where photo
    and input are one upright and the other not). mean, std: three each for R, G, B in units of 0..255; the
    network sees (value - mean) / std. Raises ValueError for anything else.
    """

    height: int
    width: int
    fit: str
    mean: tuple = (0.0, 0.0, 0.0)
    std: tuple = (1.0, 1.0, 1.0)

    def __post_init__(self):
        for name in ("mean", "std"):
            values = tuple(float(value) for value in getattr(self, name))
            if len(values) != 3 or not np.isfinite(values).all() or (name == "std" and min(values) <= 0):
                raise ValueError(f"input {name} is {values}; three numbers are needed, a std above 0")
            object.__setattr__(self, name, values)
        for name in ("height", "width"):
            value = getattr(self, name)
            if not isinstance(value, (int, np.integer)) or value < 1:
                raise ValueError(f"input {name} is {value!r}; it must be a whole number of pixels, 1 or more")
            object.__setattr__(self, name, int(value))
        if self.fit not in FITS:
            raise ValueError(f"input fit is {self.fit!r}; it must be one of {', '.join(FITS)}")

    def to_json(self):
        """Plain dict; `InputSpec.from_json` makes an equal one of it."""
        return {"height": self.height, "width": self.width, "fit": self.fit, "mean": list(self.mean),
                "std": list(self.std)}

    @classmethod
    def from_json(cls, document):
        """InputSpec from what `to_json` gave; further keys are ignored. Raises ValueError naming what is
        missing."""
        missing = [name for name in ("height", "width", "fit", "mean", "std") if name not in document]
        if missing:
            raise ValueError(f"input lacks {', '.join(missing)}")
        return cls(*(document[name] for name in ("height", "width", "fit", "mean", "std")))


def input_to_photo(size, spec):
    """Affine map from network pixels to photo pixels: float64 (3, 3), for `scenes.sheet.transform`.

    size: (width, height) of the photo. It is exact: it follows from the whole numbers of pixels that
    `fit_photo` fills, with the half-pixel rule.
    """
    turned, (width, height), (left, top, content_width, content_height) = _layout(size, spec)
    across, down = width / content_width, height / content_height
    matrix = np.array([[across, 0, (0.5 - left) * across - 0.5],
                       [0, down, (0.5 - top) * down - 0.5],
                       [0, 0, 1]])
    if turned:
        # Turned counter-clockwise, the photo's right edge is the top: (x, y) -> (width - 1 - y, x).
        matrix = np.array([[0, -1, size[0] - 1], [1, 0, 0], [0, 0, 1]]) @ matrix
    return matrix


def fit_photo(rgb, spec):
    """Photo uint8 (H, W, 3) -> network input uint8 (spec.height, spec.width, 3), same channel order.

    Shrinks by averaging areas, enlarges linearly; bars are grey (PADDING_GREY). Geometry: `input_to_photo`.
    """
    turned, _, (left, top, width, height) = _layout((rgb.shape[1], rgb.shape[0]), spec)
    content = _resize(np.ascontiguousarray(np.rot90(rgb)) if turned else rgb, (width, height))
    fitted = np.full((spec.height, spec.width, 3), PADDING_GREY, dtype=np.uint8)
    fitted[top:top + height, left:left + width] = content
    return fitted


def mask_to_photo(mask, size, spec):
    """What a network says of its input, brought to the photo: the bars cut off, scaled, turned back.

    mask: integer or bool (h, w), class ids: the nearest pixel's is taken; or floating (h, w) or (h, w, C),
    probabilities: between pixels they are interpolated linearly. h, w: spec.height, spec.width.
    size: (width, height) of the photo. Returns the same dtype, (height, width) or (height, width, C).
    Raises ValueError where the mask is not of the input's size.
    """
    if mask.shape[:2] != (spec.height, spec.width):
        raise ValueError(f"mask has shape {mask.shape}; the input is {spec.height} x {spec.width}: give the "
                         "whole answer of the network, height first")
    turned, (width, height), (left, top, content_width, content_height) = _layout(size, spec)
    content = mask[top:top + content_height, left:left + content_width]
    if np.issubdtype(mask.dtype, np.floating):
        content = _resize(np.ascontiguousarray(content), (width, height))
    else:
        rows = ((np.arange(height) + 0.5) * content_height / height).astype(int)
        columns = ((np.arange(width) + 0.5) * content_width / width).astype(int)
        content = content[rows][:, columns]
    return np.ascontiguousarray(np.rot90(content, -1)) if turned else content


def content_of_input(mask, size, spec):
    """The part of the input that shows the photo, at the input's own resolution: the bars cut off, turned back.

    mask: (h, w) or (h, w, C) as in `mask_to_photo`. size: (width, height) of the photo. Returns the same dtype.
    """
    turned, _, (left, top, width, height) = _layout(size, spec)
    content = mask[top:top + height, left:left + width]
    return np.ascontiguousarray(np.rot90(content, -1) if turned else content)


def _layout(size, spec):
    """(turned, (width, height) of the photo after the turn, (left, top, width, height) of its place in the
    input)."""
    width, height = size
    turned = spec.fit == "turn" and (width - height) * (spec.width - spec.height) < 0
    if turned:
        width, height = height, width
    if spec.fit == "stretch":
        return turned, (width, height), (0, 0, spec.width, spec.height)
    scale = min(spec.width / width, spec.height / height)
    content_width = min(max(round(width * scale), 1), spec.width)
    content_height = min(max(round(height * scale), 1), spec.height)
    left, top = (spec.width - content_width) // 2, (spec.height - content_height) // 2
    return turned, (width, height), (left, top, content_width, content_height)


def _resize(image, size):
    """Resize (H, W[, C]) to (width, height): averages along a side that shrinks, linear along one that grows.

    One side at a time where they differ: OpenCV's INTER_AREA leaves the half-pixel rule when a side grows.
    """
    width, height = size
    smaller = (min(width, image.shape[1]), min(height, image.shape[0]))
    if smaller != (image.shape[1], image.shape[0]):
        image = cv2.resize(image, smaller, interpolation=cv2.INTER_AREA)
    if smaller != (width, height):
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return image
