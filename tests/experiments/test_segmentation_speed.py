"""The whole experiment with what takes time replaced; accuracy by hand; and one small network for real."""

import json
from dataclasses import replace

import numpy as np
import pytest

from experiments import segmentation_accuracy, segmentation_speed, segmentation_timing
from experiments.catalogue import EXPERIMENTS, Request
from experiments.photos import read_photos
from experiments.segmentation_accuracy import KERAS, accuracies, covered_shares, judge, judged_samples, quadrangle
from experiments.segmentation_speed import SCALES, make_tasks, networks_of, run_rounds
from experiments.segmentation_timing import HINTS, READY, RUNTIMES, Network, prepare, profile, time_runtime
from scenes.dataset import read_dataset, read_mask, write_annotations
from scenes.images import InputSpec
from segmentation.config import TrainConfig

RATES = {"TensorFlow frozen graph": 10.0, "Keras": 5.0, "ONNX Runtime": 12.0, "OpenVINO FP32": 15.0,
         "OpenVINO BF16": 25.0, "OpenVINO INT8": 40.0}  # fmt: skip
B0 = "PSPNet-B0 96x96"
SIZES = ("224x192", "192x192")


@pytest.fixture
def data(make_sheets):
    """A dataset of 10 photos of 120 x 160, the last two of which are for validation."""
    folder = make_sheets("data", 10)
    write_annotations(folder, [replace(sample, attributes={"split": "validation" if number > 7 else "train"})
                               for number, sample in enumerate(read_dataset(folder))])
    return folder


@pytest.fixture
def make_pixel_run(tmp_path):
    """A function (name, **changes) -> folder that looks like a run of `segmentation train`, without a network."""
    def make(name, **changes):
        folder = tmp_path / name
        folder.mkdir()
        config = TrainConfig(architecture="fast_pspnet", backbone="resnet18", height=192, width=192, **changes)
        (folder / "config.json").write_text(json.dumps({"schema": 1, "train": config.to_json()}))
        (folder / "best.weights.h5").write_bytes(name.encode())
        return folder

    return make


@pytest.fixture
def done(monkeypatch, run_tasks_here):
    """(what was done, in order, names of what fails). A fast network is ten times as fast as PSPNet-B0."""
    order, broken = [], set()

    def told(file, document):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(document))

    def prepare(network, data, photos, calibration, frozen, folder):
        order.append(network.label)
        assert frozen == (network.label == B0)
        told(folder / READY, {"processor_can": ["FP32"]})

    def runtime(name, network, folder, threads, repeats, file):
        order.append(f"{network.label}, {name}")
        if order[-1] in broken:
            raise RuntimeError("illegal instruction")
        rate = RATES[name] * (1 if network.label == B0 else 10)
        told(file, {"images_per_second": rate * int(file.parent.name), "same_pixels": 0.999})

    def bundle(folder, data, photos, threads, repeats, file):
        order.append("bundle")
        told(file, {"images_per_second": 200.0, "same_pixels": None})

    def profile(folder, threads, repeats, file):
        order.append(f"profile {folder.name}")
        layer = {"name": "head", "type": "Convolution", "kernel": "brgconv_avx512_I8", "shape": [1, 4, 8, 6],
                 "milliseconds": 1.5, "share": 0.25}
        told(file, {"milliseconds": 6.0, "layers": 20, "most": [layer]})

    def judge(network, folder, data, limit, photos, threads, file):
        order.append(f"judge {network.label}")
        assert folder.is_dir() and limit == 4
        told(file, accuracy((KERAS, *HINTS), photos))

    def judge_bundle(folder, data, limit, photos, threads, file):
        order.append("judge bundle")
        told(file, accuracy(("OpenVINO INT8",), photos))

    def run_tasks(tasks, workers, logs):
        assert workers == 1
        return run_tasks_here(tasks, workers, logs)

    for name, function in (("prepare", prepare), ("time_runtime", runtime), ("time_bundle", bundle),
                           ("profile", profile), ("judge", judge), ("judge_bundle", judge_bundle),
                           ("run_with_progress", run_tasks)):
        monkeypatch.setattr(segmentation_speed, name, function)
    monkeypatch.setattr(segmentation_speed.Bundle, "load", lambda folder: type("Bundle", (), {
        "model_path": lambda self, model, precision: folder / f"{model}.{precision}.xml",
        "input_spec": lambda self, model: InputSpec(240, 240, "letterbox")})())
    return order, broken


