"""GluonCV's SimplePose: a ResNet and three transposed convolutions (Xiao et al., "Simple Baselines for Human
Pose Estimation and Tracking", ECCV 2018), with as many output channels as there are maps.

Input (N, channels, H, W) float32; H and W multiples of 32. Output (N, maps, H/4, W/4) float32.
Every layer is a convolution, so weights fit any input size.
"""

from gluoncv.model_zoo import get_model


def build(config):
    """The network of a configuration (keypoints.config.TrainConfig), without values; nothing is
    downloaded."""
    return get_model(config.model, num_joints=config.outputs, pretrained=False, pretrained_base=False)
