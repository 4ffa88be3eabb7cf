"""The whole experiment with timing replaced by what takes no time; and parts of the timing, for real."""

import json
from dataclasses import replace

import numpy as np
import pytest

from deploy.bundle import BundleError
from experiments import corner_speed, timing
from experiments.catalogue import EXPERIMENTS, Request
from experiments.corner_speed import LOOPS, SCALES, make_tasks, run_rounds
from experiments.timing import READY, check_same, time_runtime, time_training
from keypoints.config import TrainConfig
from keypoints.heatmaps import encode
from scenes.dataset import read_dataset

CORNERS = np.array([[12, 20], [50, 20], [50, 80], [12, 80]], float)  # of an input of 64 x 96
RATES = {"MXNet": 10.0, "ONNX Runtime": 20.0, "OpenVINO FP32": 30.0, "OpenVINO BF16": 50.0, "OpenVINO INT8": 90.0}


@pytest.fixture
def timed(monkeypatch, run_tasks_here):
    """What was timed, in order. Rounds are faster and faster; INT8 moves corners by a pixel; `broken` fails."""
    order, broken = [], set()

    def prepare(run, data, count, bundle, networks):
        order.append("prepare")
        networks.mkdir(parents=True)
        (networks / READY).write_text(json.dumps({"processor_can": ["FP32"]}))

    def runtime(name, run, networks, bundle, threads, repeats, file):
        order.append(name)
        if name in broken:
            raise RuntimeError("illegal instruction")
        corners = CORNERS + (name == "OpenVINO INT8")
        maps = encode(corners, np.ones(4, bool), (24, 16), 4, 2.0)
        np.save(file.with_suffix(".npy"), np.stack([maps] * 2))
        file.write_text(json.dumps({"images_per_second": RATES[name] * int(file.parent.name)}))

    def training(scenes, config, loader_workers, threads, file):
        order.append(loader_workers)
        assert len(read_dataset(scenes, "train")) == 8 and len(read_dataset(scenes, "validation")) == 1
        assert (config.height, config.width, config.model) == (96, 64, "simple_pose_resnet18_v1b")
        rate = 8.0 if loader_workers is None else 4.0
        file.write_text(json.dumps({"images_per_second": rate, "waiting_share": 0.02 if rate == 8 else 0.3}))

    def run_tasks(tasks, workers, logs):
        assert workers == 1
        return run_tasks_here(tasks, workers, logs)

    for name, function in (("prepare", prepare), ("time_runtime", runtime), ("time_training", training),
                           ("run_with_progress", run_tasks)):
        monkeypatch.setattr(corner_speed, name, function)
    monkeypatch.setattr(corner_speed.Bundle, "load", lambda folder: type("Bundle", (), {
        "model_path": lambda self, model, precision: folder / "keypoints.int8.xml"})())
    return order, broken


@pytest.fixture
def request_of(tmp_path, make_run, make_sheets):
    """A Request of a run, a dataset and a bundle."""
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "manifest.json").write_text("{}")
    return Request(tmp_path / "out", data=(make_sheets("data", 10),), runs=(("own", make_run("run")),), bundle=bundle,
                   threads=3, results=tmp_path / "copy")


