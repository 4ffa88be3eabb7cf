"""The folder of an experiment: what it is of, and what has become of it.

    experiment.json   its settings, written when it is begun; other settings need another folder
    results.json      written when it is done, with README.md and figure.png
"""

import json
from pathlib import Path

from deploy import folder as resume

EXPERIMENT, RESULTS = "experiment.json", "results.json"


def begin(folder, settings):
    """Make the folder of an experiment, or go on with it. settings: dict of plain values, all that decides what is
    trained. Raises ValueError where the folder holds an experiment with others, or something else."""
    resume.begin(folder, settings, EXPERIMENT, "experiment")


def state(folder):
    """One line on an experiment's folder: not run, begun, or done in part or whole, at which scale and when."""
    folder = Path(folder)
    try:
        results = json.loads((folder / RESULTS).read_text(encoding="utf-8"))
        missing = len(results["missing"])
        return f"{f'done but for {missing}' if missing else 'done'}, {results['scale']}, {results['date']}"
    except FileNotFoundError:
        return "begun" if (folder / EXPERIMENT).exists() else "not run"
    except (ValueError, KeyError, TypeError):
        return f"{folder / RESULTS} cannot be read"
