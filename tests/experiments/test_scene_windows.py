from dataclasses import replace

import cv2
import numpy as np
import pytest

from experiments.scene_windows import best_window, chosen_windows, write_windows
from scenes.checking import check_dataset
from scenes.dataset import read_dataset, read_mask, write_annotations
from scenes.images import read_photo
from segmentation.metrics import edges


def blocks(width=120, height=160, left=30, top=60):
    """A mask with the sheet and both feet as blocks side by side, of 3/20 of a window each, background around."""
    mask = np.zeros((height, width), np.uint8)
    for label in (1, 2, 3):
        mask[top : top + 75, left + 20 * (label - 1) : left + 20 * label] = label
    return mask


def test_the_window_with_the_shortest_outline_is_taken():
    """Found by trying all."""
    rng = np.random.default_rng(2)
    mask = cv2.resize(rng.integers(0, 4, (6, 5), np.uint8), (110, 115), interpolation=cv2.INTER_NEAREST)
    found = {}
    for top in range(115 - 100 + 1):
        for left in range(110 - 100 + 1):
            part = np.s_[top : top + 100, left : left + 100]
            if np.bincount(mask[part].ravel(), minlength=4).min() >= 1000:
                found[left, top, 100] = edges(mask)[part].sum() / 100**2
    window, outline = best_window(mask, 0.1)
    assert len(set(found.values())) > 3 and outline == min(found.values()) == found[window]
    assert window[1] == min(top for (_, top, _), value in found.items() if value == outline)
    assert best_window(mask, 0.3) is None and best_window(mask[:99]) is None
    assert best_window(np.repeat(np.repeat(mask, 2, 0), 2, 1), 0.1)[0][2] == 110


@pytest.fixture
def data(make_sheets):
    """Four photos; the first has no feet, the others have outlines that are the shorter the later they come."""
    folder = make_sheets("data", 4)
    for number in (1, 2, 3):
        mask = blocks()
        mask[60:70:2, 30 : 30 + 12 - 4 * number] = 0
        cv2.imwrite(str(folder / "masks" / f"{number:06d}.png"), mask)
    return folder


def test_scenes_of_short_outlines_come_first(data):
    samples = read_dataset(data)
    assert [sample.name for sample, _ in chosen_windows(samples, 2)] == ["000003", "000002"]
    with pytest.raises(ValueError, match=r"of 4 scenes 3 have .* 4 are needed"):
        chosen_windows(samples, 4)


def test_windows_are_a_dataset(data, tmp_path):
    samples = read_dataset(data)
    corners = [[30.0, 20], [80, 50], [70, 149.5], [-1, -1]]
    samples[3] = replace(samples[3], name="train/000003", corners=np.array(corners), visibility=np.array([2, 2, 1, 0]))
    folder = tmp_path / "windows"
    write_windows(folder, [(samples[3], (10, 50, 100)), (samples[2], (10, 60, 100))])
    first, second = read_dataset(folder)
    assert not check_dataset(folder)
    assert (first.name, first.width, first.height, first.attributes) == ("train-000003", 100, 100, {"split": "train"})
    np.testing.assert_array_equal(first.corners, [[20, -30], [70, 0], [60, 99.5], [-1, -1]])
    assert first.visibility.tolist() == [0, 2, 0, 0]
    for window, sample, top in ((first, samples[3], 50), (second, samples[2], 60)):
        part = np.s_[top : top + 100, 10:110]
        np.testing.assert_array_equal(read_photo(window.image_path).rgb, read_photo(sample.image_path).rgb[part])
        np.testing.assert_array_equal(read_mask(window.mask_path), read_mask(sample.mask_path)[part])
    write_annotations(folder, [first])
    write_windows(folder, [])  # what is there stays
    assert len(read_dataset(folder)) == 1