def test_rounds_go_through_all_and_back_again(tmp_path, timed, request_of):
    order, _ = timed
    outcome = run_rounds(replace(SCALES["quick"], rounds=2), request_of)
    names = [*RATES, *LOOPS.values()]
    assert order == ["prepare", *names, *names[::-1]] and not outcome.faults
    runtimes, training = outcome.results["runtimes"], outcome.results["training"]
    assert runtimes["OpenVINO BF16"]["images_per_second"] == [50.0, 100.0]
    assert runtimes["OpenVINO BF16"]["ratio"] == [5.0, 5.0]  # of its own round
    assert runtimes["MXNet"]["corners_px"] is None
    assert runtimes["ONNX Runtime"]["corners_px"] == {"median": 0.0, "p95": 0.0, "largest": 0.0}
    assert runtimes["OpenVINO INT8"]["corners_px"]["median"] == pytest.approx(np.sqrt(2), abs=1e-3)
    assert training["keypoints.train"]["ratio"] == [2.0, 2.0]
    headings, cells = outcome.table
    assert {len(line) for line in cells} == {len(headings)} and len(cells) == 8
    assert cells[3][:5] == ["OpenVINO BF16", "75.0", "50.0 to 100.0", "5.00", "5.00 to 5.00"]
    assert cells[-1][-1] == "2 %"
    text = (tmp_path / "copy" / "README.md").read_text()
    assert "with 3 threads" in text and "This processor has no BF16" in text and "onnxruntime" in text
    assert outcome.results["configuration"]["processor"]
    assert (tmp_path / "out" / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert str(tmp_path) not in (tmp_path / "copy" / "results.json").read_text()
    order.clear()
    run_rounds(replace(SCALES["quick"], rounds=2), request_of)
    assert not order
    with pytest.raises(ValueError, match="threads was 3, is 1"):
        run_rounds(replace(SCALES["quick"], rounds=2), replace(request_of, threads=1))


def test_what_cannot_be_timed_is_left_out(timed, request_of):
    order, broken = timed
    broken.add("OpenVINO BF16")
    outcome = run_rounds(SCALES["quick"], replace(request_of, bundle=None))
    assert list(outcome.results["runtimes"]) == ["MXNet", "ONNX Runtime", "OpenVINO FP32"]
    assert outcome.results["missing"] == ["round-1/OpenVINO-BF16"]
    order.clear()
    broken.update(RATES)
    outcome = run_rounds(SCALES["quick"], replace(request_of, bundle=None, out=request_of.out / "other"))
    assert outcome.results is None and len(outcome.faults) == 4  # without MXNet there is nothing to hold others against


def test_every_process_has_the_same_threads(timed, request_of):
    tasks = make_tasks(SCALES["paper"], request_of, request_of.runs[0][1], 3)
    assert [task.threads for task in tasks] == [1] + [3] * 40  # converting is not timed
    assert len({task.name for task in tasks}) == 41


@pytest.mark.parametrize(("change", "word"), [
    ({"runs": ()}, "0 runs and 1 datasets"), ({"data": ()}, "1 runs and 0 datasets"),
    ({"scale": "paper"}, "has 10 photos; 193 are needed"),
])  # fmt: skip
def test_what_cannot_be_run_is_said_before_anything_is_made(change, word, timed, request_of):
    with pytest.raises(ValueError, match=word):
        EXPERIMENTS["corner-speed"].run(replace(request_of, **change))
    assert not request_of.out.exists()


def test_a_bundle_without_int8_is_refused_at_once(timed, request_of, monkeypatch):
    def load(folder):
        raise BundleError(folder, "keypoints is not there in int8")

    monkeypatch.setattr(corner_speed.Bundle, "load", load)
    with pytest.raises(ValueError, match="not there in int8"):
        EXPERIMENTS["corner-speed"].run(request_of)
    config = json.loads((request_of.runs[0][1] / "config.json").read_text())
    config["config"]["input"] = "mask"
    (request_of.runs[0][1] / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="networks that see photos"):
        EXPERIMENTS["corner-speed"].run(replace(request_of, bundle=None))


def test_a_runtime_is_timed_one_photo_after_another(tmp_path, monkeypatch):
    asked = []

    def runtime(images):
        asked.append(images.shape)
        return images.astype(np.float32).mean(axis=(1, 2))

    monkeypatch.setattr(timing, "open_runtime", lambda *arguments: runtime)
    images = np.random.default_rng(0).integers(0, 255, (3, 8, 8, 3), np.uint8)
    np.save(tmp_path / "images.npy", images)
    time_runtime("MXNet", None, tmp_path, None, 1, 5, tmp_path / "round" / "mxnet.json")
    assert asked == [(1, 8, 8, 3)] * (3 + 15)
    assert json.loads((tmp_path / "round" / "mxnet.json").read_text())["images_per_second"] > 0
    np.testing.assert_allclose(np.load(tmp_path / "round" / "mxnet.npy"), images.mean(axis=(1, 2)), rtol=1e-5)


def test_a_bundle_of_another_network_is_refused():
    images = np.zeros((2, 96, 64, 3), np.uint8)
    outputs = np.linspace(0, 1, 2 * 4 * 24 * 16, dtype=np.float32).reshape(2, 4, 24, 16)
    bundle = type("Bundle", (), {"folder": "bundle", "golden": lambda self: {"keypoints": (images, outputs)}})()

    def trained(found, height=96):
        spec = TrainConfig(height=height, width=64).input_spec
        return type("Trained", (), {"native": staticmethod(lambda images: found), "spec": spec, "model": "keypoints"})()

    check_same(trained(outputs + np.float32(5e-5)), bundle)
    for other in (trained(outputs + np.float32(1e-3)), trained(outputs[:, :3]), trained(outputs, 128)):
        with pytest.raises(ValueError, match="bundle was made of another network"):
            check_same(other, bundle)


@pytest.mark.slow
@pytest.mark.parametrize("loader_workers", [None, 0, 1])
def test_both_loops_train(loader_workers, tmp_path, make_sheets):
    pytest.importorskip("mxnet")
    pytest.importorskip("gluoncv")
    config = TrainConfig(height=64, width=64, batch=2, epochs=timing.EPOCHS)
    time_training(make_sheets("data", 5), config, loader_workers, 1, tmp_path / "found.json")
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["images_per_second"] > 0 and 0 <= found["waiting_share"] < 1
