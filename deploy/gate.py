"""The gate: what makes a photo's answer less certain, and what leaves it without one.

`look` takes figures of a photo, each of one fault that photos have; `check` refuses by them where there is no answer,
`cautions` warns where there is one. All figures but the side are told in units of the sheet, not of pixels, so that a
limit means the same in a photo of 0.2 and of 50 megapixels, and none of them looks at every pixel of a large one.

Limits were set on rendered validation scenes, by what a fault does to the error: `foliopie experiments run gate` makes
the curves again (experiments/results/gate), and the comment beside a limit says where it is from if it is not those.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from deploy.corners import to_resized
from deploy.feet import STEEP_DEG
from scenes.labels import BACKGROUND, SHEET
from scenes.sheet import corners_mm, mean_side, transform

# Limits of the warnings.
DARK_LEVEL = 30.0  # grey level, 0..255, of the paper
BURNT_SHARE = 0.1  # of the feet or of the floor beside the sheet
EDGE_MM = 8.0  # over which the sheet's edges run from floor to paper
SMALL_SIDE_PX = 100.0  # mean side of the sheet in photo pixels: 1 px is more than two millimetres
SECOND_SHEET_SHARE = 0.2  # sheet in one piece outside the quadrilateral, share of the quadrilateral
SECOND_SHEET_MARGIN = 1.08  # the quadrilateral is grown by this first: a mask spills over
# Of a foot within the sheet's outline. On 114 feet of rendered validation scenes above it the median errors in length
# and breadth were 13 and 3 mm, on the five below it 25 and 14 mm.
OVER_EDGE_SHARE = 0.8
SURE_FORMAT = 0.7  # of 197 validation scenes 2 of the 125 that are surer were wrong, 32 of the 72 others
# Share of places without the least difference to their neighbours. Compression made 0.6 of it at most in real photos,
# also where these were halved and saved at JPEG quality 30; drawings and screenshots had 0.8 and more.
FLAT_SHARE = 0.7
# Floor in two notches of one piece of paper: sheets that overlap. Shares of the paper's convex hull: what the smaller
# must have, and what the larger must not have, as a leg that looks like the floor does. Set by looking at the real
# two-sheet photos (smaller 0.007 and more) and at those with one sheet (0.001 and less).
NOTCH_SHARES = (0.005, 0.06)
NOTCHES = 4  # pieces of floor looked at, the largest
NOTCH_BESIDE_MM = 8.0  # from the floor over what the mask spills
NOTCH_PAPER, NOTCH_FEET = 0.15, 0.02  # of what is beside it within the hull: at least, at most

# Limits of errors.
CUT_OFF_SHARE = 0.05  # of the sheet outside the photo
# Paper along the photo's border, in sides of the sheet, where all corners are said to be inside: the sheet goes on
# beyond, and the corners are where the photo ends.
BORDER_SIDES = 0.2
INSIDE_SHARE = 0.001  # of the sheet outside below which its corners are said to be inside

STEP_MM = 2.0  # of the grid on which the sheet and what is round it are looked at
RIM_MM = 100.0  # of that grid round the sheet: a sheet that overlaps sticks out by about as much
BESIDE_MM = 20.0  # floor this near to paper is what the paper lies on
SPILL_MM = 4.0  # a mask spills over the outlines by as much
BURNT = 250  # value that a sensor has no more to say above, all channels
NIGHT_LEVEL = 60.0  # grey level of a photo's lightest places, below which the dark is why no sheet was found
LIKE_FLOOR = 0.15  # of the floor's own places that look less like floor than what passes for it
COLOUR_BINS = 32

EDGE_PLACES, EDGE_REACH_MM, EDGE_STEP_MM = 40, 12.0, 0.25  # profiles across a side, and their points
EDGE_PLATEAU = 12  # points at either end of a profile that show paper and floor
EDGE_BESIDE_MM = 8.0  # on either side of an edge: there the mask must have paper and floor
MIN_EDGE_CONTRAST = 20.0  # grey levels
MIN_EDGES = 5  # profiles of a side

FLAT_GRID = 64  # places along either side of a photo or a sheet at which flatness is looked at
MIN_UNBURNT_SHARE = 0.1  # of those places


class SheetError(Exception):
    """A photo without an answer. code: sheet_not_found or sheet_cut_off; message: one line with the way out."""

    def __init__(self, code, message):
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self):
        return self.message


@dataclass(frozen=True)
class Caution:
    """A warning: something makes the answer less certain. code: from the closed list in the README."""

    code: str
    message: str


@dataclass(frozen=True)
class Figures:
    """What the gate looks at.

    side_px: mean side of the sheet in the photo. level: median grey level of the paper, 0..255. burnt_share: of the
    feet or of the floor beside the sheet, whichever is more, so bright that nothing is to be seen. edge_mm: width of
    the sheet's edges, None where none could be measured. outside_share: of the sheet outside the photo. border_sides:
    paper of this sheet along the photo's border, in sides of the sheet. second_share: of sheet in one piece outside
    the quadrilateral to the quadrilateral itself. notches: floor within the paper's convex hull and between edges of
    paper, the two largest pieces, shares of the hull. flat_share: of places that are not burnt, those without the
    least noise.
    """

    side_px: float
    level: float
    burnt_share: float
    edge_mm: float | None
    outside_share: float
    border_sides: float
    second_share: float
    notches: tuple
    flat_share: float


def look(rgb, mask, decision, corners):
    """Figures of a photo.

    rgb: uint8 (H, W, 3). mask: class ids uint8 (h, w) over the whole photo. decision: scenes.camera.SheetDecision.
    corners: (4, 2) px of the photo.
    """
    height, width = rgb.shape[:2]
    quad = np.asarray(corners, float)
    scale = np.array([mask.shape[1] / width, mask.shape[0] / height])
    plan = _Plan(rgb, mask, scale, decision)
    side_px = mean_side(quad)
    return Figures(
        side_px=side_px,
        level=plan.paper_level(),
        burnt_share=plan.burnt_share(),
        edge_mm=edge_width_mm(rgb, mask, decision),
        outside_share=float(1 - plan.inside[plan.on_sheet].mean()),
        border_sides=paper_on_border(mask, to_resized(quad, scale)) / max(side_px * scale.mean(), 1e-9),
        second_share=second_sheet_share(mask, to_resized(quad, scale)),
        notches=plan.notches(),
        flat_share=flat_share(rgb, quad),
    )


def check(figures):
    """Raises SheetError where there is no answer to be given."""
    if figures.outside_share > CUT_OFF_SHARE:
        raise SheetError("sheet_cut_off", f"{figures.outside_share:.0%} of the sheet is outside the photo, and at most "
                                          f"{CUT_OFF_SHARE:.0%} may be: photograph the whole sheet")
    if figures.border_sides > BORDER_SIDES and figures.outside_share < INSIDE_SHARE:
        raise SheetError("sheet_cut_off", "the sheet is cut off by the photo's border and its corners cannot be told: "
                                          "photograph the whole sheet")


def explained(error, rgb):
    """The SheetError of a photo in which no sheet was found, with the reason where the photo as a whole tells one."""
    if error.code != "sheet_not_found":
        return error
    thumbnail = cv2.cvtColor(_decimated(rgb, max(rgb.shape) / 512), cv2.COLOR_RGB2GRAY)
    brightest = float(np.percentile(thumbnail, 95))
    reason = None
    if brightest < NIGHT_LEVEL:
        reason = f"the photo is dark (grey level {brightest:.0f} of 255 at its lightest): give it more light"
    elif (thumbnail >= BURNT).mean() > 0.5:
        reason = "most of the photo is overexposed: give it less light"
    elif flat_share(rgb) > FLAT_SHARE:
        reason = "this seems to be a drawing or a screenshot: send the photo itself"
    return error if reason is None else SheetError(error.code, f"no sheet of paper found, and {reason}")


def cautions(figures, decision, corners, feet, format_free):
    """Every Caution that a photo deserves, in the order of the sheet, the photo, the feet: tuple.

    decision: scenes.camera.SheetDecision. corners: four with a state of deploy.meter.STATES. feet: deploy.feet.Foot.
    format_free: whether the sheet's format was to be found out.
    """
    return (*_of_sheet(figures, decision, corners, format_free), *_of_photo(figures), *_of_feet(decision, feet))


def _of_sheet(figures, decision, corners, format_free):
    for state, code, what in (("covered", "corner_covered", "covered: its place is where the edges would meet"),
                              ("outside", "corner_outside", "outside the photo: its place is an estimate")):
        numbers = [str(i + 1) for i, corner in enumerate(corners) if corner.state == state]
        if numbers:
            yield Caution(code, f"corner {', '.join(numbers)} is {what}")
    if figures.side_px < SMALL_SIDE_PX:
        yield Caution("sheet_small", f"the sheet's sides are {figures.side_px:.0f} pixels on average, and need "
                                     f"{SMALL_SIDE_PX:.0f}: go nearer")
    if format_free and decision.confidence < SURE_FORMAT:
        yield Caution("format_uncertain", f"the sheet may not be {decision.format.name} (confidence "
                                          f"{decision.confidence:.2f}): say its format")
    smaller, larger = figures.notches[1], figures.notches[0]
    if figures.second_share > SECOND_SHEET_SHARE or (smaller > NOTCH_SHARES[0] and larger < NOTCH_SHARES[1]):
        yield Caution("more_than_one_sheet", "there seems to be a second sheet: leave one in the photo")


def _of_photo(figures):
    if figures.flat_share > FLAT_SHARE:
        yield Caution("not_a_photo", "this seems to be a drawing or a screenshot: send the photo itself")
    if figures.level < DARK_LEVEL:
        yield Caution("too_dark", f"the sheet is dark (grey level {figures.level:.0f} of 255): give it more light")
    if figures.burnt_share > BURNT_SHARE:
        yield Caution("overexposed", f"{figures.burnt_share:.0%} of the foot or of the floor beside the sheet is as "
                                     "white as light can make it: give it less light")
    # Noise makes edges of its own in the dark, and nothing is left of an edge between two burnt surfaces.
    if figures.edge_mm is not None and figures.edge_mm > EDGE_MM:
        yield Caution("blurred", f"the photo is blurred (the sheet's edges are {figures.edge_mm:.0f} mm wide): hold "
                                 "still and focus")


def _of_feet(decision, feet):
    if not feet:
        yield Caution("foot_not_found", "no foot found on the sheet")
        return
    if decision.camera.tilt_deg > STEEP_DEG:
        yield Caution("steep_view", f"the camera is tilted by {decision.camera.tilt_deg:.0f} degrees: "
                                    "measures from the side are uncertain; photograph from above")
    if any(foot.touches_border for foot in feet):
        yield Caution("foot_cut_off", "a foot is cut off by the photo's border: its measures are too small")
    over = min(foot.share_on_sheet for foot in feet)
    if over < OVER_EDGE_SHARE:
        yield Caution("foot_over_edge", f"{1 - over:.0%} of a foot is beyond the sheet's edge, where it is told less "
                                        "well from floor and leg: stand on the sheet with the whole foot")
    if any(foot.heel_hidden for foot in feet):
        yield Caution("heel_hidden", "the leg hides a heel: that foot's length is estimated from the rest of "
                                     "its outline; photograph from straight above or from the toes' side")


def second_sheet_share(mask, quad):
    """Area of the largest piece of sheet outside a quadrilateral (4, 2) px of the mask, as a share of its own area."""
    centre = quad.mean(axis=0)
    grown = centre + (quad - centre) * SECOND_SHEET_MARGIN
    rest = (mask == SHEET).astype(np.uint8)
    cv2.fillConvexPoly(rest, np.rint(grown).astype(np.int32), 0)
    _, _, stats, _ = cv2.connectedComponentsWithStats(rest, connectivity=4)
    largest = stats[1:, cv2.CC_STAT_AREA].max() if len(stats) > 1 else 0
    return float(largest / max(cv2.contourArea(quad.astype(np.float32)), 1.0))


def paper_on_border(mask, quad):
    """How many pixels of a mask's border show paper of the sheet with corners (4, 2) px of the mask, and not another.
    """
    height, width = mask.shape
    x, y = np.arange(width), np.arange(height)
    border = np.concatenate([np.column_stack(pair) for pair in (
        (x, np.zeros_like(x)), (x, np.full_like(x, height - 1)), (np.zeros_like(y), y), (np.full_like(y, width - 1), y),
    )])  # fmt: skip
    border = border[mask[border[:, 1], border[:, 0]] == SHEET]
    centre = quad.mean(axis=0)
    grown = centre + (quad - centre) * SECOND_SHEET_MARGIN
    along, to = np.roll(grown, -1, axis=0) - grown, border[:, None] - grown
    turns = along[:, 0] * to[..., 1] - along[:, 1] * to[..., 0]
    return int(((turns >= 0).all(axis=1) | (turns <= 0).all(axis=1)).sum())


def edge_width_mm(rgb, mask, decision):
    """Over how many millimetres the sheet's edges run from floor to paper; None where no edge is plain to see.

    Of a profile across an edge that is its contrast over its steepest slope: 2.5 sigma of a Gaussian blur, the length
    of a smear across it. A side's width is that of its sharper profiles, for curled paper and shadows have soft ones;
    of the sides the second widest counts, for a smear leaves two of four sharp.
    """
    widths = []
    scale = np.array([mask.shape[1] / rgb.shape[1], mask.shape[0] / rgb.shape[0]])
    sheet_to_image, own = decision.camera.sheet_to_image, corners_mm(decision.format, decision.long_side)
    offsets = np.arange(-EDGE_REACH_MM, EDGE_REACH_MM + EDGE_STEP_MM / 2, EDGE_STEP_MM)
    for a, b in zip(own, np.roll(own, -1, axis=0), strict=True):
        outward = np.array([b[1] - a[1], a[0] - b[0]]) / np.linalg.norm(b - a)
        outward *= np.sign(outward @ (a + b))  # the sheet's centre is the origin
        places = a + (b - a) * np.linspace(0.08, 0.92, EDGE_PLACES)[:, None]
        grey, inside = _profiles(rgb, sheet_to_image, places[:, None] + offsets[:, None] * outward)
        within, beyond = (_classes(mask, scale, transform(sheet_to_image, places + side * EDGE_BESIDE_MM * outward))
                          for side in (-1, 1))
        contrast = np.abs(grey[:, :EDGE_PLATEAU].mean(axis=1) - grey[:, -EDGE_PLATEAU:].mean(axis=1))
        slope = np.abs(grey[:, 2:] - grey[:, :-2])[:, EDGE_PLATEAU:-EDGE_PLATEAU].max(axis=1) / (2 * EDGE_STEP_MM)
        plain = inside & (within == SHEET) & (beyond == BACKGROUND) & (contrast >= MIN_EDGE_CONTRAST) & (slope > 0)
        if plain.sum() >= MIN_EDGES:
            widths.append(float(np.percentile(contrast[plain] / slope[plain], 25)))
    return sorted(widths)[-2:][0] if widths else None


def _profiles(rgb, sheet_to_image, points):
    """Grey levels float32 (N, M) at points (N, M, 2) mm of the sheet, and which rows are wholly in the photo: (N,)."""
    places = transform(sheet_to_image, points.reshape(-1, 2)).reshape(points.shape).astype(np.float32)
    inside = ((places >= 0) & (places <= [rgb.shape[1] - 1, rgb.shape[0] - 1])).all(axis=(1, 2))
    seen = cv2.remap(rgb, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return cv2.cvtColor(seen, cv2.COLOR_RGB2GRAY).astype(np.float32), inside


def _classes(mask, scale, points):
    """Class ids (N,) of a mask at points (N, 2) px of the photo, the nearest ones for points outside."""
    places = np.rint(to_resized(points, scale)).astype(int)
    places = np.clip(places, 0, [mask.shape[1] - 1, mask.shape[0] - 1])
    return mask[places[:, 1], places[:, 0]]


def flat_share(rgb, quad=None):
    """Share of the places on a grid whose 3 x 3 pixels are all alike; no sensor makes such, but compression does.

    rgb: uint8 (H, W, 3). quad: (4, 2) px within whose upright box to look; None for the whole photo. Burnt places are
    alike in any photo, and do not count; 0 where nearly all are.
    """
    height, width = rgb.shape[:2]
    low, high = (np.zeros(2), np.array([width, height])) if quad is None else (quad.min(axis=0), quad.max(axis=0))
    x, y = (np.linspace(max(a, 1), min(b, size - 2), FLAT_GRID).astype(int)
            for a, b, size in zip(low, high, (width, height), strict=True))
    centre = rgb[np.ix_(y, x)]
    alike = np.ones(centre.shape[:2], bool)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            alike &= (rgb[np.ix_(y + down, x + right)] == centre).all(axis=-1)
    told = (centre < BURNT).any(axis=-1)
    return float(alike[told].mean()) if told.mean() > MIN_UNBURNT_SHARE else 0.0


class _Plan:
    """A photo's sheet and what lies round it as seen from straight above, on a grid of STEP_MM.

    inside: bool (h, w), in the photo. on_sheet: bool (h, w), within the sheet's format. classes: uint8 (h, w), of the
    mask, BACKGROUND outside the photo. rgb: uint8 (h, w, 3).
    """

    def __init__(self, rgb, mask, scale, decision):
        own = corners_mm(decision.format, decision.long_side)
        half = np.ptp(own, axis=0) / 2
        across, along = (np.arange(-reach, reach + STEP_MM / 2, STEP_MM) for reach in half + RIM_MM)
        self.on_sheet = (np.abs(along) <= half[1])[:, None] & (np.abs(across) <= half[0])
        sheet_to_image = np.asarray(decision.camera.sheet_to_image, float)
        # Pixels of the grid to those of the photo. Beyond the horizon a point of the floor has no place in the photo,
        # though the formula gives one: there the grid is cut.
        to_photo = sheet_to_image @ [[STEP_MM, 0.0, across[0]], [0.0, STEP_MM, along[0]], [0.0, 0.0, 1.0]]
        x, y = np.arange(len(across)), np.arange(len(along))[:, None]
        depth = to_photo[2, 0] * x + to_photo[2, 1] * y + to_photo[2, 2]
        seen = np.sign(depth) == np.sign(sheet_to_image[2, 2])
        to_mask = np.array([[scale[0], 0.0, 0.5 * scale[0] - 0.5], [0.0, scale[1], 0.5 * scale[1] - 0.5],
                            [0.0, 0.0, 1.0]])
        self.inside = seen & (self._warped(np.ones(rgb.shape[:2], np.uint8), to_photo) > 0)
        self.classes = np.where(self.inside, self._warped(mask, to_mask @ to_photo), BACKGROUND)
        self.rgb = self._warped(rgb, to_photo)

    def _warped(self, picture, to_picture):
        """A picture's nearest pixels on the grid, 0 outside it. to_picture: (3, 3), from pixels of the grid."""
        return cv2.warpPerspective(picture, to_picture, self.on_sheet.shape[::-1],
                                   flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)

    def paper_level(self):
        """Median grey level of the paper; of all that the quadrilateral holds where the mask sees no paper."""
        grey = cv2.cvtColor(self.rgb, cv2.COLOR_RGB2GRAY)
        on_sheet = self.on_sheet & self.inside
        paper = on_sheet & (self.classes == SHEET)
        values = grey[paper if paper.any() else on_sheet]
        return float(np.median(values)) if len(values) else float(np.median(grey))

    def burnt_share(self):
        """Of the feet, or of the floor BESIDE_MM round the sheet, whichever is more."""
        burnt = (self.rgb >= BURNT).all(axis=2) & self.inside
        beside = _grown(self.on_sheet, BESIDE_MM) & ~_grown(self.on_sheet, SPILL_MM) & self.inside
        beside &= self.classes == BACKGROUND
        feet = _grown(self.on_sheet, BESIDE_MM) & (self.classes > SHEET)
        return max((float(burnt[part].mean()) for part in (beside, feet) if part.any()), default=0.0)

    def notches(self):
        """Floor within the convex hull of the paper, where paper's outline would be convex but for what covers it: the
        two largest pieces, shares of the hull, larger first.

        What covers it is told from floor by colour: floor looks like what lies right beside the paper, outside the
        hull.
        """
        paper = (self.classes >= SHEET).astype(np.uint8)
        count, pieces, stats, _ = cv2.connectedComponentsWithStats(paper)
        if count < 2:
            return 0.0, 0.0
        largest = pieces == 1 + np.argmax(stats[1:, cv2.CC_STAT_AREA])
        sheet = _opened(largest & (self.classes == SHEET))
        if not sheet.any():
            return 0.0, 0.0
        hull = np.zeros(paper.shape, np.uint8)
        cv2.fillConvexPoly(hull, cv2.convexHull(cv2.findNonZero(sheet.astype(np.uint8))), 1)
        bare = self.inside & ~_grown(paper > 0, SPILL_MM)
        floor = bare & _grown(sheet, BESIDE_MM) & ~_grown(hull > 0, SPILL_MM)
        deep = bare & ~_grown(hull == 0, SPILL_MM)
        if not floor.any() or not deep.any():
            return 0.0, 0.0
        smooth = cv2.blur(self.rgb, (3, 3))  # grain and gaps between planks are no floor of another kind
        alike = np.zeros(paper.shape, bool)
        alike[deep] = _looks_like(smooth[deep], smooth[floor])
        _, pieces, stats, _ = cv2.connectedComponentsWithStats(_opened(alike).astype(np.uint8))
        areas = stats[1:, cv2.CC_STAT_AREA]
        largest = 1 + np.argsort(-areas)[:NOTCHES]
        shares = [float(areas[piece - 1] / hull.sum()) for piece in largest
                  if self._is_in_paper(pieces == piece, hull > 0)]
        return tuple([*shares, 0.0, 0.0][:2])

    def _is_in_paper(self, notch, hull):
        """Whether a notch bool (h, w) is one between edges of paper: those of a leg have foot or leg beside them."""
        beside = self.classes[_grown(notch, NOTCH_BESIDE_MM) & ~notch & hull]
        return (len(beside) > 0 and (beside == SHEET).mean() > NOTCH_PAPER
                and (beside > SHEET).mean() < NOTCH_FEET)


def _grown(region, by_mm):
    """A region bool (h, w) of the grid with all that is within a square's reach of it."""
    reach = int(round(by_mm / STEP_MM))
    return cv2.dilate(region.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0


def _opened(region):
    return cv2.morphologyEx(region.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0


def _looks_like(colours, reference):
    """Which of the colours uint8 (N, 3) are as frequent among the reference (M, 3) as most of these are: bool (N,)."""
    colours, reference = (cv2.cvtColor(part[None], cv2.COLOR_RGB2LAB)[0] for part in (colours, reference))
    counts = cv2.calcHist([reference[:, None]], [0, 1, 2], None, [COLOUR_BINS] * 3, [0, 256] * 3)
    for axis in range(3):
        counts = (np.roll(counts, 1, axis) + 2 * counts + np.roll(counts, -1, axis)) / 4
    found, usual = (counts[tuple((part // (256 // COLOUR_BINS)).T)] for part in (colours, reference))
    return found >= np.quantile(usual, LIKE_FLOOR)


def _decimated(rgb, factor):
    step = max(1, int(factor))
    return np.ascontiguousarray(rgb[::step, ::step])
