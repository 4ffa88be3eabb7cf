"""Evaluation with a stub for the network: it reads the classes off the colours of the dataset's photos."""

import json

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from scenes import conditions
from scenes.images import InputSpec
from scenes.labels import PALETTE
from segmentation import commands, failures, photo_findings, predictions, subject
from segmentation.config import ConfigError, TrainConfig
from segmentation.evaluate import evaluate, judge, summarise_sides
from segmentation.photo_findings import in_quadrangle, photo_figures
from segmentation.predictions import ClassMaps

CONFIG = TrainConfig(height=64, width=96, pools=(1, 2, 4))
COLOURS = np.array([[40, 90, 60], [250, 250, 250], [220, 60, 40], [40, 60, 220]], np.float32)  # of make_dataset
FEW = {"brightness": (0.2,), "turn": (45, 180)}


def by_colour(images):
    """Probabilities (N, h, w, 4) that are 1 for the class whose colour is nearest."""
    distance = np.linalg.norm(images[..., None, :].astype(np.float32) - COLOURS, axis=-1)
    return np.eye(4, dtype=np.float32)[distance.argmin(axis=-1)]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run folder without a network; calls of the stub are counted in `run.calls`."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"schema": 1, "train": CONFIG.to_json()}))
    (folder / "best.weights.h5").write_bytes(b"weights")
    calls = []

    def predict(model, config, images):
        calls.append(len(images))
        return by_colour(images)

    monkeypatch.setattr(subject, "load_network", lambda run: (None, CONFIG))
    monkeypatch.setattr(subject, "predict_batches", predict)
    monkeypatch.setattr(conditions, "STEPS", FEW)
    # TensorFlow refuses another number of threads once it has computed something, as it may have in this process.
    monkeypatch.setattr(commands, "_prepare_tensorflow", lambda threads: 1)
    return folder, calls


def annotate(data, feet):
    """Writes which feet the photos of a dataset show, as annotations of photos say it."""
    file = data / "annotations.json"
    document = json.loads(file.read_text())
    for annotation, told in zip(document["annotations"], feet, strict=True):
        annotation["attributes"] = {"feet": told}
    file.write_text(json.dumps(document))
    return data


def call(*arguments):
    return CliRunner().invoke(commands.segmentation, ["evaluate", *map(str, arguments)])


def test_every_sample_counts_once_and_is_predicted_once(make_dataset, run):
    folder, calls = run
    data = make_dataset(11)
    result = evaluate(folder, data, with_conditions=True)
    matrix = np.array(result["confusion_matrix"])
    assert result["samples"] == len(result["per_sample"]) == 11 and matrix.sum() == 11 * 112 * 112
    assert calls == [8, 3] * 4  # the photos as they are and three steps
    assert result["mean_iou"] > 0.95 and result["left_right_confusion"] < 0.01
    assert result["boundary"]["mean_f"] > 0.99 and result["feet"]["right_side"] == 11
    assert result["mean_f1"]["over_classes_of_one_matrix"] == result["mean_dice"]
    assert result["at_network_size"]["mean_iou"] > 0.9
    # Weights have changed, or a photo: predicted again. Neither: never.
    assert evaluate(folder, data, with_conditions=True) == result and len(calls) == 8
    (folder / "best.weights.h5").write_bytes(b"other")
    assert evaluate(folder, data)["weights_sha256"] != result["weights_sha256"] and len(calls) == 10
    with open(data / "images" / "000003.jpg", "ab") as file:
        file.write(b"1")
    evaluate(folder, data)
    assert len(calls) == 12


def test_truth_turns_with_the_photo_and_the_rest_is_not_counted(make_dataset, run):
    result = evaluate(run[0], make_dataset(2), with_conditions=True)
    dark, turned, upside_down = result["conditions"]
    assert (dark["name"], turned["name"], turned["value"], turned["unit"]) == ("brightness", "turn", 45, "degrees")
    assert dark["mean_iou"] < 0.5 < 0.9 < turned["mean_iou"] and upside_down["mean_iou"] > 0.95
    counted = [np.sum(step["confusion_matrix"]) for step in result["conditions"]]
    assert counted[0] == counted[2] == 2 * 112 * 112 > counted[1] > 1.5 * 112 * 112
    assert turned["boundary"]["mean_f"] > 0.95


