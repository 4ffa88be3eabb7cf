"""manifest.json of a bundle: a Bundle that tells everything about itself, or BundleError."""

import json

from deploy.bundle import (
    CORNER_ORDER,
    LABELS,
    MANIFEST,
    OUTPUTS,
    Bundle,
    BundleError,
    contract_of,
    file_record,
    file_records,
)
from tests.fuzz import places
from tests.fuzz.mutation import mutated_json

INSTRUMENTED = ("deploy", "scenes", "keypoints", "json")
FILE = "network.{}"  # the same for every network: a manifest does not tell one file's inside from another's
CALIBRATION = {"limit_percent": 1.0, "scores": [0.2, 0.6], "probabilities": [0.1, 0.9], "temperature": 1.5,
               "corners": 9}  # fmt: skip

mutated = mutated_json


def _files(folder):
    """Puts the files that the seeds name into a folder."""
    folder.mkdir()
    for part in ("xml", "bin", "npz", "md"):
        (folder / FILE.format(part)).write_bytes(part.encode())


def seeds():
    """Manifests with two networks and with three, with and without what they may leave out: list[bytes]."""
    with places.folder() as given:
        _files(given / "bundle")
        records = {part: file_record(given / "bundle", FILE.format(part)) for part in ("xml", "bin", "npz", "md")}
    variants = {"variants": {"int8": {part: records[part] for part in ("xml", "bin")}}, "default_precision": "int8"}
    models = {name: _network(name) | variants for name in OUTPUTS}
    whole = {"schema": 1, "created": "2026-01-01T00:00:00+00:00", "models": models, "golden": records["npz"],
             "card": records["md"], "changes": records["md"], "versions": {"python": "3"}}
    plain = {"schema": 1, "models": {name: models[name] for name in ("keypoints", "segmentation")},
             "golden": records["npz"]}
    plain["models"]["keypoints"] = models["keypoints"] | {"output": {
        key: value for key, value in models["keypoints"]["output"].items() if key != "maps"}}
    return [json.dumps(manifest).encode() for manifest in (whole, plain)]


def _network(name):
    """A network's entry without its files."""
    channels, crop = (4, {"span_mm": 320.0}) if name == "side" else (3, {})
    own = {"keypoints": {"corner_order": CORNER_ORDER, "calibration": CALIBRATION}}.get(name) or {
        "labels": list(LABELS[name])}
    shapes = {"keypoints": [1, 4, 16, 12], "segmentation": [1, 24, 32, 4], "side": [1, 2]}
    output = {"name": OUTPUTS[name], "dtype": "float32", "shape": shapes[name]}
    output |= {"stride": 4, "maps": "sheet"} if name == "keypoints" else {}
    source = {"name": "image", "dtype": "uint8", "layout": "NHWC", "shape": [1, 64, 64, channels],
              "colour": "RGB and mask" if crop else "RGB", "fit": "foot_crop" if crop else "letterbox",
              "mean": [100.0] * channels, "std": [50.0] * channels}
    return {"task": "a test", "architecture": "tiny", "input": source | crop, "output": output, "trained_on": {},
            "accuracy": {}} | own


def fuzz_one(data):
    """Whether it is a bundle's."""
    with places.folder() as given:
        folder = given / "bundle"
        _files(folder)
        (folder / MANIFEST).write_bytes(data)
        try:
            bundle = Bundle.load(folder)
        except BundleError as error:
            assert str(error) and error.file.startswith(str(folder))
            return False
        for model in bundle.models:
            spec = bundle.crop_spec() if model == "side" else bundle.input_spec(model)
            assert spec.height > 0 and spec.width > 0 and min(spec.std) > 0
            assert bundle.default_precision(model) in bundle.precisions(model)
            assert bundle.model_path(model).resolve().is_relative_to(folder.resolve())
            contract = contract_of(model, bundle.manifest["models"][model])
            assert all(isinstance(value, str) for value in contract.values())
        assert bundle.maps and (bundle.calibration is None or bundle.calibration.temperature > 0)
        assert all((folder / record["file"]).is_file() for record in file_records(bundle.manifest))
        return True
