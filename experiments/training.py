"""A corner network trained through a schedule of stages, exactly so many image steps each.

    FOLDER/1-128x96/    the run of the first stage (`foliopie keypoints train`)
    FOLDER/2-256x192/   of the second, which begins with the last weights of the first; and so on
    FOLDER/scenes-N/    the N scenes that a stage is trained on

An image step is one image through one step of the optimiser. Training goes by passes over whole batches, so that a
number of image steps is met exactly where it is passes x scenes: `passes` finds how. The last weights count, never
the best: which epoch is the best is told by rendered scenes, and would favour whoever trains on their like.

A finished stage has finished.json: what it was made of. It is not done again, and refused where that has changed;
its resume.npz, two thirds of its size, goes. An interrupted stage goes on after its last finished epoch.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from experiments.photos import FILES, cached_corners, evaluate, file_sha256, read_photos
from keypoints.config import TrainConfig
from keypoints.loader import split_samples
from scenes.dataset import IMAGES, MASKS, read_dataset, write_annotations
from scenes.document import ANNOTATIONS
from scenes.files import write_whole

FINISHED = "finished.json"
WEIGHTS = "last"
# Held-out scenes that a dataset gives of its own, at most; they only tell how a training goes.
OWN_VALIDATION = 100
# Of the scenes that are there, so many must be used: image steps with large factors would leave few.
LEAST_SHARE = 1 / 3


@dataclass(frozen=True)
class Stage:
    """height, width: of the network's input. image_steps: a multiple of `batch`. fit: as in TrainConfig."""

    height: int
    width: int
    image_steps: int
    batch: int = 16
    learning_rate: float = 1e-3
    fit: str = "turn"


@dataclass(frozen=True)
class Training:
    """folder: of its runs. data: dataset. stages: tuple of Stage. seed. start: file of weights to begin with, or
    None. scenes: how many of the data's are used at most; None: all. validation: dataset to look at while training,
    or None: `data` holds out some of its own. photos: folder of annotated photos that the last stage is evaluated
    on, or None. network: which it is and what it draws, settings of TrainConfig; {}: its defaults."""

    folder: Path
    data: Path
    stages: tuple
    seed: int
    start: Path | None = None
    scenes: int | None = None
    validation: Path | None = None
    photos: Path | None = None
    network: dict = field(default_factory=dict)

    def run(self, number):
        """Folder of the run of stage `number`, counted from 0."""
        stage = self.stages[number]
        return Path(self.folder) / f"{number + 1}-{stage.height}x{stage.width}"

    @property
    def last_run(self):
        """Folder of the run of the last stage."""
        return self.run(len(self.stages) - 1)

    @property
    def weights(self):
        """File of the weights that it ends with."""
        return self.last_run / FILES[WEIGHTS]


def passes(image_steps, batch, scenes):
    """(epochs, scenes used) such that their product is `image_steps` and every batch is full: the fewest epochs.

    Raises ValueError where that is not possible with at least LEAST_SHARE of the `scenes`, or of the image steps where
    those are fewer.
    """
    steps = image_steps // batch
    for epochs in range(1, steps + 1):
        used = image_steps // epochs
        if steps % epochs == 0 and used <= scenes and image_steps % batch == 0:
            if used < LEAST_SHARE * min(scenes, image_steps):
                break
            return epochs, used
    raise ValueError(f"{image_steps} image steps in batches of {batch} are no whole passes over a fair part of "
                     f"{scenes} scenes: choose a multiple of {batch} with small factors, or another number of scenes")


def train_and_evaluate(training):
    """Do what is left of a Training. Writes runs and cached corners; returns nothing, for a process of its own.

    Raises what keypoints.train.train raises, and ValueError for a stage that was made of something else.
    """
    import cv2

    cv2.setNumThreads(1)
    start = training.start
    for number in range(len(training.stages)):
        if not is_stage_finished(training, number, start):
            _train_stage(training, number, start)
        start = training.run(number) / FILES[WEIGHTS]
    if training.photos is not None:
        evaluate(training.last_run, read_photos(training.photos), WEIGHTS)


def is_finished(training, photos):
    """Whether nothing is left to do of a Training. photos: PhotoSet of its photos, or None where they are not there
    yet. Raises ValueError as `train_and_evaluate` does."""
    start = training.start
    for number in range(len(training.stages)):
        if not is_stage_finished(training, number, start):
            return False
        start = training.run(number) / FILES[WEIGHTS]
    if training.photos is None:
        return True
    return photos is not None and cached_corners(training.last_run, photos, WEIGHTS) is not None


