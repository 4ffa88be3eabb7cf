import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("mxnet")
pytest.importorskip("gluoncv")

from keypoints import predictions  # noqa: E402
from keypoints.conditions import under  # noqa: E402
from keypoints.config import TrainConfig  # noqa: E402
from keypoints.decoding import METHODS, corners_in_photo  # noqa: E402
from keypoints.loader import Example, load_examples, plain_batches, read_samples  # noqa: E402
from keypoints.run import RunError  # noqa: E402
from scenes.conditions import Condition  # noqa: E402
from scenes.prediction_files import cache_file, samples_sha256, with_condition  # noqa: E402

TINY = TrainConfig(height=64, width=96, batch=2)
FACE = TrainConfig(height=64, width=64, batch=2, joints=5)


def targets_of(examples, config):
    """What a network without error would say."""
    return next(plain_batches(examples, replace(config, batch=len(examples)))).targets


@pytest.mark.parametrize("fit", ["letterbox", "stretch", "turn"])
@pytest.mark.parametrize("condition", [None, Condition("turn", 60), Condition("turn", 180), Condition("contrast", 0.4)])
def test_what_was_drawn_is_found_where_it_is_in_the_photo(sheets, fit, condition):
    config = replace(TINY, fit=fit, height=128, width=192)  # so large that no peak reaches into another
    # Held at half the size: three frames lie between the maps and the photo.
    examples = load_examples(read_samples(sheets, config), 60)
    changed, turns = zip(*(under(condition, example) for example in examples), strict=True)
    found, scores, visibility = corners_in_photo(targets_of(changed, config), changed, config, turns=turns)
    truth = np.array([example.corners_in_photo for example in examples])
    np.testing.assert_allclose(found, truth, atol=0.05)
    assert (scores > 0.7).all() and visibility is None
    rough = corners_in_photo(targets_of(changed, config), changed, config, "argmax", turns)[0]
    assert 0.1 < np.abs(rough - truth).max() < 4  # photo pixels in half a heatmap pixel, at most


@pytest.mark.parametrize("condition", [None, Condition("turn", 60)])
def test_coordinates_need_no_maps(sheets, condition):
    config = replace(TINY, model="regression_resnet18_v1b", width=64)
    examples = load_examples(read_samples(sheets, config), 60)
    changed, turns = zip(*(under(condition, example) for example in examples), strict=True)
    outputs = targets_of(changed, config)
    found, scores, visibility = corners_in_photo(outputs, changed, config, turns=turns)
    np.testing.assert_allclose(found, [example.corners_in_photo for example in examples], atol=1e-3)
    assert np.isnan(scores).all() and visibility is None
    assert predictions.heatmap_figures(outputs, outputs, config) == {}


def test_shared_maps_tell_what_is_covered(sheets):
    config = replace(TINY, maps="shared")
    examples = load_examples(read_samples(sheets, config), 240)
    found, _, visibility = corners_in_photo(targets_of(examples, config), examples, config)
    np.testing.assert_allclose(found, [example.corners_in_photo for example in examples], atol=0.3)
    assert visibility.shape == (4, 4, 3)
    truth = np.array([example.visibility for example in examples])
    assert (visibility.argmax(axis=2) == 2 - truth).all()
    figures = predictions.heatmap_figures(np.zeros((1, 3, 2, 2)), np.full((1, 3, 2, 2), 0.5), config)
    assert figures["mse"].tolist() == [0.25] and set(figures) == {"mse", "mae"}


def test_maps_of_the_sheet_are_decoded_and_judged_by_their_peaks(sheets):
    config = replace(TINY, maps="sheet")
    examples = load_examples(read_samples(sheets, config), 240)
    outputs = targets_of(examples, config)
    outputs[:, 3] = 8 * outputs[:, 3] - 4
    found, _, visibility = corners_in_photo(outputs, examples, config)
    np.testing.assert_allclose(found, [example.corners_in_photo for example in examples], atol=1.0)
    truth = np.array([example.visibility for example in examples])
    assert (visibility.argmax(axis=2) == 2 - truth).all()
    # What is said of the interior is in logits, and no peak.
    drawn = np.zeros((1, 4, 2, 2))
    drawn[:, 3] = 50
    figures = predictions.heatmap_figures(drawn, np.full((1, 4, 2, 2), 0.5), config)
    assert figures["mse"].tolist() == [0.25] and figures["mae"].tolist() == [0.5] and set(figures) == {"mse", "mae"}


def face():
    points = np.array([[20.0, 20], [60, 25], [40, 40], [25, 60], [np.nan, np.nan]])
    rgb = np.full((80, 80, 3), 90, np.uint8)
    return Example("face", rgb, None, points, np.array([2, 2, 1, 2, 0]), (160, 160))


