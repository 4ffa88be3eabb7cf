"""Moves that are known, found again; and what is called what."""

import cv2
import numpy as np
import pytest

from experiments.displacement import (
    DESTROYED,
    GROWS,
    NOTHING,
    OUTLINES,
    SHIFTS,
    SPREADS,
    VARIES,
    Move,
    compare_masks,
    find_move,
    is_seen,
    kind,
    undo,
)

HEIGHT, WIDTH = 160, 120


def scene(move=None, left=35):
    """Probabilities float32 (160, 120, 4) of a sheet with a foot on it, each pixel's place moved by a Move."""
    move = move or Move()
    middle_x, middle_y = (WIDTH - 1) / 2, (HEIGHT - 1) / 2
    x = (np.arange(WIDTH)[None] - middle_x - move.shift_x) / (1 + move.growth_x / middle_x) + middle_x
    y = (np.arange(HEIGHT)[:, None] - middle_y - move.shift_y) / (1 + move.growth_y / middle_y) + middle_y

    def within(low, high, value):
        return 1 / (1 + np.exp(-(value - low) / 2)) - 1 / (1 + np.exp(-(value - high) / 2))

    sheet, foot = within(left, left + 50, x) * within(40, 120, y), within(left + 12, left + 32, x) * within(60, 135, y)
    picture = np.zeros((HEIGHT, WIDTH, 4), np.float32)
    picture[..., 2] = foot
    picture[..., 1] = sheet * (1 - foot)
    picture[..., 0] = 1 - picture.sum(axis=-1)
    return picture


MOVES = [Move(), Move(-7.4, 5.2), Move(0.3, -0.2), Move(0, 0, 6.0, 8.0), Move(-5.0, -6.0, -5.0, -6.0), Move(25.0, 0)]


@pytest.mark.parametrize("move", MOVES)
def test_a_move_is_found_again(move):
    found = find_move(scene(), scene(move))
    assert [*found.at(0, 0), *found.at(1, 1)] == pytest.approx([*move.at(0, 0), *move.at(1, 1)], abs=0.15)


def test_undoing_a_move_brings_the_mask_back():
    move = Move(-7.0, 5.0, 3.0, 0.0)
    back, inside = undo(move, scene(move))
    assert (back.argmax(-1) == scene().argmax(-1))[inside].mean() > 0.995
    assert not inside[:, :5].any() and inside[20:140, 20:100].all()


@pytest.mark.parametrize(("move", "wanted"), [
    (Move(), NOTHING), (Move(-7.0, -7.0), SHIFTS), (Move(0, 0, 6.0, 8.0), SPREADS),
    (Move(-5.0, -6.0, -5.0, -6.0), GROWS),
])  # fmt: skip
def test_what_a_displacement_looks_like(move, wanted):
    native = np.stack([scene(), scene(left=20)])
    found = compare_masks(native, np.stack([scene(move), scene(move, left=20)]))
    assert kind(found) == wanted and is_seen(found, WIDTH) == (wanted != NOTHING)
    assert found["explained"] is None if wanted == NOTHING else found["explained"] > 0.8
    assert found["spread"] < 0.3 and found["classes"]["right_foot"] is None
    assert found["first"] == pytest.approx(move.first, abs=0.3) and found["last"] == pytest.approx(move.last, abs=0.3)
    # The foot's middle is a little left of, and below, that of the picture.
    for own in found["classes"]["left_foot"].values():
        assert own == pytest.approx(move.at(-0.1, 0.23), abs=0.8)


def test_a_small_shift_is_there_and_not_seen():
    found = compare_masks(scene()[None], scene(Move(1.5, 0))[None])
    assert kind(found) == SHIFTS and is_seen(found, WIDTH) and not is_seen(found, 200)
    assert found["changed"] > 1e-3 and found["iou"]["sheet"] < 1 and found["iou"]["right_foot"] is None


def test_another_shift_on_each_photo_is_told():
    native = np.stack([scene(), scene()])
    found = compare_masks(native, np.stack([scene(Move(12.0, 0)), scene(Move(0, 12.0))]))
    assert kind(found) == VARIES and found["spread"] == pytest.approx(12, abs=0.3)


def test_what_is_no_move_is_not_called_one():
    native = scene()[None]
    stripes = np.roll(np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) // 7 % 4, 3, axis=0)
    found = compare_masks(native, np.eye(4, dtype=np.float32)[stripes][None])
    assert kind(found) == DESTROYED and not is_seen(found, WIDTH)
    coarse = cv2.resize(native[0], (WIDTH // 8, HEIGHT // 8), interpolation=cv2.INTER_AREA)
    rough = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)
    assert kind(compare_masks(native, rough[None])) == OUTLINES
