"""The sheet's interior as a map, and the four edges of such a map: the one gives back what the other drew."""

import cv2
import numpy as np
import pytest

from keypoints.outlines import (
    area,
    encode_interior,
    filled,
    fitted,
    is_convex,
    lines_of,
    meeting,
    outline,
    overlap,
    quadrangles,
    rough_overlap,
)
from keypoints.peaks import to_input

STRIDE = 4
SIZE = (64, 48)
SQUARE = np.array([[2.0, 1.0], [6.0, 1.0], [6.0, 5.0], [2.0, 5.0]])


def sheet_like(rng, degrees, length, centre):
    """A random convex quadrangle (4, 2), clockwise, heatmap pixels: a sheet of about `length`, turned."""
    turn = np.deg2rad(degrees)
    box = np.array([[-0.5, -0.7], [0.5, -0.7], [0.5, 0.7], [-0.5, 0.7]]) * length
    box += rng.uniform(-0.15, 0.15, (4, 2)) * length
    return box @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + centre


def area_inside(quad):
    """Of the part of a quadrangle that lies in the map: OpenCV's, of polygons and without any pixels."""
    height, width = SIZE
    border = np.array([[-0.5, -0.5], [width - 0.5, -0.5], [width - 0.5, height - 0.5], [-0.5, height - 0.5]])
    return cv2.intersectConvexConvex(quad.astype(np.float32), border.astype(np.float32))[0]


def lengths(quad):
    return np.linalg.norm(np.roll(quad, -1, axis=0) - quad, axis=1)


def shares_of_edges_inside(quad):
    """How much of each edge lies in the map: (4,)."""
    along = np.linspace(0, 1, 101)[:, None, None]
    points = quad + (np.roll(quad, -1, axis=0) - quad) * along
    return ((points >= 0) & (points <= np.array(SIZE[::-1]) - 1)).all(axis=2).mean(axis=0)


def off(found, quad):
    """Distances of corners from those of a quadrangle that may begin with another one: (4,)."""
    return min((np.linalg.norm(np.roll(found, k, axis=0) - quad, axis=1) for k in range(4)), key=max)


def round_trip(quad):
    share = filled(quad, SIZE)
    return off(fitted(outline(share), share), quad)


# --- drawing ---------------------------------------------------------------------------------------------------------


def test_shares_of_pixels_by_hand():
    # Pixel 3 reaches from 2.5 to 3.5: of the first column a quarter is left out, of the last row a half.
    quad = np.array([[2.75, 1.5], [6.5, 1.5], [6.5, 4.0], [2.75, 4.0]])
    expected = np.zeros((7, 9))
    expected[2:5, 3:7] = 1
    expected[:, 3] *= 0.75
    expected[4] *= 0.5
    drawn = filled(quad, (7, 9))
    assert drawn.dtype == np.float32
    np.testing.assert_allclose(drawn, expected, atol=0.5 / 255)


@pytest.mark.parametrize("where", ["inside", "across the border", "far away"])
def test_the_shares_add_up_to_the_area(where):
    rng = np.random.default_rng(0)
    first, last, shortest, longest = {
        "inside": ((20, 28), (27, 36), 12, 24), "across the border": ((0, 0), (47, 63), 20, 50),
        "far away": ((10, 10), (37, 53), 4, 8)}[where]  # fmt: skip
    errors, crossing = [], 0
    for degrees in range(0, 360, 3):
        quad = sheet_like(rng, degrees, rng.uniform(shortest, longest), rng.uniform(first, last))
        drawn = encode_interior(to_input(quad, STRIDE), SIZE, STRIDE)
        assert drawn.shape == SIZE and 0 <= drawn.min() and drawn.max() <= 1
        crossing += area(quad) > 1.01 * area_inside(quad)
        errors.append((drawn.sum() - area_inside(quad)) / lengths(quad).sum())
    assert crossing > 100 if where == "across the border" else crossing == 0
    # So far a border lies off on the whole, in heatmap pixels; on the average of many it does not.
    assert np.abs(errors).max() < 0.08 and abs(np.mean(errors)) < 0.015


