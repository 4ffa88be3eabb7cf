import json
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

mx = pytest.importorskip("mxnet")
pytest.importorskip("gluoncv")

from keypoints import run as runs  # noqa: E402
from keypoints import subject as subjects  # noqa: E402
from keypoints.commands import keypoints as command  # noqa: E402
from keypoints.config import TrainConfig  # noqa: E402
from keypoints.evaluate import Findings, judge, report  # noqa: E402
from keypoints.loader import load_examples, plain_batches, read_samples  # noqa: E402
from keypoints.models.registry import build, initialise  # noqa: E402
from keypoints.predictions import Predictions  # noqa: E402
from keypoints.subject import Truth  # noqa: E402
from scenes import conditions  # noqa: E402
from scenes.annotated_photos import read_annotated_photos  # noqa: E402
from scenes.dataset import write_annotations  # noqa: E402
from scenes.document import Category  # noqa: E402

TINY = TrainConfig(model="hourglass", stacks=1, filters=8, height=64, width=64, batch=2)
SIMPLE = TrainConfig(height=64, width=64, batch=2)
FEW = {"brightness": (0.4, 2.0), "contrast": (0.2,), "motion_blur": (5.0,), "low_resolution": (32,), "turn": (45, 180)}
SQUARE = np.array([[0.0, 0.0], [30.0, 0.0], [30.0, 40.0], [0.0, 40.0]])


def untrained(folder, config=TINY):
    """A run folder with random weights."""
    folder.mkdir()
    runs.write_config(folder, config, {})
    net = build(config)
    initialise(net, config)
    net.save_parameters(str(folder / "best.params"))
    return folder


def call(*arguments):
    return CliRunner().invoke(command, ["evaluate", *map(str, arguments), "--threads", "1"])


def findings(found, visibility, scores=None, told=None, size=(300, 400)):
    """Of samples that all have the corners SQUARE."""
    found, visibility = np.array(found, float), np.array(visibility)
    count = len(found)
    scores = np.full((count, 4), 0.95) if scores is None else np.array(scores)
    names = [f"{n}" for n in range(count)]
    predictions = Predictions(names, {"dark": found}, {"dark": scores}, {"dark": told}, {})
    return Findings(predictions, Truth(np.array([SQUARE] * count), visibility, np.array([size] * count)))


def test_figures_by_hand():
    # The diagonal is 500: 5 pixels are 1 percent. The second sample is numbered from another corner.
    found = [SQUARE + [[3, 4], [0, 5.1], [0, 0], [0, 0]], np.roll(SQUARE, 1, axis=0)]
    scores = [[0.9, 0.9, 0.9, 0.9], [0.1, 0.9, 0.9, 0.9]]
    figures = findings(found, [[2, 2, 2, 1], [2, 2, 2, 0]], scores).figures()
    assert figures["corners"]["cyclic"]["px"]["visible"]["mean"] == pytest.approx(10.1 / 6)
    assert figures["corners"]["direct"]["px"]["visible"]["mean"] > 15
    assert figures["pck"]["percent"]["all"][figures["pck"]["percent"]["thresholds"].index(1.0)] == pytest.approx(6 / 7)
    assert figures["visibility"] is figures["heatmap_mse"] is figures["heatmap_accuracy"] is None
    # Its first found corner, of score 0.1, is the place of the one that is outside, and does not count.
    assert figures["scores"]["accuracy"] == pytest.approx(6 / 7) and figures["scores"]["right_percent"] == 1.0
    assert figures["scores"]["expected_calibration_error"] == pytest.approx(0.9 - 6 / 7)


def test_no_scores_are_told_without_any():
    assert findings([SQUARE], [[2] * 4], scores=[[np.nan] * 4]).figures()["scores"] is None


