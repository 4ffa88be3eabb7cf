"""Rendering the scenes of an experiment, as tasks."""

import hashlib
import json
from dataclasses import asdict
from functools import partial
from pathlib import Path

from deploy.processes import Task
from experiments.photos import file_sha256
from scenes.document import ANNOTATIONS

# Groups of choices that a scene can be without: those of scenes.rendering.config, which needs the renderer.
GROUPS = ("textures", "camera", "sheet", "legs", "things", "light")
SEED = 0  # of the scenes: the same in every arm
SCENE_SECONDS = 0.6  # of one core, to weigh tasks against each other


def render(folder, count, split, size, groups, legs, textures):
    """Render a dataset in one process. size: (width, height) of an upright photo. groups: those of GROUPS that are
    made plain. Raises ValueError, OSError."""
    from scenes.rendering.config import without
    from scenes.rendering.generate import render_dataset

    render_dataset(folder, {split: count}, SEED, size=tuple(size), legs=None if "legs" in groups else legs,
                   textures=None if "textures" in groups else textures, config=without(groups))


def render_task(name, folder, count, size, groups=(), split="train", legs=None, textures=None):
    """[Task] of `render`; [] where the folder has its scenes."""
    try:
        images = json.loads((Path(folder) / ANNOTATIONS).read_text(encoding="utf-8"))["images"]
    except FileNotFoundError:
        images = ()
    if len(images) == count:
        return []
    return [Task(name, render, (folder, count, split, size, groups, legs, textures), weight=SCENE_SECONDS * count,
                 share=partial(share_rendered, folder, count))]


def share_rendered(folder, count):
    """How many of a dataset's scenes are rendered, in [0, 1]."""
    return min(sum(1 for _ in (Path(folder) / "masks").glob("*.png")) / count, 1.0)


def scene_sources(legs, textures):
    """dict for JSON: hashes of all that scenes are made from beside their seed: the renderer's version and settings,
    the file of legs, the folder of textures (None: the project's own)."""
    from scenes.rendering.config import SceneConfig
    from scenes.rendering.generate import RECIPE_VERSION

    files = sorted(path for path in Path(textures).rglob("*") if path.is_file()) if textures else ()
    digest = hashlib.sha256("".join(f"{path.name} {file_sha256(path)}\n" for path in files).encode())
    config = json.dumps(asdict(SceneConfig()), sort_keys=True, default=str)
    return {"renderer": RECIPE_VERSION, "scene_config_sha256": hashlib.sha256(config.encode()).hexdigest(),
            "scene_seed": SEED, "legs_sha256": file_sha256(legs) if legs else None,
            "textures_sha256": digest.hexdigest() if textures else None}
