"""The thesis's figure 57: what can displace a segmentation network's masks on the way through ONNX.

The thesis's PSPNet came out of ONNX displaced, and its text does not say why. Candidate causes
(experiments.displacement_causes) are put into right conversions one at a time, and what each does to the masks of the
project's sample photos is told in pixels of the network's input: of a PSPNet of the thesis's form in small, which is
taught these photos first (experiments.small_pspnet), of the released network where its weights are there, and of runs
of `foliopie segmentation train` that are given.

    OUT/networks/NETWORK/      a network's conversions, photos and the framework's own answers
    OUT/causes/NETWORK.json    what each cause does to it
    OUT/causes/NETWORK.npz     class ids of one photo under each, for the figure
    OUT/logs/                  what each process printed

What is done is not done again. At scale `paper` it takes four minutes of one core.
"""

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import segmentation
from deploy.bundle import DEFAULT_FOLDER, MANIFEST
from deploy.parity import compare
from deploy.processes import Task, run_with_progress
from experiments.catalogue import Outcome
from experiments.displacement import compare_masks, kind
from experiments.displacement_causes import CAUSES, OLD_OPSET, NotThere, changed
from experiments.documents import head, write_results
from experiments.figure57_report import LIBRARIES, brief, figure, markdown, verdict
from experiments.folder import begin
from experiments.rounds import plain
from experiments.runs import describe_pixel_run, pixel_run_config
from experiments.segmentation_timing import limit_tensorflow, open_bundle
from scenes.files import file_sha256, write_whole
from scenes.images import fit_photo, input_to_photo, mask_to_photo, read_photo
from segmentation.config import TrainConfig

NAME = "figure57"
SMALL, RELEASED = "thesis's form, small", "released"
SAMPLES = Path(DEFAULT_FOLDER).parents[1] / "samples"
RELEASED_RUN = Path(segmentation.__file__).parent / "released"
SHOWN = "two_feet"  # the photo of the figure
ONNX, OLD, IR, ANSWERS = "ours.onnx", "upsample.onnx", "ours.fp32.xml", "answers.npz"

# Of the small network: it is to know a few photos by heart after a minute.
LEARNS = {"pool_channels": 16, "head_channels": 64, "learning_rate": 4e-3, "batch": 5, "average_decay": 0.9,
          "batchnorm_momentum": 0.9}  # fmt: skip


@dataclass(frozen=True)
class Scale:
    """side: of the small network's input. steps: that it is taught for. photos: how many samples, the shown one first.
    released: whether the released network is looked at too."""

    side: int
    steps: int
    photos: int
    released: bool


SCALES = {"quick": Scale(121, 30, 2, False), "paper": Scale(473, 150, 5, True)}


@dataclass(frozen=True)
class Network:
    """name: what it is called. config: segmentation.config.TrainConfig. run: folder of its weights; None: the small
    network, which is taught `steps`."""

    name: str
    config: TrainConfig
    run: Path | None
    steps: int = 0

    @property
    def label(self):
        """Its name and its input's height and width."""
        return f"{self.name} {self.config.height}x{self.config.width}"


def run(request):
    """Run what is not done of the experiment: experiments.catalogue.Outcome. Raises ValueError, OSError."""
    return run_causes(SCALES[request.scale], request)


def run_causes(scale, request):
    """`run` at a Scale."""
    out, networks, photos = Path(request.out), networks_of(scale, request), photos_of(scale)
    configuration = configuration_of(scale, request, photos)
    begin(out, {"experiment": NAME, "scale": request.scale, **configuration})
    tasks = make_tasks(networks, photos, out)
    faults = run_with_progress(tasks, request.workers, out / "logs") if tasks else {}
    files = {network.label: _file(out, network) for network in networks}
    found = {label: read_causes(file) for label, file in files.items() if file.exists()}
    if not found:
        return Outcome(None, faults)
    document = head(NAME, request.scale, configuration, faults, LIBRARIES) | {"networks": found}
    document["verdict"] = verdict(document)
    label = next(iter(found))
    rgb = fit_photo(read_photo(photos[0]).rgb, next(one for one in networks if one.label == label).config.input_spec)
    with np.load(files[label].with_suffix(".npz")) as masks:
        masks = dict(masks)
    for place in filter(None, (out, request.results)):
        write_results(place, document, markdown(document), figure(document, rgb, masks))
    return Outcome(document, faults, brief(found[label]))


