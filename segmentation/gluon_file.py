"""Reading the values of a Gluon `.params` file, which MXNet alone can.

MXNet crashes where TensorFlow was imported before it: it reads in an interpreter of its own, which runs this module and
imports nothing of Keras.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from segmentation.config import ConfigError

ROOT = Path(__file__).resolve().parents[1]


def read_gluon_file(file: Path) -> dict[str, np.ndarray]:
    """Name of each parameter -> its values, float32.

    Raises:
        ConfigError: if the file is none of named MXNet parameters, or MXNet is not installed.
    """
    with tempfile.TemporaryDirectory() as folder:
        arrays = Path(folder) / "values.npz"
        command = [sys.executable, "-m", "segmentation.gluon_file", os.path.abspath(file), str(arrays)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
            raise ConfigError(f"{file}: no file of named MXNet parameters, or a damaged one ({reason})")
        with np.load(arrays) as values:
            return dict(values)


def main(file: str, target: str) -> None:
    """Writes the parameters of `file` into `target`, an .npz."""
    import mxnet

    parameters = mxnet.nd.load(file)
    if not isinstance(parameters, dict):
        raise SystemExit("its parameters have no names")
    np.savez(target, **{name: values.astype("float32").asnumpy() for name, values in parameters.items()})


if __name__ == "__main__":
    main(*sys.argv[1:])
