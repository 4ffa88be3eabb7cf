from dataclasses import replace

import numpy as np
import pytest

from keypoints.config import TrainConfig
from keypoints.schedules import Watch, learning_rate

CONFIG = TrainConfig(learning_rate=1.0, warmup=0.1)


def test_learning_rate_warms_up_and_falls():
    rates = [learning_rate(CONFIG, step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(1 / 11) and rates[10] == 1.0
    assert np.all(np.diff(rates[:11]) > 0) and np.all(np.diff(rates[10:]) < 0)
    assert rates[-1] == pytest.approx(0.01, abs=1e-3)
    steps = [learning_rate(replace(CONFIG, schedule="step"), step, 100) for step in (59, 60, 85)]
    assert steps == pytest.approx([1.0, 0.1, 0.01])


def test_poly_is_the_share_that_is_left_to_the_power_0_9():
    rates = [learning_rate(replace(CONFIG, schedule="poly"), step, 100) for step in (10, 55, 99)]
    assert rates == pytest.approx([1.0, 0.5**0.9, (1 / 90) ** 0.9])


def test_plateau_is_what_the_validation_made_of_it():
    config = replace(CONFIG, schedule="plateau", plateau_factor=0.5, plateau_patience=2)
    watch = Watch()
    better, scales = zip(*((watch.note(error, config), watch.scale) for error in (5, 6, 5, 4, 4, 4, 4, 4, 3)),
                         strict=True)
    assert better == (True, False, False, True, False, False, False, False, True)
    assert scales == (1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125)
    assert learning_rate(config, 50, 100, watch.scale) == 0.125
    assert learning_rate(config, 0, 100, watch.scale) == pytest.approx(0.125 / 11)
    assert (watch.best, watch.stale, watch.waited) == (3, 0, 0)


def test_other_schedules_leave_the_scale():
    watch = Watch()
    for error in (1, 2, 3, 4, 5):
        watch.note(error, CONFIG)
    assert watch.scale == 1.0 and watch.stale == 4


def test_early_stopping_ends_after_so_many_epochs_without_a_better_one():
    config = replace(CONFIG, early_stopping=2)
    watch, over = Watch(), []
    for error in (3, 2, 2, 1, 1, 1.5):
        watch.note(error, config)
        over.append(watch.is_over(config))
    assert over == [False] * 5 + [True]
    assert not watch.is_over(CONFIG)
