"""How the learning rate goes down, and when a training ends early."""

import math
from dataclasses import dataclass

FINAL_SHARE = 0.01  # of the learning rate, where the cosine ends
STEP_DROPS = (0.6, 0.85)  # shares of the training after which "step" divides by ten
POLY_POWER = 0.9


def learning_rate(config, step, steps, scale=1.0):
    """Learning rate of step 0 <= step < steps. scale: Watch.scale.

    After the warm-up "cosine" falls to FINAL_SHARE, "step" is divided by ten at STEP_DROPS, "poly" falls nearly
    straight to nothing (the share left, to the power 0.9), and "plateau" is whatever the validation made of it.
    """
    warm = config.warmup * steps
    if step < warm:
        return config.learning_rate * scale * (step + 1) / (warm + 1)
    if config.schedule == "plateau":
        return config.learning_rate * scale
    if config.schedule == "step":
        return config.learning_rate * 0.1 ** sum(step >= share * steps for share in STEP_DROPS)
    done = (step - warm) / max(steps - warm, 1)
    if config.schedule == "poly":
        return config.learning_rate * (1 - done) ** POLY_POWER
    return config.learning_rate * (FINAL_SHARE + (1 - FINAL_SHARE) * 0.5 * (1 + math.cos(math.pi * done)))


@dataclass
class Watch:
    """What the validations of a training so far came to.

    best: smallest error. stale: epochs since then. waited: epochs since then or since the learning rate was last
    reduced. scale: factor that "plateau" has brought the learning rate to.
    """

    best: float = math.inf
    stale: int = 0
    waited: int = 0
    scale: float = 1.0

    def note(self, error, config):
        """Take an epoch's validation error; returns whether it is the best so far."""
        better = error < self.best
        self.best = min(self.best, error)
        self.stale = 0 if better else self.stale + 1
        self.waited = 0 if better else self.waited + 1
        if config.schedule == "plateau" and self.waited >= config.plateau_patience:
            self.scale *= config.plateau_factor
            self.waited = 0
        return better

    def is_over(self, config):
        """Whether early stopping ends the training."""
        return bool(config.early_stopping) and self.stale >= config.early_stopping