def test_which_samples_and_what_is_refused(make_dataset, run, tmp_path):
    folder, _ = run
    data = make_dataset(5, ("train", "validation"))
    judgement = judge(folder, data)
    assert judgement.result["split"] == "validation" and judgement.result["samples"] == 2
    assert judgement.path == folder / "evaluation-data-validation.json"
    assert json.loads(judgement.path.read_text()) == judgement.result
    assert judge(folder, data, "all").path.name == "evaluation-data.json"
    for arguments, word in (((folder, data, "--split", "test"), "no sample of split 'test'"),
                            ((data, data), "no run"), ((folder, data, "--photos", "--split", "all"), "have none"),
                            ((folder, data, "--failures", folder), "is not empty")):
        done = call(*arguments)
        assert done.exit_code == 1 and word in done.output and len(done.output.splitlines()) == 1
    cv2.imwrite(str(data / "masks" / "000001.png"), np.zeros((90, 112), np.uint8))
    assert "differs from (112, 112)" in call(folder, data).output
    (data / "masks" / "000001.png").unlink()
    assert "no mask at" in call(folder, data).output
    cv2.imwrite(str(data / "images" / "000001.jpg"), np.zeros((120, 112, 3), np.uint8))
    assert "000001.jpg: size (112, 120)" in call(folder, data).output


def test_the_command_prints_tables_and_draws_the_worst(make_dataset, run, tmp_path):
    folder, calls = run
    data = make_dataset(4)
    mask = cv2.imread(str(data / "masks" / "000002.png"), cv2.IMREAD_UNCHANGED)
    mask[mask == 3] = 2
    cv2.imwrite(str(data / "masks" / "000002.png"), mask)
    done = call(folder, data, "--conditions", "--failures", tmp_path / "worst", "--worst", 2, "--json",
                tmp_path / "new" / "a.json", "--threads", 1)
    assert done.exit_code == 0, done.output
    for words in ("boundary F, 2 px", "what the pixels of a class are called", "45 degrees", "over samples and classes",
                  "3 of 4", "worst/contact-sheet.png"):
        assert words in done.output.replace("\n", "")
    result = json.loads((tmp_path / "new" / "a.json").read_text())
    assert result["worst"][0] == "000002" and len(result["worst"]) == 2
    assert result["per_sample"][2]["left_right_confusion"] == 1 and result["per_sample"][2]["mean_iou"] < 0.6
    pictures = sorted(path.name for path in (tmp_path / "worst").iterdir())
    assert len(pictures) == 3 and pictures[0] == "01-000002.png"
    assert cv2.imread(str(tmp_path / "worst" / "01-000002.png")).shape[1] == 3 * failures.PICTURE_PX


def test_a_mixed_or_broken_cache_is_refused(make_dataset, run):
    folder, _ = run
    data = make_dataset(2)
    evaluate(folder, data)
    file, = (folder / "predictions").iterdir()
    whole = file.read_bytes()
    for content in (whole[:-30], b"", whole.replace(b"000001", b"000009")):
        file.write_bytes(content)
        with pytest.raises(ConfigError, match=f"{file.name} cannot be used.*remove it"):
            evaluate(folder, data)


