"""The network of a configuration: built, given its first values, and its outputs in training."""

import mxnet as mx
from gluoncv.model_zoo.model_store import get_model_file

from keypoints.models import hourglass, pyramid, regression, simple_pose
from keypoints.models.weights import LAST, WeightsError, load_weights

ARCHITECTURES = {
    "simple_pose_resnet18_v1b": simple_pose,
    "simple_pose_resnet50_v1b": simple_pose,
    "hourglass": hourglass,
    "pyramid_resnet18_v1b": pyramid,
    "regression_resnet18_v1b": regression,
}


def build(config):
    """The network of a configuration (keypoints.config.TrainConfig), without values; nothing is downloaded.

    net(images): (N, channels, H, W) float32 -> maps (N, maps, H/4, W/4), or coordinates (N, 2K)."""
    return ARCHITECTURES[config.model].build(config)


def allocate(net, config, initialiser):
    """Give every parameter of a built network its shape, which only a first pass finds, and a value."""
    net.initialize(initialiser, force_reinit=True)
    net(mx.nd.zeros((1, config.channels, config.height, config.width)))
    mx.nd.waitall()


def initialise(net, config):
    """Give a built network its first values: random by config.seed, then config.weights or GluonCV's weights: of
    people's joints in COCO, for a regression or a pyramid of the classes of ImageNet.

    Returns the names of the parameters that kept their random values: none for weights of this project, the
    last layer for weights of another number of keypoints or maps. Raises WeightsError.
    """
    mx.random.seed(config.seed)
    allocate(net, config, mx.init.MSRAPrelu())
    if not config.pretrained:
        return load_weights(net, config.weights) if config.weights else []
    name, may_lack = config.model, (LAST,)
    if config.is_regression:
        name, may_lack = regression.backbone(config), (LAST, "hidden")
    if isinstance(net, pyramid.Pyramid):
        name, may_lack = pyramid.backbone(config), pyramid.NEW
    try:
        file = get_model_file(name, tag=True)
    except Exception as fault:  # gluoncv raises whatever its download library does
        raise WeightsError(
            f"GluonCV's weights of {name} cannot be had ({fault}); "
            "use --weights FILE, or neither to start from random values"
        ) from fault
    return load_weights(net, file, may_lack)


def training_outputs(net, images):
    """What the loss sees: list of arrays, the outputs of every stack; the last is what net(images) gives."""
    return list(net.stages(images)) if isinstance(net, hourglass.Hourglass) else [net(images)]


__all__ = ["WeightsError", "allocate", "build", "initialise", "load_weights", "training_outputs"]
