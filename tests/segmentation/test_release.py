"""Runs handed on in half precision: a network of pixels and one of sides."""

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from segmentation import commands
from segmentation.commands import segmentation
from segmentation.config import ConfigError, TrainConfig
from segmentation.network import build_networks, load_network
from segmentation.release import release
from segmentation.side import SideConfig, build_side, load_side

CONFIG = TrainConfig(height=64, width=64, pools=(1, 2), head_channels=8, init_weights=None,
                     encoder_weights="/somewhere/encoder.h5")


def untrained(folder, config, network):
    """A run folder with random weights, running statistics included."""
    folder.mkdir()
    document = {"schema": 1, "train": config.to_json(),
                "data": {"folder": "/data/one, /data/two", "validation": None, "training_samples": 7}}
    (folder / "config.json").write_text(json.dumps(document))
    rng = np.random.default_rng(1)
    for variable in network.variables:
        if "moving" in variable.path:
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    for name in ("best", "last"):
        network.save_weights(folder / f"{name}.weights.h5")
    return folder


@pytest.fixture
def run(tmp_path):
    return untrained(tmp_path / "run", CONFIG, build_networks(replace(CONFIG, encoder_weights=None)).training)


def test_a_released_run_answers_the_same_in_half_the_size(run, tmp_path, monkeypatch):
    # Threads cannot be set once TensorFlow has run, as it has in this process.
    monkeypatch.setattr(commands, "_prepare_tensorflow", lambda threads: 1)
    out = tmp_path / "new" / "released"
    done = CliRunner().invoke(segmentation, ["release", str(run), str(out)])
    assert done.exit_code == 0, done.output
    assert sorted(file.name for file in out.iterdir()) == ["best.weights.h5", "config.json"]
    before, after = ((folder / "best.weights.h5").stat().st_size for folder in (run, out))
    assert after < 0.6 * before  # names and places of two hundred arrays are not halved
    document = json.loads((out / "config.json").read_text())
    assert document["train"]["encoder_weights"] is None
    assert document["data"] == {"folder": "one, two", "validation": None, "training_samples": 7}
    image = np.random.default_rng(2).normal(size=(1, 64, 64, 3)).astype(np.float32)
    (network, config), (original, _) = load_network(out), load_network(run)
    assert config == replace(CONFIG, encoder_weights=None)
    apart = np.abs(np.asarray(network(image)) - np.asarray(original(image))).max()
    assert 0 < apart < 0.01


def test_the_side_and_other_weights(tmp_path):
    config = SideConfig(size_px=32, channels=(4, 8))
    run = untrained(tmp_path / "side", config, build_side(config))
    (run / "best.weights.h5").unlink()
    found = release(run, tmp_path / "released", weights="last")
    assert found.largest < 0.01 and "another class" in str(found)
    assert load_side(tmp_path / "released")[1] == config


def test_what_cannot_be_released_is_said(run, tmp_path):
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "file").touch()
    with pytest.raises(ConfigError, match="taken is not empty; name a new folder"):
        release(run, taken)
    (run / "last.weights.h5").unlink()
    with pytest.raises(ConfigError, match="has no last.weights.h5"):
        release(run, tmp_path / "out", weights="last")
    assert not (tmp_path / "out").exists()
    with pytest.raises(ConfigError, match="no run of `segmentation train`"):
        release(taken, tmp_path / "out")