@pytest.mark.parametrize("fit", ["letterbox", "stretch", "turn"])
def test_class_maps_lie_as_the_photo_does(fit):
    truth = np.zeros((120, 80), np.uint8)
    truth[20:100, 20:60], truth[40:80, 28:44] = 1, 3
    spec = InputSpec(48, 72, fit)
    maps = predictions.predict(by_colour, spec, ["a"], lambda index: COLOURS.astype(np.uint8)[truth])
    assert maps.at_photo(0).shape == truth.shape and np.mean(maps.at_photo(0) == truth) > 0.95
    sizes = {"letterbox": (48, 32), "stretch": (48, 72), "turn": (72, 48)}
    assert maps.at_input(0).shape == sizes[fit] and maps.at_input(0).dtype == np.uint8
    small = cv2.resize(truth, sizes[fit][::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    assert np.mean(maps.at_input(0) == small) > 0.93


# Photos of which the corners alone are annotated


def test_pixels_in_a_quadrangle_by_hand():
    square = np.array([[0.5, 0.5], [2.5, 0.5], [2.5, 2.5], [0.5, 2.5]])
    expected = np.zeros((4, 5), bool)
    expected[1:3, 1:3] = True
    np.testing.assert_array_equal(in_quadrangle((4, 5), square), expected)
    np.testing.assert_array_equal(in_quadrangle((4, 5), square[::-1]), expected)
    # A corner outside the photo; a square on its tip.
    assert in_quadrangle((4, 5), np.array([[-9, -9], [99, -9], [99, 1.5], [-9, 1.5]])).sum() == 10
    assert in_quadrangle((5, 5), np.array([[2, 0.4], [3.6, 2], [2, 3.6], [0.4, 2]])).sum() == 5


def test_figures_of_a_photo_by_hand():
    corners = np.array([[0.5, 0.5], [4.5, 0.5], [4.5, 4.5], [0.5, 4.5]])  # 16 pixels
    classes = np.zeros((6, 8), np.uint8)
    classes[1:5, 1:4] = 1  # a row of the sheet is lost, of a leg perhaps
    classes[2:4, 2] = 3
    classes[0, :2] = 1
    told = photo_figures(classes, corners, "right")
    assert told["inside_sheet_or_foot"] == 12 / 16 and told["inside_foot"] == 2 / 16
    assert told["sheet_outside"] == pytest.approx(2 / 12, abs=1e-6)
    assert told["sides_found"] == ["right"] and told["side_right"] and told["majority_right"]
    classes[4, 2] = 2  # a toe of the other side: the majority stays
    told = photo_figures(classes, corners, "right")
    assert told["sides_found"] == ["left", "right"] and not told["side_right"] and told["majority_right"]
    assert told["majority_share"] == pytest.approx(2 / 3, abs=1e-6)
    told = photo_figures(np.zeros((6, 8), np.uint8), corners, "none")
    assert told["inside_sheet_or_foot"] == 0 and told["sheet_outside"] is None and told["sides_found"] == []
    assert told["majority"] is told["side_right"] is told["majority_right"] is None and told["feet"] == "none"
    corners[1] = np.nan
    assert photo_figures(classes, corners, None)["inside_sheet_or_foot"] is None


def test_annotated_photos_are_judged_without_masks(make_dataset, run, tmp_path):
    folder, calls = run
    # Odd ones show a left foot: that of the third is called a right one.
    data = annotate(make_dataset(5), ["right", "left", "left", "both", "none"])
    for mask in (data / "masks").iterdir():
        mask.unlink()
    done = call(folder, data, "--photos", "--conditions", "--failures", tmp_path / "all", "--worst", 1)
    assert done.exit_code == 0, done.output
    assert "side right: 2 of 3 (of most foot pixels: 2); no foot found where there is none: 0 of 1" in done.output
    result = json.loads((folder / "evaluation-data.json").read_text())
    assert result["samples"] == 5 and result["inside_sheet_or_foot"]["min"] > 0.98
    assert result["sheet_outside"]["max"] < 0.08 and result["worst"] == ["000002.jpg"]
    assert result["conditions"][1]["inside_sheet_or_foot"]["mean"] > 0.97  # turned with their corners
    assert len(list((tmp_path / "all").iterdir())) == 6
    evaluate(folder, data, photos=True)
    assert len(calls) == 4


def test_large_photos_are_held_smaller_with_corners_that_follow(run, tmp_path):
    folder, _ = run
    data = tmp_path / "photos"
    data.mkdir()
    image = np.full((800, 400, 3), COLOURS[0][::-1], np.uint8)
    image[100:700, 100:300] = 250
    cv2.imwrite(str(data / "a.png"), image)
    corners = [99.5, 99.5, 2, 299.5, 99.5, 2, 299.5, 699.5, 2, 0, 0, 0]
    document = {"images": [{"id": 1, "file_name": "a.png", "width": 400, "height": 800}],
                "annotations": [{"image_id": 1, "keypoints": corners}], "categories": []}
    (data / "annotations.json").write_text(json.dumps(document))
    one = subject.open_subject(folder, data, photos=True)
    assert one.size(0) == (96, 192) and one.photo(0).shape == (192, 96, 3)
    np.testing.assert_allclose(one.corners(0)[:3], [[23.5, 23.5], [71.5, 23.5], [71.5, 167.5]])
    assert np.isnan(one.corners(0)[3]).all()


def test_photos_with_a_wrong_side_come_first():
    findings = photo_findings.PhotoFindings.__new__(photo_findings.PhotoFindings)
    findings.per_sample = [
        {"majority_right": wrong, "side_right": wrong, "inside_sheet_or_foot": inside}
        for wrong, inside in ((None, 0.9), (True, 0.95), (False, 0.99), (None, None), (True, 0.5))
    ]
    assert findings.worst() == [2, 4, 0, 1, 3]


# Pictures


def test_pictures_show_classes_in_their_colours_and_corners_where_they_are():
    rgb = np.full((40, 80, 3), [30, 60, 90], np.uint8)
    mask = np.zeros((40, 80), np.uint8)
    mask[:, 40:] = 2
    photo, shown = failures.panels_of(rgb, mask)
    assert photo.shape == shown.shape == (240, 480, 3) and photo[5, 5].tolist() == [30, 60, 90]
    assert shown[90, 100].tolist() == [60, 60, 60]
    np.testing.assert_array_equal(shown[90, 300], np.round(0.4 * 60 + 0.6 * PALETTE[2]))
    drawn = failures.outlined(photo, np.array([[10.25, 10.25], [60, 10.25], [60, 30], [10.25, 30]]), (80, 40))
    np.testing.assert_allclose(drawn[64, 200].astype(int), failures.CORNERS, atol=25)
    np.testing.assert_array_equal(drawn[80:160, 80:340], photo[80:160, 80:340])
    for unknown in (np.nan, 1e9):
        corners = np.array([[10, 10], [60, 10], [60, 30], [10, unknown]])
        np.testing.assert_array_equal(failures.outlined(photo, corners, (80, 40)), photo)


def test_maps_are_kept_as_they_are(tmp_path):
    maps = predictions.predict(by_colour, InputSpec(16, 24, "letterbox"), ["a", "b"],
                               lambda index: np.full((30, 20, 3), COLOURS[index + 1], np.uint8))
    origin = {"weights_sha256": "1", "condition": None}
    assert predictions.cached(tmp_path, origin, ["a", "b"]) is None
    predictions.keep(tmp_path, origin, maps)
    found = predictions.cached(tmp_path, origin, ["a", "b"])
    assert isinstance(found, ClassMaps) and (found.photo, found.input) == (maps.photo, maps.input)
    assert np.unique(found.at_photo(0)) == 1 and np.unique(found.at_input(1)) == 2
    assert predictions.cached(tmp_path, origin | {"weights_sha256": "2"}, ["a", "b"]) is None
    with pytest.raises(ConfigError, match="other weights, samples or settings"):
        predictions.cached(tmp_path, origin, ["a", "c"])


def test_summarise_sides():
    assert summarise_sides([(2, 2), (3, 2), (3, -1), (2, 2)]) == {
        "count": 4, "right_side": 2, "wrong_side": 1, "undecided": 1, "left_right_confusion": 0.333333,
    }
