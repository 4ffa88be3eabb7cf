"""Where a new bundle goes: made beside its place and renamed into it when it is whole."""
import os
import shutil
from pathlib import Path

from deploy.bundle import MANIFEST, BundleError


def check_place(out, replace):
    """Raises BundleError unless a bundle may go to the folder `out`: not there, empty, or a bundle with `replace`."""
    out = Path(out)
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not (out / MANIFEST).exists():
        raise BundleError(out, "is there and is no bundle: give a folder that does not exist yet")
    if not replace:
        raise BundleError(out, "holds a bundle: give another folder, or --replace to have it replaced")


def move_into_place(made, out):
    """Renames the folder `made` to `out`; a bundle there is set aside beside `made` first, and removed after."""
    aside = made.with_name("replaced")
    if out.exists():
        os.rename(out, aside)
    try:
        os.rename(made, out)
    except BaseException:  # what is set aside goes with the scratch folder: bring it back first
        if aside.exists():
            os.rename(aside, out)
        raise
    shutil.rmtree(aside, ignore_errors=True)
