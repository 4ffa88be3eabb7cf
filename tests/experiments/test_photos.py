import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from experiments import photos as module
from experiments.photos import (
    AnnotatedPhoto,
    Evaluation,
    PhotoSet,
    cached_corners,
    corner_errors,
    evaluate,
    predict_corners,
    read_photos,
    read_settings,
)
from keypoints.config import TrainConfig
from keypoints.heatmaps import encode, encode_shared
from scenes.images import input_to_photo
from scenes.sheet import order_corners, transform

SQUARE = np.array([[10.0, 10], [60, 10], [60, 80], [10, 80]])


def annotated(name="a.jpg", corners=SQUARE, visibility=(2, 2, 2, 2), known=(True,) * 4, size=(30, 40)):
    return AnnotatedPhoto(name, None, size, np.array(corners, float), np.array(visibility), np.array(known))


def write_coco(folder, entries, inside=""):
    """entries: (file name, (width, height), twelve keypoints or None)."""
    (folder / inside).mkdir(parents=True, exist_ok=True)
    images, annotations = [], []
    for number, (name, (width, height), keypoints) in enumerate(entries, 1):
        cv2.imwrite(str(folder / inside / name), np.full((height, width, 3), number, np.uint8))
        images.append({"id": number, "file_name": name, "width": width, "height": height})
        annotations.append({"image_id": number} | ({} if keypoints is None else {"keypoints": keypoints}))
    (folder / "annotations.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    return folder


WHOLE = [10, 10, 2, 60, 10, 1, 60, 80, 2, 10, 80, 0]


def test_errors_are_percent_of_the_diagonal_after_the_best_shift():
    # A diagonal of 50: each pixel is 2 %.
    moved = SQUARE + [[3, 4], [0, 0], [0, -1], [0, 0]]
    np.testing.assert_allclose(corner_errors([moved], [annotated()]), [[10, 0, 2, 0]])
    for shift in range(4):
        np.testing.assert_allclose(corner_errors([np.roll(moved, shift, axis=0)], [annotated()]), [[10, 0, 2, 0]])


def test_unknown_corners_count_nowhere_and_one_outside_whose_place_is_known_does():
    truth = SQUARE.copy()
    truth[3] = -1
    photo = annotated(corners=truth, visibility=(2, 1, 2, 0), known=(True, True, True, False))
    errors = corner_errors([SQUARE + [0, 1]], [photo])
    np.testing.assert_allclose(errors, [[2, 2, 2, np.nan]])
    outside = annotated("b.jpg", visibility=(2, 2, 2, 0))
    lost = SQUARE + [[0, 0], [0, 0], [0, 0], [3, 4]]
    result = Evaluation(PhotoSet("p", (photo, outside), "", ""),
                        corner_errors([SQUARE + [0, 1], lost], [photo, outside]))
    assert result.mean() == pytest.approx({"a.jpg": 2, "b.jpg": 2.5})
    assert result.successes() == 1
    assert result.median(2) == 0  # 2, 2 of the first, 0, 0, 0 of the second
    assert result.median(1) == pytest.approx(2)
    assert Evaluation(PhotoSet("p", (outside,), "", ""), corner_errors([lost], [outside])).median(1) is None


def test_three_percent_is_still_a_success():
    errors = np.array([[3.0, 0, 0, 0], [3.001, 0, 0, 0]])
    assert Evaluation(PhotoSet("p", (annotated(), annotated("b.jpg")), "", ""), errors).successes() == 1


@pytest.mark.parametrize("inside", ["", "images"])
def test_photos_lie_beside_their_annotations_or_under_images(tmp_path, inside):
    plain = [10, 10, 2, 0, 0, 0, 60, 80, 2, -1, -1, 0]
    found = read_photos(write_coco(tmp_path / "p", [("a.png", (100, 120), WHOLE), ("no.png", (100, 120), None),
                                                    ("b.png", (120, 100), plain)], inside))
    assert found.names == ["a.png", "b.png"] and found.name == "p"
    one, other = found.photos
    assert one.size == (100, 120) and one.path == tmp_path / "p" / inside / "a.png"
    np.testing.assert_array_equal(one.corners, SQUARE)
    assert one.visibility.tolist() == [2, 1, 2, 0] and one.known.all()
    assert other.known.tolist() == [True, False, True, False]


def test_the_hash_is_that_of_names_and_files(tmp_path):
    first = read_photos(write_coco(tmp_path / "one", [("a.png", (100, 120), WHOLE)]))
    moved = read_photos(write_coco(tmp_path / "two", [("a.png", (100, 120), [0.5, *WHOLE[1:]])]))
    assert first.sha256 == moved.sha256 and first.truth_sha256 != moved.truth_sha256
    other = read_photos(write_coco(tmp_path / "three", [("b.png", (100, 120), WHOLE)]))
    (tmp_path / "one" / "a.png").write_bytes(b"another")
    assert len({first.sha256, other.sha256, read_photos(tmp_path / "one").sha256}) == 3


@pytest.mark.parametrize(("document", "word"), [
    ("{", "cannot be used"),
    ("[" * 400 + "]" * 400, "nested more than"),
    ({"images": [{"id": 1, "file_name": "x" * 300}], "annotations": [{"image_id": 1, "keypoints": WHOLE}]},
     "file_name is 'xxx"),
    ({"images": []}, "without 'annotations'"),
    ({"images": [], "annotations": []}, "0 annotated photos"),
    ({"images": [], "annotations": [{"image_id": 3, "keypoints": WHOLE}]}, "without 3"),
    ([WHOLE[:9]], "four corners"),
    ([[float("nan"), *WHOLE[1:]]], "four corners"),
    ([[10**400, *WHOLE[1:]]], "cannot be used"),
    ([[-1, -1, 0] * 4], "no corner of a.png is known"),
])  # fmt: skip
def test_annotations_that_cannot_be_used_are_said(tmp_path, document, word):
    if isinstance(document, list):
        write_coco(tmp_path, [("a.png", (100, 120), document[0])])
    else:
        (tmp_path / "annotations.json").write_text(document if isinstance(document, str) else json.dumps(document))
    with pytest.raises(ValueError, match=word):
        read_photos(tmp_path)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"annotations\.json"):
        read_photos(tmp_path)
    write_coco(tmp_path, [("a.png", (100, 120), WHOLE)])
    (tmp_path / "a.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"a\.png is not there"):
        read_photos(tmp_path)


def settings_file(tmp_path, content):
    (tmp_path / "settings.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return tmp_path / "settings.json"


def test_settings_put_each_photo_into_one(tmp_path):
    file = settings_file(tmp_path, {"floor": ["a_*.jpg", "b.jpg"], "desk": ["desk[12].png"]})
    names = ["a_1.jpg", "a_2.jpg", "b.jpg", "desk1.png", "desk2.png"]
    assert read_settings(file, names) == dict(zip(names, ["floor"] * 3 + ["desk"] * 2, strict=True))


@pytest.mark.parametrize(("content", "word"), [
    ({"floor": ["a.jpg"]}, "b.jpg is in 0 settings .none."),
    ({"floor": ["*.jpg"], "desk": ["b.*"]}, "b.jpg is in 2 settings .floor, desk."),
    ({"floor": ["*.jpg", "c.jpg"]}, "'c.jpg' of setting 'floor' is the name of no photo"),
    ({"floor": "*.jpg"}, "cannot be used"),
    ({"floor": [3]}, "cannot be used"),
    (["*.jpg"], "cannot be used"),
    ("{", "cannot be used"),
])  # fmt: skip
def test_settings_that_cannot_be_are_said(tmp_path, content, word):
    with pytest.raises(ValueError, match=word):
        read_settings(settings_file(tmp_path, content), ["a.jpg", "b.jpg"])


@pytest.fixture
def counted(monkeypatch):
    """Prediction is replaced by corners of its own each time; gives the list of runs that were asked."""
    asked = []

    def predict(run, photos, weights):
        asked.append((run, weights))
        return np.full((len(photos.photos), 4, 2), float(len(asked)))

    monkeypatch.setattr(module, "predict_corners", predict)
    return asked


def test_corners_are_predicted_once_for_the_same_weights_and_photos(tmp_path, make_run, counted):
    run = make_run("run")
    photos = read_photos(write_coco(tmp_path / "p", [("a.png", (100, 120), WHOLE), ("b.png", (120, 100), WHOLE)]))
    assert cached_corners(run, photos) is None
    first = evaluate(run, photos)
    np.testing.assert_array_equal(evaluate(run, photos).errors, first.errors)
    np.testing.assert_array_equal(cached_corners(run, photos), np.ones((2, 4, 2)))
    assert counted == [(run, "last")]
    # Other truth, the same photos: evaluated anew, not predicted.
    corrected = replace(photos, photos=(annotated("a.png", size=(100, 120)), photos.photos[1]))
    evaluate(run, corrected)
    assert len(counted) == 1
    evaluate(run, photos, "best")
    (run / "last.params").write_bytes(b"trained on")
    evaluate(run, photos)
    evaluate(run, read_photos(write_coco(tmp_path / "q", [("a.png", (100, 120), WHOLE)])))
    assert len(counted) == 4
    assert len(list(run.glob("corners-*.json"))) == 4


def test_a_mixed_cache_is_refused(tmp_path, make_run, counted):
    run = make_run("run")
    photos = read_photos(write_coco(tmp_path / "p", [("a.png", (100, 120), WHOLE)]))
    evaluate(run, photos)
    (file,) = run.glob("corners-*.json")
    document = json.loads(file.read_text())
    document["made_of"]["weights_sha256"] = "0" * 64
    file.write_text(json.dumps(document))
    with pytest.raises(ValueError, match="other weights or photos .* remove it"):
        evaluate(run, photos)


def test_a_folder_that_is_no_run_is_said(tmp_path, make_run):
    run = make_run("run")
    photos = read_photos(write_coco(tmp_path / "p", [("a.png", (100, 120), WHOLE)]))
    (run / "config.json").unlink()
    with pytest.raises(ValueError, match="no run of `foliopie keypoints train`"):
        evaluate(run, photos)


@pytest.mark.parametrize("fit", ["turn", "letterbox", "stretch"])
def test_a_network_that_knows_the_corners_is_right_in_every_photo(tmp_path, monkeypatch, fit):
    """Its heatmaps are drawn from the truth, by the way that photos go into the network: portrait and landscape."""
    pytest.importorskip("mxnet")
    import keypoints.run as runs

    config = TrainConfig(height=96, width=64, fit=fit)
    shapes = {"up.png": (120, 160), "across.png": (180, 130)}
    truth = {name: SQUARE + 20 for name in shapes}
    told = [value for x, y in SQUARE + 20 for value in (x, y, 2)]
    photos = read_photos(write_coco(tmp_path, [(name, shape, told) for name, shape in shapes.items()]))

    def heatmaps(net, batches):
        assert [batch.shape for batch in batches] == [(2, 3, 96, 64)]
        for name, shape in shapes.items():
            corners = transform(np.linalg.inv(input_to_photo(shape, config.input_spec)), truth[name])
            yield encode(corners[order_corners(corners)], [True] * 4, (24, 16), 4, 1.2)

    monkeypatch.setattr(runs, "load_network", lambda run, weights: (None, config))
    monkeypatch.setattr(runs, "predict_normalised", heatmaps)
    corners = predict_corners(tmp_path, photos)
    np.testing.assert_allclose(corners, [SQUARE + 20] * 2, atol=0.2)
    wrong = replace(photos, photos=tuple(replace(photo, size=(100, 100)) for photo in photos.photos))
    with pytest.raises(ValueError, match="is 120 x 160, its annotation says 100 x 100"):
        predict_corners(tmp_path, wrong)


@pytest.mark.parametrize("settings", [{"input": "mask"}, {"joints": 68}])
def test_a_run_that_finds_no_corners_in_photos_is_refused(monkeypatch, tmp_path, settings):
    from keypoints import run as runs

    photos = read_photos(write_coco(tmp_path / "p", [("a.png", (100, 120), WHOLE)]))
    monkeypatch.setattr(runs, "load_network", lambda run, weights: (None, TrainConfig(**settings)))
    with pytest.raises(ValueError, match="photos need a network"):
        predict_corners(tmp_path, photos)


@pytest.mark.parametrize("kind", ["each", "shared"])
def test_a_bundle_is_judged_as_it_answers(monkeypatch, tmp_path, kind):
    """Its network knows one photo's corners; nothing is written into it."""
    from deploy import meter
    from scenes.images import InputSpec

    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "manifest.json").write_text("{}")
    told = [value for x, y in SQUARE + 20 for value in (x, y, 2)]
    photos = read_photos(write_coco(tmp_path / "p", [("a.png", (120, 160), told)]))
    spec = InputSpec(96, 64, "letterbox", (0.0,) * 3, (1.0,) * 3)
    corners = transform(np.linalg.inv(input_to_photo((120, 160), spec)), SQUARE + 22)
    drawn = encode(corners, [True] * 4, (24, 16), 4, 1.2)
    maps = (drawn if kind == "each" else encode_shared(corners, [2] * 4, (24, 16), 4, 1.2))[None]
    networks = meter.Networks(lambda image: maps, spec, 4, None, None, maps=kind)
    monkeypatch.setattr(meter, "load_networks", lambda folder: networks)
    errors = evaluate(bundle, photos).errors
    np.testing.assert_allclose(errors, np.full((1, 4), 100 * 2 * 2**0.5 / 200), atol=0.1)
    assert [path.name for path in bundle.iterdir()] == ["manifest.json"]
