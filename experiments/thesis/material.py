"""What the report is made from: the files of finished trainings, and the results of other experiments."""

import json
from dataclasses import dataclass
from pathlib import Path

from experiments.folder import RESULTS
from experiments.results import LEAST_SEEDS
from experiments.thesis.case import read_case
from experiments.thesis.trainings import SCALES, TRAININGS

DATA = "data.json"
# Folders of results.
MODELS = ("thesis", "models")


@dataclass(frozen=True)
class Material:
    """folder: of results, as they come with the project. scale: name. cases: {name of a training: list of case
    documents, by seed}, of that scale."""

    folder: Path
    scale: str
    cases: dict

    def of(self, names):
        """{name: cases} of trainings that have any, in the order given."""
        return {name: self.cases[name] for name in names if name in self.cases}

    def labelled(self, names):
        """The same by the trainings' labels."""
        return {TRAININGS[name].label: cases for name, cases in self.of(names).items()}

    def result(self, *parts):
        """results.json of another experiment, by its folder's name; None where it has not been run."""
        return _read(self.folder.joinpath(*parts) / RESULTS)

    def measured(self, name):
        """A file of the thesis's own results, of the scale; None where there is none."""
        return _read(self.folder / "thesis" / self.scale / name)

    def state(self, names):
        """"done" where every training has its seeds, "partly" where some are there, or "not run"."""
        seeds = SCALES[self.scale].seeds
        wanted = {name: min(seeds, TRAININGS[name].seeds or seeds) for name in names}
        done = {name: len(self.cases.get(name, ())) for name in names}
        if not any(done.values()):
            return "not run"
        return "done" if all(done[name] >= wanted[name] for name in names) else "partly"

    def dates(self, names):
        """First and last date of the trainings, words; "" without any."""
        dates = sorted(case["date"] for cases in self.of(names).values() for case in cases)
        return "" if not dates else dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"


def read_material(folder, scale):
    """Material of a folder of results. Raises ValueError for a file that is no case, or is of another scale, of other
    settings than the training has there or of other scenes than its neighbours; and for two of one seed."""
    folder, cases, hashes = Path(folder), {}, {}
    for file in sorted((folder / "thesis" / scale).glob("*-s*.json")):
        case = read_case(file)
        if case["training"] not in TRAININGS:
            raise ValueError(f"{file} is of a training {case['training']!r}, which there is not; remove it")
        _check_settings(file, case, scale)
        first = hashes.setdefault(case["kind"], (file, case["data_sha256"]))
        if case["data_sha256"] != first[1]:
            raise ValueError(f"{file} and {first[0]} were trained on other scenes; a table cannot hold both: remove "
                             "those of one")
        cases.setdefault(case["training"], []).append(case)
    for name, found in cases.items():
        found.sort(key=lambda case: case["seed"])
        seeds = [case["seed"] for case in found]
        if len(set(seeds)) < len(seeds):
            raise ValueError(f"two files of {name} in {folder} are of one seed, {seeds}: a training counts once, "
                             "remove the copy")
    return Material(folder, scale, cases)


def _check_settings(file, case, scale):
    """Raises ValueError unless a case is of a Scale, by name, with the settings that its training has there. Settings
    that are newer than the case have their default."""
    wanted = SCALES[scale].config(TRAININGS[case["training"]], case["seed"])
    if case["scale"] != scale or type(wanted).from_json(case["configuration"]) != wanted:
        raise ValueError(f"{file} is of other settings than {case['training']} has at scale {scale}; remove it, and "
                         "it is done again")


def _read(file):
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def seeds_told(cases):
    """How many seeds there are, words."""
    return f"{len(cases)} of {LEAST_SEEDS}" if len(cases) < LEAST_SEEDS else str(len(cases))