def accuracy(names, photos):
    precisions = {name: {"mean_iou": 0.9 - 0.01 * place, "iou": [1.0] * 4, "points_lost": 1.0 * place}
                  for place, name in enumerate(names)}
    if photos:
        precisions = {name: told | {"photos": {"mean": 0.8, "least": 0.5, "by_photo": {"a.jpg": 0.8}}}
                      for name, told in precisions.items()}
    return {"split": "validation", "samples": 2, "precisions": precisions}


@pytest.fixture
def request_of(tmp_path, data, make_pixel_run):
    """A Request of a run, a dataset that is also the photos, and a bundle."""
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "manifest.json").write_text("{}")
    return Request(tmp_path / "out", data=(data,), runs=(("own", make_pixel_run("run")),), bundle=bundle, photos=data,
                   threads=3, results=tmp_path / "copy")


def test_rounds_accuracy_and_layers_stand_side_by_side(tmp_path, done, request_of):
    order, _ = done
    outcome = run_rounds(replace(SCALES["quick"], rounds=2), request_of)
    own = [f"own {size}" for size in SIZES]
    names = [f"{B0}, {name}" for name in RUNTIMES]
    names += [*(f"{label}, {name}" for label in own for name in HINTS), "bundle"]
    assert not outcome.faults
    assert order == [B0, *own, *names, *names[::-1], "profile PSPNet-B0-96x96", "profile own-192x192",
                     *(f"judge {label}" for label in own), "judge bundle"]
    timed = outcome.results["timed"]
    assert list(timed) == [B0, *own, "bundle 240x240"]
    assert timed["own 224x192"]["OpenVINO INT8"]["ratio"] == [40.0, 40.0]  # to the frozen graph of its own round
    assert timed["bundle 240x240"]["OpenVINO INT8"]["ratio"] == [20.0, 10.0]
    headings, cells = outcome.table
    assert {len(line) for line in cells} == {len(headings)} and len(cells) == 6 + 2 * 4 + 1
    assert cells[0] == [B0, "TensorFlow frozen graph", "15.0", "10.0 to 20.0", "66.7", "1.00", "1.00 to 1.00",
                        "99.90 %", "-", "-", "-"]
    assert cells[6] == ["own 224x192", KERAS, *["-"] * 6, "0.9000", "0.00", "0.800"]
    assert cells[9] == ["own 224x192", "OpenVINO INT8", "600.0", "400.0 to 800.0", "1.7", "40.00", "40.00 to 40.00",
                        "99.90 %", "0.8700", "3.00", "0.800"]
    assert cells[-1][7:] == ["-", "0.9000", "0.00", "0.800"]
    text = (tmp_path / "copy" / "README.md").read_text()
    assert "with 3 threads" in text and "This processor has no BF16" in text
    assert "Random weights: PSPNet-B0 96x96." in text
    assert "| `head` | Convolution | brgconv_avx512_I8 | 1 x 4 x 8 x 6 | 1.500 | 25.0 % |" in text
    assert (tmp_path / "out" / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert str(tmp_path) not in (tmp_path / "copy" / "results.json").read_text()
    order.clear()
    run_rounds(replace(SCALES["quick"], rounds=2), request_of)
    assert not order
    with pytest.raises(ValueError, match="threads was 3, is 1"):
        run_rounds(replace(SCALES["quick"], rounds=2), replace(request_of, threads=1))


def test_without_a_run_weights_are_random_and_nothing_is_judged(done, request_of, tmp_path):
    order, broken = done
    alone = replace(request_of, runs=(), bundle=None, photos=None)
    broken.add(f"{B0}, ONNX Runtime")
    outcome = run_rounds(SCALES["quick"], alone)
    assert outcome.results["missing"] == ["round-1/PSPNet-B0-96x96--ONNX-Runtime"]
    assert list(outcome.results["timed"][B0]) == [name for name in RUNTIMES if name != "ONNX Runtime"]
    assert outcome.results["accuracy"] == {} and not [name for name in order if name.startswith("judge")]
    assert "Random weights: PSPNet-B0 96x96, fast_pspnet 224x192, fast_pspnet 192x192." in (
        tmp_path / "copy" / "README.md").read_text()
    broken.add(f"{B0}, TensorFlow frozen graph")
    assert run_rounds(SCALES["quick"], replace(alone, out=alone.out / "other")).results is None


def test_what_is_timed_and_judged_has_the_same_threads(done, request_of):
    scale = SCALES["paper"]
    networks = networks_of(scale, request_of)
    assert [network.label for network in networks] == ["PSPNet-B0 473x473", "own 480x352", "own 384x288", "own 320x256",
                                                       "own 256x192"]
    assert networks[0].config == TrainConfig(height=473, width=473)
    tasks = make_tasks(scale, request_of, networks, 3)
    assert len({task.name for task in tasks}) == len(tasks) == 5 + 5 * (6 + 4 * 3 + 1) + 2 + 5
    assert [task.threads for task in tasks] == [1] * 5 + [3] * (len(tasks) - 5)  # converting is not timed


@pytest.mark.parametrize(("change", "word"), [
    ({"data": ()}, "0 datasets are given"), ({"runs": ()}, "give a --run or a --bundle too"),
    ({"scale": "paper"}, "has 10 photos; 20 are needed"),
])  # fmt: skip
def test_what_cannot_be_run_is_said_before_anything_is_made(change, word, done, request_of):
    with pytest.raises(ValueError, match=word):
        EXPERIMENTS["segmentation-speed"].run(replace(request_of, **{"bundle": None, **change}))
    assert not request_of.out.exists()


def test_runs_that_cannot_be_timed_are_refused(done, request_of, make_pixel_run, make_sheets, make_run):
    for runs, word in (((("bundle", make_pixel_run("other")),), "a name of its own"),
                       ((("corners", make_run("corners")),), "no run of `foliopie segmentation train`"),
                       ((("bins", make_pixel_run("bins", pools=(1, 6))),), "smaller pools")):  # fmt: skip
        with pytest.raises(ValueError, match=word):
            run_rounds(replace(SCALES["quick"], sizes=((160, 160),)), replace(request_of, runs=runs))
    (request_of.runs[0][1] / "best.weights.h5").unlink()
    with pytest.raises(ValueError, match="has not finished its first epoch"):
        run_rounds(SCALES["quick"], request_of)
    with pytest.raises(ValueError, match="no photo of split test or validation"):
        run_rounds(SCALES["quick"], replace(request_of, data=(make_sheets("unsplit", 10),)))
    assert not request_of.out.exists()


def one_hot(classes):
    return np.eye(4, dtype=np.float32)[classes]


def test_accuracy_is_of_all_pixels_at_the_photos_size(data):
    samples, split = judged_samples(data, None)
    assert split == "validation" and [sample.name for sample in samples] == ["000008", "000009"]
    assert len(judged_samples(data, 1)[0]) == 1
    truth = np.stack([read_mask(sample.mask_path) for sample in samples])
    spec = InputSpec(160, 120, "letterbox")
    found = accuracies({KERAS: lambda images: one_hot(truth), "nothing": lambda images: one_hot(0 * truth)}, spec,
                       samples)  # fmt: skip
    background = (truth == 0).mean()
    assert found[KERAS] == {"mean_iou": 1.0, "iou": [1.0, 1.0, None, None], "points_lost": 0.0}
    assert found["nothing"]["iou"][:2] == pytest.approx([background, 0.0])
    assert found["nothing"]["points_lost"] == pytest.approx(100 * (1 - background / 2))
    alone = accuracies({"nothing": lambda images: one_hot(0 * truth)}, spec, samples)
    assert alone["nothing"]["points_lost"] is None


def test_share_of_the_pixels_within_the_corners(data):
    half = np.zeros((1, 160, 120), int)
    half[:, :80], half[:, 80:] = 1, 3
    upper = np.zeros_like(half)
    upper[:, :80] = 2
    photos = read_photos(data)
    found = covered_shares({"all": lambda image: one_hot(half), "upper": lambda image: one_hot(upper)},
                           InputSpec(160, 120, "letterbox"), photos)
    assert found["all"]["mean"] == found["all"]["least"] == 1.0 and len(found["all"]["by_photo"]) == 10
    assert found["upper"]["mean"] == pytest.approx(0.5, abs=0.02)  # the sheet is in the middle
    photos.photos[0].known[1] = False
    unknown = covered_shares({"all": lambda image: one_hot(half)}, InputSpec(160, 120, "letterbox"), photos)
    assert list(unknown["all"]["by_photo"]) == photos.names[1:]


def test_a_quadrangle_holds_its_outline():
    inside = quadrangle(np.array([[1.2, 1], [3, 0.8], [3, 2], [1, 2]]), (4, 5))
    assert inside.sum() == 6 and inside[1:3, 1:4].all()
    assert not quadrangle(np.array([[-9, -9], [-5, -9], [-5, -5], [-9, -5]]), (4, 5)).any()


@pytest.mark.slow
def test_one_network_for_real(data, tmp_path, monkeypatch):
    for framework in ("mxnet", "tensorflow", "tf2onnx", "onnxruntime", "nncf"):  # in one process MXNet comes first
        pytest.importorskip(framework)
    for module in (segmentation_timing, segmentation_accuracy):  # TensorFlow may have begun in another test
        monkeypatch.setattr(module, "limit_tensorflow", lambda threads: None)
    config = TrainConfig(architecture="fast_pspnet", backbone="resnet18", pools=(1, 2), fit="turn", height=64, width=64)
    run = tmp_path / "run"
    run.mkdir()
    from segmentation.network import build_networks

    build_networks(config).training.save_weights(run / "best.weights.h5")
    network, folder = Network("own", replace(config, height=96), run), tmp_path / "networks" / "own-96x64"
    prepare(network, data, 2, 4, True, folder)
    for name in RUNTIMES:
        time_runtime(name, network, folder, 1, 1, tmp_path / "round" / f"{name}.json")
        found = json.loads((tmp_path / "round" / f"{name}.json").read_text())
        assert found["images_per_second"] > 0
        assert found["same_pixels"] > (0.5 if name in ("OpenVINO BF16", "OpenVINO INT8") else 0.999), name
    profile(folder, 1, 2, tmp_path / "profile.json")
    layers = json.loads((tmp_path / "profile.json").read_text())
    shares = [layer["share"] for layer in layers["most"]]
    assert len(shares) == 10 <= layers["layers"] and shares == sorted(shares, reverse=True) and 0.1 < sum(shares) <= 1
    assert any(layer["type"] == "Convolution" and layer["kernel"].endswith("_I8") for layer in layers["most"])
    assert all(len(layer["shape"]) >= 3 for layer in layers["most"])
    judge(network, folder, data, 1, data, 1, tmp_path / "accuracy.json")
    told = json.loads((tmp_path / "accuracy.json").read_text())
    assert told["samples"] == 1 and list(told["precisions"]) == [KERAS, *HINTS]
    assert told["precisions"]["OpenVINO FP32"]["points_lost"] == pytest.approx(0, abs=0.1)
    assert len(told["precisions"]["OpenVINO INT8"]["photos"]["by_photo"]) == 10
