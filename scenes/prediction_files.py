"""Where a run keeps what its network says of samples: in a file named for everything that decides what that is.

    RUN/predictions/KEY.ENDING    KEY the digest of a dict: hashes of weights and samples, settings, the condition
"""

import hashlib
import json
from pathlib import Path

import numpy as np

from scenes.files import file_sha256

FOLDER = "predictions"


def samples_sha256(samples, masks=False, progress=None):
    """Hash of scenes.dataset samples: names, sizes, truth and files; masks: those files too.

    progress: called with 1 after each sample. Raises OSError where a photo is missing.
    """
    digest = hashlib.sha256()
    for sample in samples:
        truth = [sample.corners.tolist(), np.asarray(sample.visibility).tolist()]
        files = [file_sha256(path) for path in [sample.image_path, sample.mask_path][: 1 + masks]]
        line = [sample.name, sample.width, sample.height, truth, files]
        digest.update((json.dumps(line) + "\n").encode())
        if progress:
            progress(1)
    return digest.hexdigest()


def with_condition(origin, condition):
    """`origin`, a dict, and under which scenes.conditions.Condition; None: the photos as they are."""
    told = None if condition is None else {"name": condition.name, "value": condition.value}
    return origin | {"condition": told}


def cache_file(run, origin, ending="json"):
    """Where predictions made of `origin`, a dict, are kept in the folder of a run."""
    digest = hashlib.sha256(json.dumps(origin, sort_keys=True).encode()).hexdigest()
    return Path(run) / FOLDER / f"{digest[:16]}.{ending}"
