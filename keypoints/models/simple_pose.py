"""GluonCV's SimplePose: a ResNet and three transposed convolutions (Xiao et al., "Simple Baselines for Human
Pose Estimation and Tracking", ECCV 2018), with as many output channels as there are corners.

Input (N, 3, H, W) float32, normalised RGB; H and W multiples of 32. Output (N, joints, H/4, W/4) float32.
Every layer is a convolution, so weights fit any input size.
"""

import mxnet as mx
from gluoncv.model_zoo import get_model
from gluoncv.model_zoo.model_store import get_model_file

from keypoints.config import JOINTS

HEAD = "final_layer."  # the one layer whose shape depends on the number of joints


class WeightsError(Exception):
    """A file of parameters that does not fit the network; the message says where."""


def build(config, joints=JOINTS):
    """The network of a configuration (keypoints.config.TrainConfig), without values; nothing is
    downloaded."""
    return get_model(config.model, num_joints=joints, pretrained=False, pretrained_base=False)


def initialise(net, config):
    """Give a built network its first values: random by config.seed, then config.weights or GluonCV's COCO
    weights.

    Returns the names of the parameters that kept their random values: none for weights of this project, the
    last layer for weights of another number of joints. Raises WeightsError.
    """
    mx.random.seed(config.seed)
    net.initialize(mx.init.MSRAPrelu(), force_reinit=True)
    net(mx.nd.zeros((1, 3, config.height, config.width)))  # shapes are found at the first pass
    mx.nd.waitall()
    if config.pretrained:
        try:
            file = get_model_file(config.model, tag=True)
        except Exception as fault:  # gluoncv raises whatever its download library does
            raise WeightsError(
                f"GluonCV's weights of {config.model} cannot be had ({fault}); "
                "use --weights FILE, or neither to start from random values"
            ) from fault
        return load_weights(net, file)
    return load_weights(net, config.weights) if config.weights else []


def load_weights(net, file):
    """Copy the parameters of a file (gluon's save_parameters) into an initialised network.

    A last layer of another shape is left as it is; every other difference raises WeightsError.
    Returns the names of the parameters left as they were.
    """
    try:
        values = {
            name.removeprefix("arg:").removeprefix("aux:"): value
            for name, value in mx.nd.load(str(file)).items()
        }
    except (mx.MXNetError, OSError, AttributeError, UnicodeDecodeError) as fault:
        raise WeightsError(
            f"{file} cannot be read as MXNet parameters; give a .params file saved by a run"
        ) from fault
    parameters = net._collect_params_with_prefix()  # the names that save_parameters writes
    left = []
    for name, parameter in parameters.items():
        if name in values and values[name].shape == parameter.shape:
            parameter.set_data(values[name])
        elif name.startswith(HEAD):
            left.append(name)
        else:
            found = f"shape {values[name].shape}" if name in values else "no value"
            raise WeightsError(
                f"{file} has {found} for {name}, the network wants {parameter.shape}; "
                "the file is of another model: choose its --model"
            )
    return left
