"""One training of the thesis with one seed: trained, judged on scenes it has not seen, and written down as one JSON
file, which is all that the report needs.

    OUT/scenes/KIND/             the scenes, as `experiments.thesis.scenes` chooses them
    OUT/runs/NAME-sSEED/         the training
    OUT/cases/NAME-sSEED.json    what came out; what has one is done
"""

import base64
import io
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from experiments.documents import SCHEMA, machine
from scenes.dataset import read_dataset
from scenes.files import write_whole

PICTURES = Path(__file__).parents[1] / "pictures"
LIBRARIES = {"pixels": ("numpy", "tensorflow", "keras"), "corners": ("numpy", "mxnet", "gluoncv")}
STATES = {"pixels": "state.npz", "corners": "resume.npz"}  # of an unfinished run
DIGITS = 4


@dataclass(frozen=True)
class Job:
    """training: name. kind: "pixels" or "corners". seed. scale: name. config: TrainConfig of its kind. data: dataset
    with the splits train and validation; data_sha256: of it. run: folder to train in. file: where what came out is
    written. threads: of the framework."""

    training: str
    kind: str
    seed: int
    scale: str
    config: object
    data: Path
    data_sha256: str
    run: Path
    file: Path
    threads: int = 1


def made_of(job):
    """What decides what comes out of a Job, beside libraries: dict for JSON."""
    return {"training": job.training, "kind": job.kind, "seed": job.seed, "scale": job.scale,
            "data_sha256": job.data_sha256, "configuration": json.loads(json.dumps(job.config.to_json()))}


def read_case(file):
    """What is in a case's file. Raises ValueError where it is none."""
    try:
        document = json.loads(Path(file).read_text(encoding="utf-8"))
        if not {"training", "kind", "seed", "scale", "data_sha256", "configuration", "validation"} <= set(document):
            raise KeyError("training, kind, seed, scale, data_sha256, configuration, validation are needed")
    except (ValueError, KeyError, TypeError) as fault:
        raise ValueError(f"{file} is no result of a training: {fault}; remove it, and it is done again") from None
    return document


def is_done(job):
    """Whether a Job has its file. Raises ValueError where the file is of other settings or scenes."""
    if not job.file.exists():
        return False
    changed = changed_in(job, job.file)
    if changed:
        raise ValueError(f"{job.file} was made with another {' and '.join(changed)}; remove it, or name another folder "
                         "with --out")
    return True


def changed_in(job, file):
    """What a case's file was made of that a Job is not: list of names. Raises ValueError where it is no case."""
    found, wanted = read_case(file), made_of(job)
    return sorted(name for name in wanted if found.get(name) != wanted[name])


def run_job(job):
    """Train, judge, and write the file; goes on where it was interrupted. For a process of its own.

    Raises what the training raises.
    """
    import cv2

    cv2.setNumThreads(1)
    if job.kind == "pixels":
        from experiments.thesis.pixels import train_and_judge
    else:
        from experiments.thesis.corners import train_and_judge
    found = train_and_judge(job)
    counts = {split: sum(sample.attributes["split"] == split for sample in read_dataset(job.data))
              for split in ("train", "validation")}
    document = {"schema": SCHEMA, **made_of(job), "date": time.strftime("%Y-%m-%d"), "scenes": counts,
                "machine": machine(LIBRARIES[job.kind]), **found}
    write_whole(job.file, (json.dumps(document) + "\n").encode())
    # Two thirds of the folder, and needed only to go on: without it, and without the file, all is trained again.
    (job.run / STATES[job.kind]).unlink(missing_ok=True)


def shortened(values):
    """Numbers with DIGITS digits behind the point, NaN as None, for JSON; nested lists and arrays."""
    values = np.asarray(values, float)
    return np.where(np.isfinite(values), np.round(values, DIGITS).astype(object), None).tolist()


def png_text(array):
    """uint8 (H, W) as PNG in base64."""
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode("ascii")


def from_png_text(text):
    """The array of `png_text`."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))
