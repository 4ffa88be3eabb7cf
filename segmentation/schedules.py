"""The learning rate over a run."""


def poly(step: int, total_steps: int, base: float, power: float = 0.9, warmup_steps: int = 0) -> float:
    """Learning rate of one step: base * (1 - step / total)^power, the "poly" policy of DeepLab and PSPNet.

    Args:
        step: 0-based step of the whole run; from `total_steps` on the rate is 0.
        base: rate the polynomial starts from.
        warmup_steps: in the first of them the rate also rises linearly, from base / (warmup_steps + 1).
    """
    return base * max(0.0, 1.0 - step / total_steps) ** power * _warmup(step, warmup_steps)


def constant(step: int, total_steps: int, base: float, power: float = 0.0, warmup_steps: int = 0) -> float:
    """`base` at every step, but for the same warm-up; takes what `poly` takes and has no use for the rest."""
    return base * _warmup(step, warmup_steps)


SCHEDULES = {"poly": poly, "constant": constant}


def _warmup(step: int, warmup_steps: int) -> float:
    return min(1.0, (step + 1) / (warmup_steps + 1))
