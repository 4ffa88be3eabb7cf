import numpy as np
import pytest

from scenes.preparation.encoding import class_ids, min_max, one_hot, standardise


def test_standardising_a_hand_computed_pixel():
    result = standardise(np.array([[10, 20, 30]], np.uint8), [20, 20, 20], [5, 10, 20])
    assert result.dtype == np.float32
    assert result.tolist() == [[-2, 0, 0.5]]


def test_standardised_data_have_mean_0_and_deviation_1():
    photo = np.random.default_rng(1).integers(20, 200, (50, 40, 3), dtype=np.uint8)
    result = standardise(photo, photo.mean(axis=(0, 1)), photo.std(axis=(0, 1)))
    assert result.shape == photo.shape
    np.testing.assert_allclose(result.mean(axis=(0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(result.std(axis=(0, 1)), 1, atol=1e-5)


def test_a_channel_of_one_value_cannot_be_standardised():
    with pytest.raises(ValueError, match="above 0"):
        standardise([1, 2, 3], [1, 2, 3], [1, 0, 1])


def test_min_max_goes_from_0_to_1():
    result = min_max(np.array([[10, 0, 50], [20, 255, 60], [15, 51, 50]], np.uint8), [10, 0, 50], [20, 255, 60])
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, [[0, 0, 0], [1, 1, 1], [0.5, 0.2, 0]], atol=1e-7)
    with pytest.raises(ValueError, match="highest value"):
        min_max([1, 2, 3], [0, 5, 0], [1, 5, 1])


def test_one_hot_is_the_published_table():
    assert one_hot(np.arange(4)).tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


@pytest.mark.parametrize("classes", [4, 30, 256])
def test_one_hot_and_back(classes):
    mask = np.random.default_rng(2).integers(0, classes, (13, 17)).astype(np.uint8)
    planes = one_hot(mask, classes)
    assert planes.shape == (13, 17, classes) and planes.dtype == np.uint8
    assert (planes.sum(axis=-1) == 1).all()
    back = class_ids(planes)
    assert back.dtype == np.uint8 and (back == mask).all()


def test_class_ids_of_probabilities():
    assert class_ids([[0.1, 0.6, 0.2, 0.1], [0.0, 0.0, 0.3, 0.7], [0.25, 0.25, 0.25, 0.25]]).tolist() == [1, 3, 0]


@pytest.mark.parametrize("mask, said", [([[0, 4]], "0 to 4"), ([[-1, 2]], "-1 to 2"), ([[0.0, 1.0]], "float64")])
def test_what_is_no_class_is_refused(mask, said):
    with pytest.raises(ValueError, match=said):
        one_hot(np.array(mask))
    with pytest.raises(ValueError, match="planes"):
        class_ids(np.zeros((2, 0)))
