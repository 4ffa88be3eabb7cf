import json
import os
from collections import Counter

import cv2
import numpy as np
import pytest

from scenes.checking import check_dataset
from scenes.dataset import DatasetError, read_dataset, read_mask, write_annotations
from scenes.labels import LEFT_FOOT, RIGHT_FOOT, SHEET
from scenes.preparation.cleaning import class_changes, clean_dataset, clean_mask


def clean_slowly(mask, window):
    """The rules of clean_mask, pixel by pixel."""
    result = np.empty_like(mask)
    for y, x in np.ndindex(mask.shape):
        def count(radius, y=y, x=x):
            return Counter(mask[max(y - radius, 0):y + radius + 1, max(x - radius, 0):x + radius + 1].ravel().tolist())

        wide, near = count(window // 2), count(1)
        result[y, x] = max(wide, key=lambda c: (wide[c], c == mask[y, x], near[c], -c))
    return result


@pytest.mark.parametrize("window", [3, 5, 9])
def test_it_is_the_majority_pixel_by_pixel(window):
    mask = np.random.default_rng(window).integers(0, 4, (17, 23), dtype=np.uint8)
    given = mask.copy()
    cleaned = clean_mask(mask, window)
    assert (cleaned == clean_slowly(mask, window)).all()
    assert cleaned.dtype == np.uint8 and (mask == given).all()
    assert (clean_mask(mask[:, ::-1], window) == cleaned[:, ::-1]).all()


def test_ties_are_decided_by_own_class_then_nearness_then_the_smallest_id():
    assert clean_mask(np.array([[3, 1]], np.uint8), 3).tolist() == [[3, 1]]
    # Twice 1 and twice 2 in the window; the two 2 are nearer.
    assert clean_mask(np.array([[1, 2, 0, 2, 1]], np.uint8))[0, 2] == 2
    # Twice 1 and twice 2, as near.
    assert clean_mask(np.array([[2, 0, 1], [2, 3, 1]], np.uint8), 3)[0, 1] == 1


def test_straight_borders_stay_to_the_edge_of_the_picture():
    mask = np.zeros((30, 40), np.uint8)
    mask[:, 17:] = SHEET
    assert (clean_mask(mask) == mask).all()
    assert (clean_mask(mask.T) == mask.T).all()


def test_specks_go_and_so_do_narrow_lines():
    mask = np.full((40, 40), SHEET, np.uint8)
    mask[10, 10], mask[30, 30:32] = LEFT_FOOT, RIGHT_FOOT
    mask[20:22] = LEFT_FOOT
    assert (clean_mask(mask) == SHEET).all()
    mask[20:23] = LEFT_FOOT
    assert (clean_mask(mask)[20:23, 2:-2] == LEFT_FOOT).all()


def test_the_line_that_interpolation_leaves_between_two_classes_goes():
    # Halfway from sheet (1) to right foot (3), class ids interpolated give a left foot (2).
    mask = np.full((20, 20), SHEET, np.uint8)
    mask[:, 10:] = RIGHT_FOOT
    damaged = mask.copy()
    damaged[:, 10] = LEFT_FOOT
    cleaned = clean_mask(damaged)
    assert (cleaned != LEFT_FOOT).all()
    assert (cleaned != mask).any(axis=0).sum() <= 1


def near_borders(mask):
    """bool (H, W): pixels with another class among the eight around them."""
    kernel = np.ones((3, 3), np.uint8)
    return cv2.dilate(mask, kernel) != cv2.erode(mask, kernel)


def other_classes(mask, rng, share=0.25):
    """A share of the pixels at borders have another class at random."""
    hit = near_borders(mask) & (rng.random(mask.shape) < share)
    return np.where(hit, (mask + rng.integers(1, 4, mask.shape)) % 4, mask).astype(np.uint8)


def ragged(mask, rng, share=0.25):
    """A share of the pixels at borders have the class of a pixel at most two away."""
    y, x = np.indices(mask.shape)
    dy, dx = rng.integers(-2, 3, (2, *mask.shape))
    moved = mask[np.clip(y + dy, 0, mask.shape[0] - 1), np.clip(x + dx, 0, mask.shape[1] - 1)]
    return np.where(rng.random(mask.shape) < share, moved, mask)


def interpolated(mask, rng):
    """Class ids moved by a part of a pixel as if they were grey, which is what the thesis suspects: between sheet and
    right foot appears a line of left foot. Nearest neighbours would have left the mask as it is."""
    shift = np.array([[1, 0, rng.uniform(-0.45, 0.45)], [0, 1, rng.uniform(-0.45, 0.45)]])
    moved = cv2.warpAffine(mask.astype(np.float32), shift, mask.shape[::-1], flags=cv2.INTER_LINEAR,
                           borderMode=cv2.BORDER_REPLICATE)
    return np.round(moved).astype(np.uint8)


def restored(mask, damaged):
    """(share of damaged pixels that cleaning puts right, share of wrong pixels before, after)."""
    wrong, cleaned = damaged != mask, clean_mask(damaged)
    return (cleaned == mask)[wrong].mean(), wrong.mean(), (cleaned != mask).mean()


def invented(mask, damaged):
    """bool (H, W): pixels of a class that no pixel at most two away has in the clean mask."""
    around = [cv2.dilate((mask == label).astype(np.uint8), np.ones((5, 5), np.uint8)) for label in range(4)]
    return np.take_along_axis(np.stack(around), damaged[None].astype(int), axis=0)[0] == 0


# At least so much of the damage is put right, and so much of the error is left at most.
@pytest.mark.parametrize("damage, share_restored, error_left", [(other_classes, 0.8, 0.5), (ragged, 0.75, 0.95)])
def test_borders_damaged_on_purpose_are_put_right(masks, damage, share_restored, error_left):
    rng = np.random.default_rng(11)
    put_right, before, after = np.mean([restored(mask, damage(mask, rng)) for mask in masks], axis=0)
    print(f"{damage.__name__}: {put_right:.1%} of the damage put right, error {before:.3%} -> {after:.3%}")
    assert before > 0.005
    assert put_right > share_restored
    assert after < error_left * before


def test_classes_that_interpolation_invented_go(masks):
    # Which side a pixel of the line was of is lost, so that half of them come out right at best; but few stay what
    # neither side is.
    rng = np.random.default_rng(11)
    before = after = 0
    for mask in masks:
        damaged = interpolated(mask, rng)
        before += invented(mask, damaged).sum()
        after += invented(mask, clean_mask(damaged)).sum()
    print(f"invented pixels: {before} -> {after}")
    assert before > 300
    assert after < 0.15 * before


def test_a_clean_mask_stays_nearly_as_it_is(masks):
    for mask in masks:
        changed = clean_mask(mask) != mask
        assert changed.mean() < 0.005  # toes and the narrow gaps between them
        assert not (changed & ~near_borders(mask)).any()


@pytest.mark.parametrize("window", [0, 1, 4, -3, 257])
def test_a_window_without_a_middle_is_refused(window):
    with pytest.raises(ValueError, match=f"window is {window} "):
        clean_mask(np.zeros((4, 4), np.uint8), window)


def test_what_is_no_mask_is_refused():
    with pytest.raises(ValueError, match="float64"):
        clean_mask(np.zeros((4, 4)))
    with pytest.raises(ValueError, match=r"\(4, 4, 3\)"):
        clean_mask(np.zeros((4, 4, 3), np.uint8))


def test_changes_are_counted_from_class_to_class():
    changes = class_changes(np.array([[0, 1, 1, 3]], np.uint8), np.array([[0, 2, 2, 0]], np.uint8))
    expected = np.zeros((4, 4), int)
    expected[1, 2], expected[3, 0] = 2, 1
    assert (changes == expected).all()


# A whole dataset


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def damaged(make_dataset, masks):
    rng = np.random.default_rng(4)
    return make_dataset([other_classes(mask, rng) for mask in masks[:3]])


def test_a_dataset_is_copied_with_clean_masks(damaged, tmp_path):
    before = contents(damaged)
    seen = []
    report = clean_dataset(damaged, tmp_path / "new" / "clean", progress=lambda *at: seen.append(at))
    out = tmp_path / "new" / "clean"
    after = contents(out)
    assert contents(damaged) == before
    assert set(after) == set(before) | {"cleaning.json"}
    assert all(after[name] == before[name] for name in before if not name.startswith("masks/"))
    assert check_dataset(out) == []
    assert sorted(path.name for path in out.parent.iterdir()) == ["clean"]
    assert seen == [(1, 3), (2, 3), (3, 3)]
    changed = {}
    for old, new in zip(read_dataset(damaged), read_dataset(out), strict=True):
        assert (read_mask(new.mask_path) == clean_mask(read_mask(old.mask_path))).all()
        changed[old.name] = int((read_mask(new.mask_path) != read_mask(old.mask_path)).sum())
    assert report.masks == 3 and report.pixels == 3 * 320 * 240
    assert report.changes.sum() == sum(changed.values()) > 0
    assert report.most_changed == max(changed.items(), key=lambda item: item[1])
    assert report.problems == () and report.kept == ()
    assert json.loads((out / "cleaning.json").read_text()) == report.to_json()


def test_the_window_is_handed_on(damaged, tmp_path):
    clean_dataset(damaged, tmp_path / "out", window=9)
    mask = read_mask(damaged / "masks" / "000001.png")
    assert (read_mask(tmp_path / "out" / "masks" / "000001.png") == clean_mask(mask, 9)).all()


def test_photos_are_copied_or_linked(damaged, tmp_path):
    name = "images/000000.png"
    clean_dataset(damaged, tmp_path / "copied")
    clean_dataset(damaged, tmp_path / "linked", link=True)
    assert not os.path.samefile(damaged / name, tmp_path / "copied" / name)
    assert os.path.samefile(damaged / name, tmp_path / "linked" / name)
    assert not os.path.samefile(damaged / "masks/000000.png", tmp_path / "linked" / "masks/000000.png")


def test_without_links_photos_are_copied(damaged, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    monkeypatch.setattr("scenes.preparation.cleaning.os.link", refuse)
    clean_dataset(damaged, tmp_path / "out", link=True)
    assert contents(tmp_path / "out")["images/000000.png"] == contents(damaged)["images/000000.png"]


def test_an_interruption_leaves_nothing_behind(damaged, tmp_path):
    def stop(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        clean_dataset(damaged, tmp_path / "out", progress=stop)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


def test_nothing_is_written_over_or_into_the_dataset(damaged, tmp_path):
    with pytest.raises(ValueError, match="not empty"):
        clean_dataset(damaged, damaged)
    with pytest.raises(ValueError, match="inside the dataset"):
        clean_dataset(damaged, damaged / "masks" / "clean")
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="not empty"):
        clean_dataset(damaged, tmp_path / "file")
    (tmp_path / "empty").mkdir()
    clean_dataset(damaged, tmp_path / "empty")
    assert check_dataset(tmp_path / "empty") == []


def test_faults_are_named_and_copied_as_they_are(damaged, tmp_path):
    (damaged / "images" / "000000.png").unlink()
    (damaged / "masks" / "000001.png").write_bytes(b"nothing")
    mask = read_mask(damaged / "masks" / "000002.png")
    mask[0, 0] = 200
    cv2.imwrite(str(damaged / "masks" / "000002.png"), mask)
    report = clean_dataset(damaged, tmp_path / "out")
    assert [line.split(": ")[0] for line in report.problems] == [
        str(damaged / name) for name in ("images/000000.png", "masks/000001.png", "masks/000002.png")]
    assert report.masks == 1
    given = [(fault.file, fault.rule) for fault in check_dataset(damaged)]
    assert [(fault.file, fault.rule) for fault in check_dataset(tmp_path / "out")] == given and len(given) == 3


def test_a_foot_that_the_annotations_tell_of_is_not_cleaned_away(make_dataset, tmp_path):
    mask = np.full((120, 120), SHEET, np.uint8)
    mask[50:52, 50:52] = LEFT_FOOT
    folder = make_dataset([mask], feet=("left",))
    report = clean_dataset(folder, tmp_path / "out")
    assert len(report.kept) == 1 and "left_foot" in report.kept[0]
    assert report.problems == () and report.most_changed is None
    assert (read_mask(tmp_path / "out" / "masks" / "000000.png") == mask).all()


def test_specks_of_a_foot_that_nobody_tells_of_go(make_dataset, tmp_path):
    mask = np.full((120, 120), SHEET, np.uint8)
    mask[50:52, 50:52] = LEFT_FOOT
    report = clean_dataset(make_dataset([mask], feet=()), tmp_path / "out")
    assert report.kept == () and report.changes[LEFT_FOOT, SHEET] == 4


def test_a_dataset_without_masks_has_nothing_to_clean(damaged, tmp_path):
    write_annotations(damaged, read_dataset(damaged), masks=False)
    with pytest.raises(DatasetError, match="without masks"):
        clean_dataset(damaged, tmp_path / "out")
    assert not (tmp_path / "out").exists()