def test_no_pixel_is_off_by_a_quarter():
    rng = np.random.default_rng(1)
    parts = (np.arange(16) + 0.5) / 16 - 0.5
    y, x = ((np.arange(count)[:, None] + parts).ravel() for count in SIZE)
    for degrees in range(0, 360, 24):
        quad = sheet_like(rng, degrees, rng.uniform(8, 40), (23.4, 31.6))
        inside = np.ones((len(y), len(x)), bool)
        for a, b, c in lines_of(quad):
            inside &= a * x + b * y[:, None] + c > 0
        truth = inside.reshape(SIZE[0], 16, SIZE[1], 16).mean(axis=(1, 3))
        assert np.abs(filled(quad, SIZE) - truth).max() < 0.25


@pytest.mark.parametrize("far", [1e3, 1e5, 1e9])
def test_a_corner_however_far_away_draws_what_is_in_the_map(far):
    quad = np.array([[10.0, 20.0], [30.0, 10.0], [30 + far, 40 + far], [10 - far, 60 + far]])
    assert filled(quad, SIZE).sum() == pytest.approx(area_inside(np.clip(quad, -2e3, 2e3)), rel=0.01)
    assert not filled(quad + [0, far + 100], SIZE).any()


@pytest.mark.parametrize("unknown", [np.nan, np.inf])
def test_an_interior_that_nobody_can_tell_is_no_share(unknown):
    corners = to_input(SQUARE, STRIDE)
    corners[2, 1] = unknown
    drawn = encode_interior(corners, SIZE, STRIDE)
    assert drawn.shape == SIZE and drawn.dtype == np.float32 and (drawn == -1).all()


# --- geometry --------------------------------------------------------------------------------------------------------


def test_edges_of_a_square_by_hand():
    # y - 1, 6 - x, 5 - y and x - 2 are above zero inside.
    np.testing.assert_allclose(lines_of(SQUARE), [[0, 1, -1], [-1, 0, 6], [0, -1, 5], [1, 0, -2]], atol=1e-12)


def test_edges_meet_in_the_corners_they_are_of():
    rng = np.random.default_rng(2)
    for degrees in range(0, 360, 15):
        quad = sheet_like(rng, degrees, 20, (23.4, 31.6))
        lines = lines_of(quad)
        np.testing.assert_allclose(meeting(lines, np.zeros((4, 2))), quad, atol=1e-9)
        np.testing.assert_allclose(np.linalg.norm(lines[:, :2], axis=1), 1)
        assert (lines @ [*quad.mean(axis=0), 1] > 0).all()


def test_edges_that_are_all_but_parallel_meet_nowhere():
    # The first three corners are in a line: where its two edges meet is left open.
    flat = np.array([[0.0, 0.0], [5.0, 0.0], [10.0, 0.01], [5.0, 8.0]])
    found = meeting(lines_of(flat), np.full((4, 2), 77.0))
    assert found[1].tolist() == [77, 77]
    np.testing.assert_allclose(found[[0, 2, 3]], flat[[0, 2, 3]], atol=1e-9)
    assert np.isfinite(meeting(lines_of(np.full((4, 2), 3.0)), SQUARE)).all()


def test_area_and_overlap_by_hand():
    assert area(SQUARE) == area(SQUARE[::-1]) == 16
    assert area([[0, 0], [4, 0], [5, 2], [1, 2]]) == 8
    share = filled(SQUARE, SIZE)
    assert overlap(SQUARE, share) == pytest.approx(1)
    # Moved by half its width: 8 of 24 square pixels are in both.
    assert overlap(SQUARE + [2, 0], share) == pytest.approx(1 / 3, abs=1e-3)
    assert overlap(SQUARE, share / 2) == pytest.approx(0.5)  # a network that is half sure
    assert overlap(SQUARE + 20, share) == overlap(SQUARE, np.zeros(SIZE, np.float32)) == 0


def test_the_rough_overlap_is_nearly_the_same():
    rng = np.random.default_rng(12)
    for degrees in range(0, 360, 24):
        quad = sheet_like(rng, degrees, rng.uniform(16, 24), (23.4, 31.6))
        share = filled(quad, SIZE)
        moved = quad + rng.uniform(-3, 3, (4, 2))
        assert rough_overlap(quad, share) > 0.85
        assert rough_overlap(moved, share) == pytest.approx(overlap(moved, share), abs=0.12)
        assert rough_overlap(quad + 200, share) == rough_overlap(quad, np.zeros(SIZE, np.float32)) == 0