@pytest.mark.parametrize("model", ["simple_pose_resnet18_v1b", "regression_resnet18_v1b"])
def test_other_keypoints_stay_in_their_order(model):
    config = replace(FACE, model=model)
    found, scores, visibility = corners_in_photo(targets_of([face()], config), [face()], config)
    assert found.shape == (1, 5, 2) and scores.shape == (1, 5) and visibility is None
    np.testing.assert_allclose(found[0, :4], face().corners_in_photo[:4], atol=0.1)


def some_predictions(count=2):
    rng = np.random.default_rng(0)
    points = {method: rng.random((count, 4, 2)) * 100 for method in METHODS}
    scores = {method: np.where(rng.random((count, 4)) < 0.5, np.nan, 0.25) for method in METHODS}
    heatmaps = {"mse": rng.random(count), "near": np.array([[1.0, 0.0, np.nan, 1.0]] * count)}
    return predictions.Predictions(list("ab")[:count], points, scores, dict.fromkeys(METHODS), heatmaps)


def test_a_cache_gives_back_what_was_kept_to_the_last_bit(tmp_path):
    kept, origin = some_predictions(), {"weights_sha256": "1", "condition": None}
    assert predictions.cached(tmp_path, origin, ["a", "b"]) is None
    predictions.keep(tmp_path, origin, kept)
    found = predictions.cached(tmp_path, origin, ["a", "b"])
    for part in ("points", "scores", "heatmaps"):
        for name, values in getattr(kept, part).items():
            np.testing.assert_array_equal(getattr(found, part)[name], values)
    assert found.visibility == kept.visibility and found.names == kept.names
    # NaN is no JSON: what others read must be.
    text = cache_file(tmp_path, origin).read_text()
    json.loads(text, parse_constant=lambda name: pytest.fail(name))
    assert predictions.cached(tmp_path, origin | {"weights_sha256": "2"}, ["a", "b"]) is None


def test_a_mixed_or_broken_cache_is_refused(tmp_path):
    origin = {"weights_sha256": "1", "condition": None}
    predictions.keep(tmp_path, origin, some_predictions())
    file = cache_file(tmp_path, origin)
    document = json.loads(file.read_text())
    with pytest.raises(RunError, match="other weights, samples or settings"):
        predictions.cached(tmp_path, origin, ["a", "c"])
    mixed = document | {"made_of": origin | {"weights_sha256": "2"}}
    incomplete = {"made_of": origin, "names": ["a", "b"]}
    for text in (json.dumps(mixed), json.dumps(document)[:-20], "[]", json.dumps(incomplete)):
        file.write_text(text)
        with pytest.raises(RunError, match=f"{file.name} cannot be used.*remove it"):
            predictions.cached(tmp_path, origin, ["a", "b"])


def test_parts_are_joined_in_order():
    one = some_predictions()
    both = predictions.joined([one, one])
    assert both.names == ["a", "b", "a", "b"] and both.visibility == one.visibility
    np.testing.assert_array_equal(both.points["dark"][2:], one.points["dark"])
    assert both.heatmaps["near"].shape == (4, 4)


def test_the_hash_of_samples_follows_truth_and_files(sheets):
    samples = read_samples(sheets, TINY)
    first = samples_sha256(samples)
    assert samples_sha256(read_samples(sheets, TINY)) == first
    assert samples_sha256(samples[:3]) != first
    moved = replace(samples[0], corners=samples[0].corners + 1)
    assert samples_sha256([moved, *samples[1:]]) != first
    with_masks = samples_sha256(samples, masks=True)
    samples[0].mask_path.write_bytes(b"other")
    assert samples_sha256(samples) == first != with_masks
    assert samples_sha256(samples, masks=True) != with_masks
    with open(samples[2].image_path, "ab") as file:
        file.write(b"1")
    assert samples_sha256(samples) != first


def test_what_decides_the_outputs_is_in_the_origin(tmp_path):
    (tmp_path / "best.params").write_bytes(b"weights")
    origin = predictions.made_of(tmp_path, TINY, "best", "samples")
    assert origin["settings"]["width"] == 96 and origin["settings"]["maps"] == "each"
    # How it was trained does not matter once there are weights; what it is given does.
    assert predictions.made_of(tmp_path, replace(TINY, learning_rate=0.5, epochs=3), "best", "samples") == origin
    for changed in ({"fit": "stretch"}, {"input": "mask"}, {"width": 128}):
        assert predictions.made_of(tmp_path, replace(TINY, **changed), "best", "samples") != origin
    turned = with_condition(origin, Condition("turn", 15))
    files = {cache_file(tmp_path, one) for one in (turned, with_condition(origin, None))}
    assert len(files) == 2 and origin.get("condition") is None