def networks_of(scale, request):
    """The Networks, the small one first. Raises ValueError for a folder that is no run, and a name that is taken."""
    small = TrainConfig(height=scale.side, width=scale.side, **LEARNS)
    networks = [Network(SMALL, small, None, scale.steps)]
    runs = [(RELEASED, RELEASED_RUN)] if scale.released and RELEASED_RUN.exists() else []
    for name, folder in [*runs, *request.runs]:
        if plain(name) in [plain(one.name) for one in networks]:
            raise ValueError(f"there is a network called {name} already; give the run {folder} another name")
        networks.append(Network(name, pixel_run_config(folder), Path(folder)))
    return networks


def photos_of(scale):
    """Files of the sample photos, the shown one first."""
    return sorted(SAMPLES.glob("*.jpg"), key=lambda path: (path.stem != SHOWN, path.name))[: scale.photos]


def configuration_of(scale, request, photos):
    """dict for JSON: all that decides what comes out."""
    runs = {name: describe_pixel_run(folder) for name, folder in request.runs}
    if scale.released and RELEASED_RUN.exists():
        runs = {RELEASED: describe_pixel_run(RELEASED_RUN)} | runs
    return {**asdict(scale), "runs": runs, "photos_sha256": {path.name: file_sha256(path) for path in photos},
            "teacher_sha256": file_sha256(Path(DEFAULT_FOLDER) / MANIFEST), "causes": list(CAUSES)}


def make_tasks(networks, photos, out):
    """What is not done yet, in order."""
    tasks = []
    for network in networks:
        folder, file, after = _folder(out, network), _file(out, network), ()
        if file.exists():
            continue
        if not (folder / ANSWERS).exists():
            tasks.append(Task(f"networks/{folder.name}", prepare, (network, photos, folder), weight=2.0))
            after = (tasks[-1].name,)
        tasks.append(Task(f"causes/{folder.name}", try_causes, (network.config.input_spec, folder, file), after))
    return tasks


def _folder(out, network):
    return Path(out) / "networks" / plain(network.label)


def _file(out, network):
    return Path(out) / "causes" / f"{plain(network.label)}.json"


