"""The learning rate over a run."""


def poly(step: int, total_steps: int, base: float, power: float = 0.9, warmup_steps: int = 0) -> float:
    """Learning rate of one step: base * (1 - step / total)^power, the "poly" policy of DeepLab and PSPNet.

    Args:
        step: 0-based step of the whole run; from `total_steps` on the rate is 0.
        base: rate the polynomial starts from.
        warmup_steps: in the first of them the rate also rises linearly, from base / (warmup_steps + 1).
    """
    rate = base * max(0.0, 1.0 - step / total_steps) ** power
    if step < warmup_steps:
        rate *= (step + 1) / (warmup_steps + 1)
    return rate
