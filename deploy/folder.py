"""A folder of long work that can be gone on with: the settings that it was begun with, in a file of its own."""

import json
from pathlib import Path

from scenes.files import write_whole


def begin(folder, settings, file, kind):
    """Make the folder of a work, or go on with it. settings: dict of plain values, all that decides what comes out.
    file: name of the JSON file that they are kept in. kind: what the work is called, "experiment". Raises ValueError
    where the folder holds one with other settings, or something else."""
    folder = Path(folder)
    wanted = json.loads(json.dumps(settings))
    if (folder / file).exists():
        found = json.loads((folder / file).read_text(encoding="utf-8"))
        changed = [f"{name} was {found.get(name)!r}, is {wanted.get(name)!r}" for name in sorted({*found, *wanted})
                   if found.get(name) != wanted.get(name)]
        if changed:
            raise ValueError(f"{folder} is that of other settings ({'; '.join(changed)}); give another "
                             "--out, or the settings that it was begun with")
        return
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty and holds no {kind}; give another --out")
    write_whole(folder / file, (json.dumps(wanted, indent=1) + "\n").encode())
