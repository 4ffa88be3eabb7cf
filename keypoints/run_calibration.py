"""The calibration that a run folder keeps, and whether it belongs to the weights.

    calibration.json    {"schema", "made_of": as in keypoints.predictions, "decode", "data", "figures", "calibration"}
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from keypoints.calibration import Calibration
from keypoints.decoding import METHOD
from keypoints.predictions import made_of
from keypoints.run import RunError, write_text

SCHEMA = 1
FILE = "calibration.json"
ORIGIN = ("version", "weights_sha256", "samples_sha256", "settings")  # of keypoints.predictions.made_of


@dataclass(frozen=True, eq=False)
class Kept:
    """calibration: keypoints.calibration.Calibration. made_of: of the predictions that it was fitted to, see
    keypoints.predictions. decode: how those were decoded. data: name of the data. figures: what it is worth, as
    keypoints.calibrate has it."""

    calibration: Calibration
    made_of: dict
    decode: str
    data: str
    figures: dict

    def of_weights(self, sha256):
        """The same for another file of the same weights, as in half precision."""
        return replace(self, made_of=self.made_of | {"weights_sha256": sha256})

    def why_not(self, origin, decode=METHOD):
        """Why it says nothing of a network's scores, in words; None where it belongs to them.

        origin: what decides the predictions, keypoints.predictions.made_of, on whatever samples. decode: how they are
        decoded.
        """
        if self.made_of["weights_sha256"] != origin["weights_sha256"]:
            return "it is of other weights"
        if self.decode != decode:
            return f"it is of scores decoded by {self.decode}, not {decode}"
        if any(self.made_of[part] != origin[part] for part in ("version", "settings")):
            return "it was fitted by another version of this program, or with other settings"
        return None


def keep(run, kept):
    """Write a Kept into a run folder, whole or not at all: its path."""
    document = {
        "schema": SCHEMA,
        "made_of": kept.made_of,
        "decode": kept.decode,
        "data": kept.data,
        "figures": kept.figures,
        "calibration": kept.calibration.to_json(),
    }
    path = Path(run) / FILE
    write_text(path, json.dumps(document, indent=2) + "\n")
    return path


def read(run):
    """The Kept of a run folder; None where it has none. Raises RunError for a file that cannot be used."""
    path = Path(run) / FILE
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["schema"] != SCHEMA:
            raise ValueError(f"schema {document['schema']}, this version reads {SCHEMA}")
        calibration = Calibration.from_json(document["calibration"])
        origin = {part: document["made_of"][part] for part in ORIGIN}
        return Kept(calibration, origin, document["decode"], document["data"], document["figures"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as fault:
        raise RunError(
            f"{path} cannot be used: {fault}; remove it, or fit it anew with `foliopie keypoints calibrate`"
        ) from fault


def belonging(run, config, weights="best"):
    """The Kept of a run folder that is to go with its weights ("best" or "last") wherever they go; None where it has
    none. Raises RunError for one that cannot be used, or is of other weights."""
    kept = read(run)
    why_not = kept and kept.why_not(made_of(run, config, weights, None))
    if why_not:
        raise RunError(
            f"{Path(run) / FILE} does not belong to the {weights} weights: {why_not}; remove it, or fit it anew with "
            "`foliopie keypoints calibrate`"
        )
    return kept
