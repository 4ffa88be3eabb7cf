"""Files of parameters into networks, and back in half the size."""

import mxnet as mx
import numpy as np

# Layers whose shape depends on the number of keypoints have this in their name, in every architecture.
LAST = "final_layer"


class WeightsError(Exception):
    """A file of parameters that does not fit the network; the message says where."""


def load_weights(net, file, may_lack=(LAST,)):
    """Copy the parameters of a file (gluon's save_parameters) into an initialised network.

    Values stored in another type, as in FP16, become the parameter's. Parameters with one of `may_lack` in their name
    are left as they are where the file has no value of their shape; every other difference raises WeightsError.
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
    left = []
    for name, parameter in net._collect_params_with_prefix().items():  # the names that save_parameters writes
        if name in values and values[name].shape == parameter.shape:
            parameter.set_data(values[name].astype(parameter.dtype))
        elif any(part in name for part in may_lack):
            left.append(name)
        else:
            found = f"shape {values[name].shape}" if name in values else "no value"
            raise WeightsError(
                f"{file} has {found} for {name}, the network wants {parameter.shape}; the file is of another model: "
                "choose its --model and --input, and for an hourglass its --stacks and --filters"
            )
    return left


def save_half(net, file):
    """Write the parameters of a network in FP16, for load_weights. Raises WeightsError for a value beyond FP16's."""
    values = {}
    for name, parameter in net._collect_params_with_prefix().items():
        values[name] = parameter.data().astype("float16")
        if not np.isfinite(values[name].asnumpy()).all():
            raise WeightsError(
                f"{name} has values that are no number, or beyond the {np.finfo(np.float16).max:.0f} that FP16 holds; "
                "keep these weights as they are"
            )
    mx.nd.save(str(file), values)