def test_visibility_follows_its_corner_round():
    # Found one place on: what is told of the last corner found belongs to the true third.
    told = np.array([[[0.7, 0.2, 0.1], [0.7, 0.2, 0.1], [0.7, 0.2, 0.1], [0.1, 0.8, 0.1]]])
    figures = findings([np.roll(SQUARE, 1, axis=0)], [[2, 2, 1, 2]], told=told).figures()["visibility"]
    assert figures["accuracy"] == 1.0 and figures["confusion"] == [[3, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert figures["expected_calibration_error"] == pytest.approx(1 - (3 * 0.7 + 0.8) / 4)


def test_the_worst_are_named_first():
    order, errors = findings([SQUARE + 3, SQUARE, SQUARE + [[0, 0], [0, 0], [30, 40], [0, 0]]], [[2] * 4] * 3).worst()
    assert order.tolist() == [2, 0, 1] and errors == pytest.approx([10.0, 100 * np.hypot(3, 3) / 500, 0.0])


@pytest.mark.parametrize("changes", [{}, {"maps": "shared"}, {"model": "regression_resnet18_v1b"}, {"input": "mask"}])
def test_a_network_without_error_has_none(sheets, changes):
    config = replace(SIMPLE, height=192, width=192, batch=4, **changes)  # so large that no peak reaches into another
    examples = load_examples(read_samples(sheets, config), 256, masks=True)
    targets = next(plain_batches(examples, config)).targets
    told = report(targets, targets, examples, config)
    assert told["samples"] == 4 and told["corners"]["cyclic"]["px"]["all"]["count"] == 16
    assert told["corners"]["direct"]["px"]["all"]["mean"] < 0.5
    assert told["pck"]["px"]["all"][1] == 1.0
    assert told["heatmap_mse"] == (None if config.is_regression else 0.0)
    assert told["heatmap_accuracy"] == (1.0 if config.maps == "each" and not config.is_regression else None)
    if config.maps == "shared":
        assert told["visibility"]["confusion"] == [[12, 0, 0], [0, 4, 0], [0, 0, 0]]
    else:
        assert told["visibility"] is None


@pytest.mark.slow
def test_the_command_tells_everything_and_predicts_once(sheets, tmp_path, monkeypatch):
    monkeypatch.setattr(conditions, "STEPS", FEW)
    run = untrained(tmp_path / "run")
    arguments = [run, sheets, "--conditions", "--json", tmp_path / "new" / "a.json", "--worst", "3",
                 "--failures", tmp_path / "failures", "--figures", tmp_path / "figures"]
    done = call(*arguments)
    assert done.exit_code == 0, done.output
    written = json.loads((run / "evaluation-sheets.json").read_text())
    assert json.loads((tmp_path / "new" / "a.json").read_text()) == written
    assert written["samples"] == 4 and len(written["worst"]) == 3 and written["decode"] == "dark"
    assert [(step["name"], step["value"]) for step in written["conditions"]] == [
        (name, value) for name, values in FEW.items() for value in values]
    errors = [step["corners"]["cyclic"]["px"]["all"]["mean"] for step in written["conditions"]]
    assert len(set(errors)) == len(errors) and all(np.isfinite(errors))
    # Sheets turned by up to 20 degrees, in photos turned by 0, 45 and 180.
    assert {point["degrees"] // 90 for point in written["turn"]} >= {0, 2}
    assert sum(point["count"] for point in written["turn"]) == 16 * 3
    assert "motion blur" in done.output and "heatmap MSE" in done.output
    pictures = sorted(path.name for path in (tmp_path / "failures").iterdir())
    assert pictures[0].startswith("01-" + written["worst"][0]["name"]) and pictures[-1] == "contact-sheet.png"
    assert len(pictures) == 4 and cv2.imread(str(tmp_path / "failures" / pictures[-1])).shape[1] > 900
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"pck.png", "turn.png", "reliability.png"}
    assert len(list((run / "predictions").iterdir())) == 1 + len(written["conditions"])

    # Asked again, also for another way of decoding, nothing is predicted.
    monkeypatch.setattr(subjects, "load_network", lambda *_: pytest.fail("predicted again"))
    monkeypatch.setattr(subjects, "load_examples", lambda *_, **__: pytest.fail("read again"))
    again = judge(run, sheets, with_conditions=True, worst=3)
    assert again.result == written
    rough = judge(run, sheets, method="argmax").result
    assert rough["corners"] != written["corners"] and rough["heatmap_mse"] == written["heatmap_mse"]
    refused = call(run, sheets, "--failures", tmp_path / "failures")
    assert refused.exit_code == 1 and "is not empty; name a new folder" in refused.output


@pytest.mark.slow
def test_cached_figures_are_those_of_the_network(sheets, tmp_path):
    run = untrained(tmp_path / "run")
    result = judge(run, sheets, "train").result
    net, config = runs.load_network(run)
    examples = load_examples(read_samples(sheets, config, "train"), 128)
    batches = list(plain_batches(examples, config))
    outputs = runs.predict_normalised(net, [batch.images for batch in batches])[:3]
    told = report(outputs, np.concatenate([batch.targets for batch in batches])[:3], examples, config)
    assert result["corners"]["cyclic"]["px"]["all"]["mean"] == pytest.approx(
        told["corners"]["cyclic"]["px"]["all"]["mean"], rel=1e-6)
    assert result["heatmap_mse"] == pytest.approx(told["heatmap_mse"], rel=1e-6) and told["heatmap_mse"] > 0
    assert result["heatmap_accuracy"] == told["heatmap_accuracy"]


@pytest.mark.slow
def test_other_weights_are_predicted_anew_and_a_mixed_cache_is_refused(sheets, tmp_path):
    run = untrained(tmp_path / "run")
    first = judge(run, sheets).result
    (kept,) = (run / "predictions").iterdir()
    other = untrained(tmp_path / "other", replace(TINY, seed=9))
    shutil.copy(other / "best.params", run / "best.params")
    second = judge(run, sheets).result
    assert second["corners"] != first["corners"] and second["weights_sha256"] != first["weights_sha256"]
    (new,) = set((run / "predictions").iterdir()) - {kept}
    shutil.copy(kept, new)
    refused = call(run, sheets)
    assert refused.exit_code == 1 and f"{new.name} cannot be used" in refused.output
    assert len(refused.output.splitlines()) == 1


@pytest.mark.slow
def test_annotated_photos_need_no_dataset(sheets, tmp_path):
    run = untrained(tmp_path / "run")
    photos = tmp_path / "photos"
    photos.mkdir()
    document = json.loads((sheets / "annotations.json").read_text())
    for image in document["images"]:
        shutil.copy(sheets / "images" / image["file_name"], photos)
    del document["categories"], document["images"][0]["id"], document["annotations"][0]
    document["images"] = document["images"][1:]
    for annotation in document["annotations"]:
        del annotation["bbox"], annotation["area"]
    document["annotations"][-1].pop("keypoints")
    (photos / "annotations.json").write_text(json.dumps(document))
    done = call(run, photos, "--photos")
    assert done.exit_code == 0, done.output
    written = json.loads((run / "evaluation-photos.json").read_text())
    assert written["samples"] == 2 and written["worst"][0]["name"].endswith(".jpg")
    whole = judge(run, sheets).result
    assert {(one["name"] + ".jpg", one["percent"]) for one in whole["worst"]} > {
        (one["name"], one["percent"]) for one in written["worst"]}
    assert call(run, photos).exit_code == 1
    refused = call(run, photos, "--photos", "--split", "test")
    assert refused.exit_code == 1 and "leave --split or --photos out" in refused.output


@pytest.mark.parametrize("change, word", [
    (lambda d: d["annotations"][0]["keypoints"].pop(), "are not x, y, v of 4 points"),
    (lambda d: d["images"][0].pop("id"), "has an entry without 'id'"),
    (lambda d: d["images"][0].update(width="wide"), "width 'wide'"),
    (lambda d: d["images"][0].update(file_name="gone.jpg"), "gone.jpg is not there"),
    (lambda d: d["images"][0].update(file_name="x" * 300), "file_name is 'xxx"),
    (lambda d: d["annotations"].append(d["annotations"][0]), "5 annotated photos of 4 names"),
    (lambda d: d.update(annotations=3), "cannot be used"),
])
def test_annotations_that_cannot_be_used_are_told(sheets, change, word):
    document = json.loads((sheets / "annotations.json").read_text())
    change(document)
    (sheets / "annotations.json").write_text(json.dumps(document))
    with pytest.raises((ValueError, FileNotFoundError), match=word):
        read_annotated_photos(sheets)


@pytest.mark.slow
def test_a_regression_of_other_keypoints_is_measured(tmp_path):
    data, config = tmp_path / "faces", replace(SIMPLE, model="regression_resnet18_v1b", joints=5)
    (data / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    records = []
    for name in ("a.png", "b.png", "c.png"):
        cv2.imwrite(str(data / "images" / name), rng.integers(0, 255, (120, 110, 3), np.uint8))
        records.append({"file_name": name, "width": 110, "height": 120, "visibility": [2, 2, 1, 2, 0],
                        "corners": [*rng.uniform(10, 100, (4, 2)).tolist(), [-1, -1]]})
    write_annotations(data, records, Category("face", ("left", "right", "nose", "chin", "ear")), masks=False)
    run = untrained(tmp_path / "run", config)
    done = call(run, data, "--failures", tmp_path / "failures", "--figures", tmp_path / "figures")
    assert done.exit_code == 0, done.output
    written = json.loads((run / "evaluation-faces.json").read_text())
    assert written["corners"]["direct"]["px"]["all"]["count"] == 12 and written["scores"] is None
    assert written["heatmap_mse"] is None and written["turn"][0]["degrees"] == 0
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"pck.png", "turn.png"}
    assert len(list((tmp_path / "failures").iterdir())) == 4
    refused = call(untrained(tmp_path / "corners"), data)
    assert refused.exit_code == 1 and "5 keypoints" in refused.output


@pytest.mark.slow
def test_a_network_of_masks_is_judged_by_what_it_sees(sheets, tmp_path, monkeypatch):
    monkeypatch.setattr(conditions, "STEPS", FEW)
    run = untrained(tmp_path / "run", replace(TINY, input="mask", batch=4))
    before = judge(run, sheets, with_conditions=True).result
    assert {step["name"] for step in before["conditions"]} == {"low_resolution", "turn"}
    cv2.imwrite(str(sheets / "masks" / "000000.png"), np.zeros((104, 120), np.uint8))
    assert judge(run, sheets).result["corners"] != before["corners"]
    (sheets / "masks" / "000001.png").unlink()
    refused = call(run, sheets)
    assert refused.exit_code == 1 and "000001" in refused.output and len(refused.output.splitlines()) == 1


def test_what_is_not_there_is_told_in_one_line(sheets, tmp_path):
    run = untrained(tmp_path / "run")
    for arguments, word in (((run, sheets, "--split", "test"), "no samples of split test"),
                            ((run, sheets, "--weights", "last"), "last.params is not there"),
                            ((sheets, sheets), "is no run")):
        done = call(*arguments)
        assert done.exit_code == 1 and word in done.output and len(done.output.splitlines()) == 1
    (sheets / "images" / "000002.jpg").unlink()
    done = call(run, sheets)
    assert done.exit_code == 1 and "000002.jpg" in done.output and len(done.output.splitlines()) == 1
    assert call(run, sheets, "--worst", "0").exit_code == 2