def test_which_quadrangles_are_convex():
    assert is_convex(SQUARE) and is_convex(np.roll(SQUARE, 1, axis=0))
    assert not is_convex(SQUARE[::-1])  # counter-clockwise
    assert not is_convex(SQUARE[[0, 2, 1, 3]])  # crossing itself
    assert not is_convex(np.array([[2.0, 1.0], [6.0, 1.0], [3.0, 2.0], [2.0, 5.0]]))  # dented
    assert not is_convex(np.array([[2.0, 1.0], [4.0, 1.0], [6.0, 1.0], [2.0, 5.0]]))  # three in a line


def test_three_points_make_three_parallelograms_by_hand():
    found = {tuple(map(tuple, quad)) for quad in quadrangles(np.array([[2.0, 2.0], [6.0, 2.0], [6.0, 6.0]]))}
    assert found == {
        ((2, 2), (6, 2), (6, 6), (2, 6)),  # opposite the second
        ((2, 2), (6, 2), (10, 6), (6, 6)),  # opposite the first: it begins with the smallest x + y
        ((2, -2), (6, 2), (6, 6), (2, 2)),  # opposite the third
    }


def test_four_points_in_any_order_make_their_quadrangle_and_a_dented_one_none():
    rng = np.random.default_rng(13)
    for degrees in range(0, 360, 24):
        quad = sheet_like(rng, degrees, 20, (23.4, 31.6))
        found = quadrangles(rng.permutation(quad))
        assert min(off(one, quad).max() for one in found) == 0
        assert all(is_convex(one) for one in found) and len(found) <= 1 + 4 * 3
    dented = np.array([[2.0, 1.0], [6.0, 1.0], [3.0, 2.0], [2.0, 5.0]])
    assert not any({*map(tuple, one)} == {*map(tuple, dented)} for one in quadrangles(dented))
    assert quadrangles(np.zeros((0, 2))) == quadrangles(SQUARE[:2]) == []


# --- finding ---------------------------------------------------------------------------------------------------------


def test_a_quadrangle_comes_back_at_every_turn():
    rng = np.random.default_rng(3)
    errors = np.array([round_trip(sheet_like(rng, degrees, rng.uniform(12, 24), rng.uniform((22, 30), (25, 33))))
                       for degrees in range(0, 360, 3)])
    assert np.median(errors) < 0.06 and errors.max() < 0.25  # heatmap pixels


def test_a_small_quadrangle_comes_back():
    rng = np.random.default_rng(4)
    errors = np.array([round_trip(sheet_like(rng, degrees, rng.uniform(4, 8), rng.uniform((12, 12), (35, 51))))
                       for degrees in range(0, 360, 6)])
    assert np.median(errors) < 0.1 and errors.max() < 0.5


def test_corners_outside_the_map_are_where_their_edges_meet():
    rng = np.random.default_rng(5)
    errors, farthest = [], 0.0
    for degrees in range(720):
        quad = sheet_like(rng, degrees, rng.uniform(16, 30), rng.uniform((4, 6), (43, 57)))
        outside = np.maximum(-0.5 - quad, quad - [SIZE[1] - 0.5, SIZE[0] - 0.5]).max()
        # Of every edge most is seen.
        if outside > 0 and shares_of_edges_inside(quad).min() > 0.7:
            errors.append(round_trip(quad).max())
            farthest = max(farthest, outside)
    assert len(errors) > 40 and farthest > 4
    assert np.median(errors) < 0.12 and max(errors) < 0.6


def near_edge(quad, first, last, reach):
    """Pixels nearer than `reach` to a part of the first edge, from share `first` of its length to share `last`."""
    start, end = (quad[0] + part * (quad[1] - quad[0]) for part in (first, last))
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    points = np.stack([x, y], axis=-1).astype(float)
    along = np.clip((points - start) @ (end - start) / ((end - start) @ (end - start)), 0, 1)
    return np.linalg.norm(points - start - along[..., None] * (end - start), axis=-1) < reach


