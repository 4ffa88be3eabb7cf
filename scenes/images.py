"""Reading photos of every kind that phones and people send, and fitting them to the input of a network.

Arrays outside the models are uint8 RGB (H, W, 3). Pixel centres are at integers, x right, y down.
"""

import io
import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageFile

from scenes.camera import focal_from_exif

# Below this no sheet is measured to a few millimetres: one pixel would be a percent of it.
MIN_SIDE_PX = 100
# 200-megapixel phones are sold; decoded that is 600 MB.
MAX_PIXELS = 200_000_000
# JPEG needs a tenth of a byte a pixel for a photo, the thriftiest formats some hundredths, an empty picture next to
# nothing: a few kilobytes that say that they are 200 megapixels are damaged, or meant to fill the memory. Smaller
# pictures fill none.
MAX_PIXELS_PER_BYTE = 100
HARMLESS_PIXELS = 16_000_000
# Formats that hold photos. Not every format that Pillow opens: EPS, for one, starts another program, and every decoder
# is one more that a stranger's bytes may break. No phone or camera writes JPEG 2000.
PHOTO_FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF", "HEIF")
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
# What counts as a photo in a folder; a file that is named is tried whatever it is called.
PHOTO_EXTENSIONS = (".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".heic", ".heif")
PADDING_GREY = 114

_ORIENTATION = 0x0112
_TURNS = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
          4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270,
          7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90}
_ON_THE_SIDE = {Image.Transpose.TRANSPOSE, Image.Transpose.ROTATE_270, Image.Transpose.TRANSVERSE,
                Image.Transpose.ROTATE_90}
# By which a photo may be shrunk when it is read: what libjpeg can leave out while it decodes.
SHRINKS = (8, 4, 2)
# What full white is in each mode of one channel; a fact of the mode, never read off the data. Pillow gives
# PNG and PGM of 16 bits as I;16 or, in older versions, I; floats are 0..1 by the habit of those who write
# them.
_WHITE = {"I;16": 65535.0, "I;16L": 65535.0, "I;16B": 65535.0, "I;16N": 65535.0, "I": 65535.0, "F": 1.0}
_WITH_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")
STRIP_PIXELS = 4_000_000  # converted at a time

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
    """rgb: uint8 (H, W, 3), turned as its EXIF says. focal_px: focal length from EXIF in pixels of rgb, or None.
    shrunk: how many pixels of the file one of rgb is, each way. file_size: (width, height) of the file, turned too;
    None where rgb is no shrunk one."""

    rgb: np.ndarray
    focal_px: float | None
    shrunk: int = 1
    file_size: tuple | None = None

    @property
    def size(self):
        """(width, height) of the photo as it was taken."""
        return self.file_size or (self.rgb.shape[1], self.rgb.shape[0])


PhotoLike = str | os.PathLike | bytes | np.ndarray | Photo


def as_photo(given: PhotoLike, enough_px: int | None = None) -> Photo:
    """Photo of whatever one is given as: a path; the bytes of an image file; pixels, uint8 (H, W, 3) RGB, already the
    right way up, of which nothing is known of the lens; or a Photo. enough_px: of `read_photo`, for a file.

    Raises PhotoError: unreadable_image for an array of another kind and for anything else, image_too_small and
    image_too_large, and what `read_photo` raises.
    """
    if isinstance(given, Photo):
        return given
    if isinstance(given, np.ndarray):
        return Photo(_checked_pixels(given), None)
    if isinstance(given, (str, os.PathLike, bytes)):
        return read_photo(given, enough_px)
    raise PhotoError("unreadable_image", f"the photo is given as {type(given).__name__}; it must be a path, the bytes "
                                         "of an image file or an array uint8 (H, W, 3), RGB: of a Pillow image give "
                                         "numpy.asarray(image.convert('RGB'))")


def _checked_pixels(array):
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
        raise PhotoError("unreadable_image", f"the photo is an array {array.dtype} {array.shape}; it must be uint8 "
                                             "(H, W, 3), red, green and blue from 0 to 255: convert it first, what "
                                             "its numbers mean is not guessed")
    _check_size(array.shape[1], array.shape[0], array.nbytes)
    return np.ascontiguousarray(array)


