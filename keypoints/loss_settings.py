"""Which loss goes with which network: asked before a training begins, without loading the framework."""


def check_loss(config):
    """Raises ValueError where the loss of a TrainConfig has no meaning for its network; says what to choose."""
    corners_only = "it takes each map for one corner: choose maps 'each', or loss 'l2', 'focal' or 'visibility_l2'"
    if config.model.startswith("regression"):
        if config.loss != "l2":
            raise ValueError(
                f"loss is {config.loss!r} with model {config.model}; that is for heatmaps, and coordinates "
                "have loss 'l2' alone: choose it, or a model that draws heatmaps"
            )
        return
    if config.loss in ("ohkm", "slope") and config.maps != "each":
        raise ValueError(f"loss is {config.loss!r} with maps {config.maps!r}; {corners_only}")
    if config.loss == "ohkm" and not 1 <= config.ohkm_hardest <= config.joints:
        raise ValueError(
            f"ohkm_hardest is {config.ohkm_hardest} with {config.joints} keypoints; choose 1 to {config.joints}"
        )
    if config.loss == "slope" and config.joints != 4:
        raise ValueError(
            f"loss is 'slope' with {config.joints} keypoints; it compares the four edges of a sheet: choose "
            "joints 4, or another loss"
        )
