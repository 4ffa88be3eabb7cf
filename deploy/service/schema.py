"""What the JSON is, for OpenAPI: the README's words as models, with examples that belong to no photo."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Pair = tuple[float, float]
Triple = tuple[float, float, float]
SheetAsked = Literal["auto", "a4", "letter"]
Probability = Field(ge=0, le=1)


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Sheet(_Model):
    format: Literal["a4", "letter"]
    long_side: Literal["vertical", "horizontal"]
    confidence: float = Field(ge=0, le=1, description="probability that format and long side are both right")


class Corner(_Model):
    x: float = Field(description="pixels of the photo after its EXIF turn, to the right; may lie outside")
    y: float = Field(description="pixels, down")
    visible: bool
    confidence: float = Probability
    state: Literal["visible", "covered", "outside"]
    found_by: Literal["edges", "edge", "network", "mask", "shape"]
    uncertainty_px: float | None = Field(None, description="half of a 90 % interval of x and of y alike")


class CameraUncertainty(_Model):
    focal_px: float
    height_mm: float
    tilt_deg: float
    translation_mm: Triple
    rotation_deg: Triple = Field(description="about the camera's own x, y and z axes")
    covariance: list[list[float]] = Field(description="7 x 7: turns in radians, millimetres, logarithm of the focal "
                                                      "length")


class Camera(_Model):
    focal_px: float
    focal_from: Literal["exif", "sheet", "default"]
    height_mm: float = Field(description="of the camera over the sheet")
    tilt_deg: float = Field(description="0 looking straight down")
    sheet_to_image: tuple[Triple, Triple, Triple] = Field(description="homography, sheet millimetres to pixels")
    rotation: tuple[Triple, Triple, Triple] = Field(description="of the sheet's frame to the camera's")
    translation_mm: Triple
    uncertainty: CameraUncertainty | None = Field(None, description="half widths of 90 % intervals")


class FootUncertainty(_Model):
    length: float
    width: float
    instep_height: float | None = None


class ShoeSizes(_Model):
    eu: float
    uk: float
    us_men: float
    us_women: float | None
    child: bool = Field(description="UK and US sizes are children's")


class Foot(_Model):
    side: Literal["left", "right"]
    side_confidence: float = Probability
    length_mm: float = Field(gt=0, description="foot length of ISO 7250-1")
    width_mm: float = Field(gt=0, description="foot breadth of ISO 7250-1")
    uncertainty_mm: FootUncertainty = Field(description="half widths of 90 % intervals")
    heel: Pair = Field(description="pixels")
    toe: Pair = Field(description="pixels")
    shoe_sizes: ShoeSizes = Field(description="approximate: makers differ")
    touches_border: bool
    heel_hidden: bool
    share_on_sheet: float = Probability
    from_side: bool = Field(description="measured on its profile")
    instep_height_mm: float | None = None


class Notice(_Model):
    code: str = Field(description="of a closed list in the README")
    message: str = Field(description="one line for people, with the way out")


class Milliseconds(_Model):
    read: float
    networks: float
    geometry: float


class Measured(_Model):
    """What `foliopie measure --json` writes for one photo."""

    photo: str = Field(description="name that the file was sent under, without any folder")
    width: int
    height: int
    sheet: Sheet
    corners: list[Corner] = Field(min_length=4, max_length=4, description="clockwise from the smallest x + y")
    camera: Camera
    feet: list[Foot] = Field(description="largest first")
    warnings: list[Notice]
    milliseconds: Milliseconds
    overlay: str | None = Field(None, description="the measured photo as a data URI of a JPEG, where it was asked for")

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{
        "photo": "one.jpg", "width": 3024, "height": 4032,
        "sheet": {"format": "a4", "long_side": "vertical", "confidence": 0.97},
        "corners": [{"x": x, "y": y, "visible": True, "confidence": 0.99, "state": "visible", "found_by": "edges",
                     "uncertainty_px": 3.1}
                    for x, y in ((812.4, 1003.1), (2210.0, 1011.7), (2251.9, 2994.2), (776.0, 2980.5))],
        "camera": {"focal_px": 2890.1, "focal_from": "exif", "height_mm": 612.0, "tilt_deg": 21.3,
                   "sheet_to_image": [[1, 0, 0], [0, 1, 0], [0, 0, 1]], "rotation": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
                   "translation_mm": [0, 0, 612]},
        "feet": [{"side": "left", "side_confidence": 0.98, "length_mm": 251.3, "width_mm": 97.8,
                  "uncertainty_mm": {"length": 1.4, "width": 1.1}, "heel": [1402.0, 3121.5], "toe": [1490.2, 1320.8],
                  "shoe_sizes": {"eu": 39.5, "uk": 6.5, "us_men": 7.5, "us_women": 9.0, "child": False},
                  "touches_border": False, "heel_hidden": False, "share_on_sheet": 0.95, "from_side": False}],
        "warnings": [{"code": "corner_covered", "message": "a corner is hidden"}],
        "milliseconds": {"read": 38.1, "networks": 29.5, "geometry": 6.2}}]})


class NotMeasured(_Model):
    """No answer, and why."""

    photo: str = Field(description="name that the file was sent under; empty where it is not known")
    error: Notice


class State(_Model):
    state: Literal["alive", "ready"]