def read_photo(source: str | os.PathLike | bytes, enough_px: int | None = None) -> Photo:
    """Read an image file, or the bytes of one, with Pillow: Photo.

    Grey, palette, 16-bit, float (0..1) and CMYK images become RGB; transparent ones are laid on white; of
    several frames the first is taken; the EXIF orientation is applied. The size is checked before anything
    is decoded. With `enough_px` a photo is shrunk by 2, 4 or 8 as long as its longer side keeps so many pixels:
    a JPEG is decoded at that size, which takes a fraction of the time, others are averaged. Raises PhotoError:
    unreadable_image, image_too_small (a side under MIN_SIDE_PX), image_too_large (more than MAX_PIXELS, more than
    HARMLESS_PIXELS out of a file that is too small for a photo of that size, or more than there is memory for).
    """
    with _opened(source) as image:
        size, shrunk = image.size, _shrink_factor(image.size, enough_px)
        try:
            refuse_truncated()
            # A decoder that can shrink does it here, for nothing.
            image.draft(None, (size[0] // shrunk, size[1] // shrunk))
            image.load()
            rgb, exif = _shrunk(_to_rgb(image), size, shrunk), _exif(image)
            turn = _TURNS.get(exif.get(_ORIENTATION))
            rgb = np.array(rgb if turn is None else rgb.transpose(turn))
        except MemoryError as error:
            raise _too_large(*size, "that needs more memory than there is") from error
        except Exception as error:
            raise PhotoError("unreadable_image", f"damaged or cut short: {_one_line(error)}; "
                                                 "copy or download the file again") from error
    if turn in _ON_THE_SIDE:
        size = size[::-1]
    return Photo(rgb, focal_from_exif(exif, rgb.shape[1], rgb.shape[0]), shrunk, size)


def photo_size(source: str | os.PathLike | bytes) -> tuple[int, int]:
    """(width, height) of an image file, or of the bytes of one, by its header and before any turn. Raises PhotoError as
    `read_photo` does before it decodes anything."""
    with _opened(source) as image:
        return image.size


def is_of_known_kind(data: bytes) -> bool:
    """Whether bytes begin as those of an image of PHOTO_FORMATS do, damaged or not."""
    Image.init()
    _register_heif()
    begins = [Image.OPEN[name][1] for name in PHOTO_FORMATS if name in Image.OPEN]
    # Those of Pillow answer True, or with a word on what is missing to read that kind.
    return any(begin(data[:16].ljust(16, b"\0")) for begin in begins if begin)


def _opened(source):
    """Pillow's image of a path or bytes, with nothing decoded and its size checked; raises PhotoError."""
    if not isinstance(source, bytes):
        source = Path(source)
        # Those of os.path say False of what may not be looked at, where those of Path raise.
        if os.path.isdir(source):
            raise PhotoError("unreadable_image", _of_folder(source))
        if os.path.exists(source) and not os.path.isfile(source):
            raise PhotoError("unreadable_image", "this is no regular file: copy the photo into one, or give - and "
                                                 "send it to standard input")
    # A damaged file makes Pillow's decoders raise nearly anything, so that here every exception means the
    # same.
    try:
        image = _open_header(source)
        file_bytes = len(source) if isinstance(source, bytes) else source.stat().st_size
    except FileNotFoundError as error:
        raise PhotoError("unreadable_image", "no such file") from error
    except Exception as error:
        raise PhotoError("unreadable_image", _why_unreadable(source, error)) from error
    try:
        _check_size(*image.size, file_bytes)
    except PhotoError:
        image.close()
        raise
    return image


def _shrink_factor(size, enough_px):
    """The largest of SHRINKS that leaves the longer side of a size (2,) so many pixels; 1 for None."""
    return next((factor for factor in SHRINKS if enough_px and max(size) // factor >= enough_px), 1)


def _shrunk(image, size, factor):
    """A Pillow image of mode RGB shrunk by a factor, unless its decoder has done that. size: of the file.

    Rows and columns at the end that make no whole pixel are left out: pixels keep their places.
    """
    if factor == 1 or image.size != size:
        return image
    width, height = size[0] // factor, size[1] // factor
    whole = np.asarray(image)[: height * factor, : width * factor]
    return Image.fromarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA))


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


def open_image(path):
    """Pillow's image of a file of one of PHOTO_FORMATS, of any size up to MAX_PIXELS and with nothing decoded. Raises
    PhotoError for a larger one, and nearly anything for a damaged file."""
    image = _open_header(Path(path))
    if image.width * image.height > MAX_PIXELS:
        image.close()
        raise _larger_than_read(*image.size)
    return image


def _open_header(source):
    """Image whose header is read and whose pixels are not, of a path or bytes."""
    Image.init()
    _register_heif()
    formats = [name for name in PHOTO_FORMATS if name in Image.OPEN]
    with _own_size_limit():
        return Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=formats)


def _of_folder(path):
    try:
        os.scandir(path).close()
    except OSError as error:
        return f"this folder cannot be looked into: {error.strerror}"
    return "this is a folder, not an image file"


@cache
def _register_heif():
    """Teaches Pillow to read HEIC, what iPhones write; whether it can. The library is not built for every platform."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener()
    return True


def _why_unreadable(source, error):
    """One line on why a path or bytes could not be opened as an image, with the way out where there is one."""
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb") as file:
            head = file.read(12)
    except OSError as reading_error:
        return f"the file cannot be read: {reading_error.strerror}"
    if not head:
        return "the file is empty"
    if head[4:8] == b"ftyp" and head[8:12] in HEIF_BRANDS:
        if _register_heif():
            return "the HEIC file is damaged or cut short: copy or download the file again"
        return "HEIC is read with pillow-heif, which is not installed: install it, or convert the photo to JPEG"
    if isinstance(error, Image.UnidentifiedImageError):
        return "not an image of a known kind, or its header is damaged: JPEG and PNG are sure to be read"
    return f"not a readable image: {_one_line(error)}"


def _one_line(error):
    return " ".join(str(error).split())[:160] or type(error).__name__


def _check_size(width, height, file_bytes):
    if min(width, height) < MIN_SIDE_PX:
        raise PhotoError("image_too_small", f"the image is {width} x {height} pixels; each side needs "
                                            f"{MIN_SIDE_PX} or more: send the photo itself, not its preview")
    if width * height > MAX_PIXELS:
        raise _larger_than_read(width, height)
    if width * height > max(HARMLESS_PIXELS, MAX_PIXELS_PER_BYTE * file_bytes):
        raise _too_large(width, height, f"from a file of {file_bytes} bytes that is no photo")


def _larger_than_read(width, height):
    return _too_large(width, height, f"at most {MAX_PIXELS // 1_000_000} million are read")


def _too_large(width, height, rule):
    return PhotoError("image_too_large", f"the image is {width} x {height} pixels; {rule}: make it smaller")


def _exif(image):
    """EXIF as a flat dict of tag numbers; {} where the header is damaged, which spoils no pixel."""
    try:
        exif = image.getexif()
        return {**exif, **exif.get_ifd(0x8769)}
    except Exception:
        return {}


def _to_rgb(image):
    """Decoded Pillow image of any mode -> one of mode RGB."""
    if image.mode in _WHITE or image.mode in _WITH_ALPHA or "transparency" in image.info:
        return _by_strips(image, _scaled if image.mode in _WHITE else _laid_on_white)
    return image if image.mode == "RGB" else image.convert("RGB")


def _by_strips(image, convert):
    """An RGB image made of another one strip after the other: what is needed in between is many times its size."""
    rgb = Image.new("RGB", image.size)
    rows = max(1, STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        strip.info = image.info  # the transparent colour of a palette
        rgb.paste(convert(strip), (0, top))
    return rgb


def _scaled(image):
    """Mode RGB of one in _WHITE."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float64) / _WHITE[image.mode])
    return Image.fromarray(np.floor(np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)).convert("RGB")


def _laid_on_white(image):
    """Mode RGB of one with transparency."""
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, (255, 255, 255, 255)), image).convert("RGB")


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
    # Averages of averages of four are averages, and OpenCV makes them many times as fast as those over parts of pixels.
    while image.shape[0] >= 4 * height and image.shape[1] >= 4 * width and not any(n % 2 for n in image.shape[:2]):
        image = cv2.resize(image, (image.shape[1] // 2, image.shape[0] // 2), interpolation=cv2.INTER_AREA)
    smaller = (min(width, image.shape[1]), min(height, image.shape[0]))
    if smaller != (image.shape[1], image.shape[0]):
        image = cv2.resize(image, smaller, interpolation=cv2.INTER_AREA)
    if smaller != (width, height):
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return image