def is_stage_finished(training, number, start):
    """Whether stage `number`, begun with the weights `start` (or None), is trained to its end.

    Raises ValueError where it is, but from other weights, scenes or settings.
    """
    folder = training.run(number)
    if not (folder / FINISHED).exists():
        return False
    found, wanted = json.loads((folder / FINISHED).read_text(encoding="utf-8")), _made_of(training, number, start)
    changed = sorted(name for name in wanted if found.get(name) != wanted[name])
    if changed:
        raise ValueError(f"{folder} was trained from something else ({', '.join(changed)} changed); remove it, or name "
                         "another folder for the experiment")
    return True


def made_of(training):
    """What the last stage of a finished Training was made of: settings, and hashes of scenes and first weights."""
    return json.loads((training.last_run / FINISHED).read_text(encoding="utf-8"))


def share_done(training):
    """How much of a Training's image steps is done, in [0, 1]; by its history, without a framework."""
    done = sum(stage.image_steps * run_share(training.run(number)) for number, stage in enumerate(training.stages))
    return done / sum(stage.image_steps for stage in training.stages)


def run_share(run):
    """How much of a run's epochs is done, of corners or of pixels, in [0, 1]; 0 where there is no run."""
    try:
        document = json.loads((run / "config.json").read_text(encoding="utf-8"))
        epochs = document["config" if "config" in document else "train"]["epochs"]
        return min((run / "history.jsonl").read_text(encoding="utf-8").count("\n") / epochs, 1.0)
    except (OSError, ValueError, KeyError):
        return 0.0


def training_scenes(training, number):
    """(epochs, dataset folder) of a stage: as many scenes as it needs, the first ones of the dataset; with the scenes
    that `data` holds out of its own where no other dataset is there to validate on.
    """
    stage = training.stages[number]
    samples, held_out, how = split_samples(
        read_dataset(training.data), read_dataset(training.validation) if training.validation else None)
    epochs, used = passes(stage.image_steps, stage.batch, min(len(samples), training.scenes or len(samples)))
    own = [] if how == "folder" else held_out[:OWN_VALIDATION]
    folder = Path(training.folder) / f"scenes-{used}"
    link_scenes(folder, training.data, {"train": samples[:used], "validation": own})
    return epochs, folder


def link_scenes(folder, data, splits):
    """A dataset folder of some scenes of another: links to its photos and masks, and annotations.json of its own.

    data: the other dataset's folder. splits: {split: list of its scenes.dataset.Samples}.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for part in (IMAGES, MASKS):
        source = Path(data).resolve() / part
        if source.exists() and not (folder / part).is_symlink():
            os.symlink(source, folder / part, target_is_directory=True)
    write_annotations(folder, [_record(sample, split) for split, samples in splits.items() for sample in samples])


def _record(sample, split):
    return {"file_name": sample.file_name, "width": sample.width, "height": sample.height, "corners": sample.corners,
            "visibility": sample.visibility, "attributes": dict(sample.attributes, split=split)}


def dataset_sha256(folder):
    """Hash of all that a training reads of a dataset: annotations.json, and names and content of photos and masks."""
    folder, digest = Path(folder), hashlib.sha256()
    for path in [folder / ANNOTATIONS, *sorted((folder / IMAGES).rglob("*")), *sorted((folder / MASKS).rglob("*"))]:
        if path.is_file():
            digest.update(f"{path.relative_to(folder).as_posix()} {file_sha256(path)}\n".encode())
    return digest.hexdigest()


def _made_of(training, number, start):
    """What decides a stage's weights: dict."""
    return {**asdict(training.stages[number]), **training.network, "seed": training.seed, "scenes": training.scenes,
            "data_sha256": dataset_sha256(training.data),
            "validation_sha256": training.validation and dataset_sha256(training.validation),
            "start_sha256": start and file_sha256(start)}


def _train_stage(training, number, start):
    from keypoints.run import RESUME
    from keypoints.train import train

    stage, folder = training.stages[number], training.run(number)
    epochs, data = training_scenes(training, number)
    config = TrainConfig(height=stage.height, width=stage.width, fit=stage.fit, batch=stage.batch, epochs=epochs,
                         learning_rate=stage.learning_rate, seed=training.seed,
                         weights=str(Path(start).resolve()) if start else None, **training.network)
    train(data, folder, config, training.validation, resume=True)
    write_whole(folder / FINISHED, (json.dumps(_made_of(training, number, start), indent=1) + "\n").encode())
    (folder / RESUME).unlink()
