"""What has become of a table or figure of the thesis, told from its files, without making the report."""

import re
from pathlib import Path

from experiments.thesis.case import read_case
from experiments.thesis.material import DATA
from experiments.thesis.trainings import SCALES, TRAININGS


def thesis_state(item, folder, scale):
    """One line on an Item and a folder of case files: "done, 2026-11-22", "5 of 9 trainings, 2026-11-22", "not run".

    For the data, whether they are measured; DATA lies in the folder or above it.
    """
    folder = Path(folder)
    if item.name != "data" and not item.trainings:
        return "not run"
    if not item.trainings:
        return "done" if (folder / DATA).exists() or (folder.parent / DATA).exists() else "not run"
    seeds = SCALES[scale].seeds
    wanted = sum(min(seeds, TRAININGS[name].seeds or seeds) for name in item.trainings)
    files = [file for file in folder.glob("*-s*.json")
             if re.sub(r"-s\d+\.json$", "", file.name) in item.trainings]
    if not files:
        return "not run"
    try:
        date = max(read_case(file)["date"] for file in files)
    except (ValueError, KeyError) as fault:
        return str(fault)
    return f"done, {date}" if len(files) >= wanted else f"{len(files)} of {wanted} trainings, {date}"