def prepare(network, photos, folder):
    """Convert a Network as deploy.convert does, and at OLD_OPSET; keep what Keras says of photos (list of files)."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    limit_tensorflow(1)
    from deploy.convert import keras_to_onnx, onnx_to_ir
    from deploy.runtimes import KerasRuntime

    spec, rgbs = network.config.input_spec, [read_photo(path).rgb for path in photos]
    model = load(network, rgbs)
    onnx_model = keras_to_onnx(model, spec.height, spec.width, Path(folder) / ONNX)
    onnx_to_ir(onnx_model, spec, folder, Path(IR).name.split(".")[0], ("fp32",))
    convert_at(model, spec, OLD_OPSET, Path(folder) / OLD)
    images = np.stack([fit_photo(rgb, spec) for rgb in rgbs])
    boxes = np.stack([content_box((rgb.shape[1], rgb.shape[0]), spec) for rgb in rgbs])
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        np.savez(Path(scratch) / ANSWERS, images=images, boxes=boxes, native=KerasRuntime(model, spec)(images))
        os.replace(Path(scratch) / ANSWERS, Path(folder) / ANSWERS)


def load(network, rgbs):
    """The Keras model of a Network; the small one is taught photos, a list of uint8 (H, W, 3)."""
    if network.run:
        from segmentation.network import load_network

        return load_network(network.run)[0]
    from experiments.small_pspnet import build_small, teach

    answer, spec = open_bundle(DEFAULT_FOLDER, 1)
    masks = [mask_to_photo(answer(fit_photo(rgb, spec)[None])[0], (rgb.shape[1], rgb.shape[0]), spec).argmax(-1)
             for rgb in rgbs]
    networks = build_small(network.config)
    teach(networks, network.config, rgbs, [mask.astype(np.uint8) for mask in masks], network.steps)
    return networks.inference


def convert_at(model, spec, opset, path):
    """What tf2onnx writes of a Keras model at another opset, float32 (1, H, W, 3) in, as it comes."""
    import onnx
    import tensorflow
    import tf2onnx

    signature = [tensorflow.TensorSpec((1, spec.height, spec.width, 3), tensorflow.float32, name="image")]
    traced = tensorflow.function(lambda image: model(image, training=False))
    graph, _ = tf2onnx.convert.from_function(traced, input_signature=signature, opset=opset)
    onnx.save(graph, os.fspath(path))


def content_box(size, spec):
    """(left, top, width, height) in the input of a photo of `size` (width, height): int (4,)."""
    to_photo = input_to_photo(size, spec)
    corners = np.array([[-0.5, -0.5, 1], [size[0] - 0.5, size[1] - 0.5, 1]]) @ np.linalg.inv(to_photo).T
    low, high = np.sort(corners[:, :2] + 0.5, axis=0)
    return np.round([*low, *(high - low)]).astype(int)


def try_causes(spec, folder, file):
    """What each cause does to a network that is prepared in `folder`, into a JSON file, and beside it as .npz the class
    ids (H, W) that the first photo has: "native", and by the cause's name."""
    import onnxruntime

    from deploy.runtimes import OnnxRuntime, OpenVinoRuntime

    onnxruntime.set_default_logger_severity(3)  # that a wrong graph is wrong need not be said
    folder, file = Path(folder), Path(file)
    with np.load(folder / ANSWERS) as arrays:
        images, boxes, native = arrays["images"], arrays["boxes"], arrays["native"]
    runtimes = {"ONNX Runtime": OnnxRuntime(folder / ONNX, spec, "NHWC", 1),
                "OpenVINO": OpenVinoRuntime(folder / IR, "f32", 1)}
    found = {"input": [spec.height, spec.width],
             "ours": {name: _compared(native, runtime(images)) for name, runtime in runtimes.items()},
             "causes": {}}
    answers = {}
    for name, cause in CAUSES.items():
        try:
            answers[name] = wrong_answers(cause, folder, spec, images, boxes)
        except NotThere as reason:
            found["causes"][name] = {"not_there": str(reason)}
            continue
        right = answers[cause.reference] if cause.reference else native
        found["causes"][name] = _compared(right, answers[name])
    file.parent.mkdir(parents=True, exist_ok=True)
    ids = {name: answer[0].argmax(-1).astype(np.uint8) for name, answer in {"native": native, **answers}.items()}
    np.savez_compressed(file.with_suffix(".npz"), **ids)
    write_whole(file, (json.dumps(found) + "\n").encode())


def read_causes(file):
    """What `try_causes` wrote, and of what kind each displacement is."""
    found = json.loads(Path(file).read_text(encoding="utf-8"))
    for one in (*found["ours"].values(), *found["causes"].values()):
        if "not_there" not in one:
            one["kind"] = kind(one)
    return found


def wrong_answers(cause, folder, spec, images, boxes):
    """Probabilities float32 (N, H, W, 4) of images under a Cause. Raises NotThere where it cannot go wrong."""
    import onnx

    from deploy.runtimes import OnnxRuntime

    model = onnx.load(folder / (OLD if cause.opset else ONNX))
    if cause.change:
        changed(model, cause)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "wrong.onnx"
        onnx.save(model, os.fspath(path))
        try:
            runtime = OnnxRuntime(path, spec, "NHWC", 1)
        except Exception as fault:  # of ONNX Runtime's own kinds
            if cause.opset:
                raise NotThere(f"tf2onnx writes nothing at opset {cause.opset} that could be read") from fault
            raise
        answers = runtime(images)
    return cause.read(answers, (spec.height, spec.width), boxes) if cause.read else answers


def _compared(native, answers):
    """compare_masks, and what deploy.parity says of it."""
    found = compare_masks(native, answers)
    report = compare("segmentation", native, answers, "", "fp32")
    largest = next(row.value for row in report.rows if row.check == "largest difference")
    return {**found, "parity": report.passed, "largest_difference": largest}