@pytest.mark.parametrize("part", [(0.0, 0.5), (0.25, 0.75), (0.5, 1.0)])
def test_an_edge_of_which_half_is_blurred_is_found_from_the_rest(part):
    rng = np.random.default_rng(6)
    errors = []
    for degrees in range(0, 360, 10):
        quad = sheet_like(rng, degrees, rng.uniform(18, 26), (23.4, 31.6))
        share = filled(quad, SIZE)
        soft = cv2.GaussianBlur(near_edge(quad, *part, 4).astype(np.float32), (0, 0), 1.5)
        share += soft * (cv2.GaussianBlur(share, (0, 0), 3) - share)
        errors.append(off(fitted(outline(share), share), quad).max())
    assert np.median(errors) < 0.3 and max(errors) < 1.5


@pytest.mark.parametrize("part", [(0.0, 0.5), (0.3, 0.8)])
def test_an_edge_of_which_half_is_all_but_wiped_out_is_found_from_near(part):
    """There the map says rather no than yes: its outline has a wide bite, whose edge is as long as what is left of the
    sheet's; from about the right place (peaks tell it) the sheet's is found."""
    rng = np.random.default_rng(7)
    errors, of_outline = [], []
    for degrees in range(0, 360, 10):
        quad = sheet_like(rng, degrees, rng.uniform(18, 26), (23.4, 31.6))
        share = filled(quad, SIZE)
        share[near_edge(quad, *part, 6)] *= 0.4
        of_outline.append(off(outline(share), quad).max())
        errors.append(off(fitted(quad + rng.uniform(-1, 1, (4, 2)), share), quad).max())
    assert np.median(of_outline) > 3
    assert np.median(errors) < 0.15 and max(errors) < 1


def test_an_edge_of_which_nothing_is_seen_stays():
    quad = sheet_like(np.random.default_rng(8), 20, 20, (23.4, 31.6))
    for flat in (0.0, 0.5, 1.0):
        np.testing.assert_allclose(fitted(quad, np.full(SIZE, flat, np.float32)), quad, atol=1e-6)
    share = filled(quad, SIZE)
    share[near_edge(quad, 0, 1, 6)] = 0.5
    found = fitted(quad, share)
    np.testing.assert_allclose(lines_of(found)[2], lines_of(quad)[2], atol=0.3)
    assert np.abs(lines_of(quad)[0] @ [*found[0], 1]) < 3 and np.isfinite(found).all()


def test_the_outline_of_a_map_that_is_not_sure():
    quad = sheet_like(np.random.default_rng(9), 30, 20, (23.4, 31.6))
    blurred = cv2.GaussianBlur(filled(quad, SIZE), (0, 0), 1.5)
    noise = np.random.default_rng(9).normal(0, 0.1, SIZE)
    share = np.clip(0.1 + 0.8 * blurred + noise, 0, 1).astype(np.float32)
    before, after = off(outline(share), quad), off(fitted(outline(share), share), quad)
    assert before.max() < 3 and after.max() < 1.2 and after.mean() < 0.7 * before.mean()


def test_the_largest_piece_has_the_outline():
    quad = sheet_like(np.random.default_rng(10), 10, 14, (20, 26))
    other = sheet_like(np.random.default_rng(10), 70, 7, (38, 55))
    np.testing.assert_array_equal(outline(filled(quad, SIZE) + filled(other, SIZE)), outline(filled(quad, SIZE)))


def test_an_outline_goes_round_clockwise_and_is_convex():
    rng = np.random.default_rng(11)
    for degrees in range(0, 360, 15):
        quad = sheet_like(rng, degrees, rng.uniform(8, 24), (23.4, 31.6))
        found = outline(filled(quad, SIZE))
        lines = lines_of(found)
        assert found.shape == (4, 2)
        assert (lines[:, :2] @ found.T + lines[:, 2:] > -1e-6).all()


@pytest.mark.parametrize("share", [
    np.zeros(SIZE), np.full(SIZE, 0.5), filled(SQUARE / 2, SIZE), np.eye(64, 48), np.eye(64, 48) > 2,
    np.pad(np.ones((1, 20)), ((10, 53), (10, 18))),
], ids=["nothing", "all undecided", "tiny", "single pixels", "false", "a line"])  # fmt: skip
def test_no_sheet_has_no_outline(share):
    assert outline(share.astype(np.float32)) is None


def test_a_map_that_is_all_sheet_has_its_own_outline():
    found = outline(np.ones(SIZE, np.float32))
    assert sorted(found.tolist()) == [[0, 0], [0, 63], [47, 0], [47, 63]]
    assert np.isfinite(fitted(found, np.ones(SIZE, np.float32))).all()
