"""Coordinates straight from the image: the features of a ResNet (He et al., "Deep Residual Learning for Image
Recognition", CVPR 2016), averaged over the image, and a perceptron with two hidden layers.

Input (N, channels, H, W) float32; H and W multiples of 32. Output (N, 2K) float32: x0, y0, x1, y1 ... in units of the
input's width and height (keypoints.coordinates).
"""

import mxnet as mx
from gluoncv.model_zoo import get_model
from mxnet.gluon import HybridBlock, nn

FEATURES = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")  # as GluonCV names them
HIDDEN = (4096, 1024)
DROPOUT = 0.4


def build(config):
    """The network of a configuration (keypoints.config.TrainConfig), without values; nothing is
    downloaded."""
    return Regression(backbone(config), config.outputs)


def backbone(config):
    """GluonCV's name of the ResNet in a configuration's model: the part after "regression_"."""
    return config.model.removeprefix("regression_")


class Regression(HybridBlock):
    """The layers of the ResNet keep GluonCV's names, so that its files of weights fit."""

    def __init__(self, base, outputs):
        super().__init__()
        network = get_model(base, pretrained=False)
        for name in FEATURES:
            setattr(self, name, getattr(network, name))
        self.hidden = nn.HybridSequential()
        self.hidden.add(nn.GlobalAvgPool2D(), nn.Flatten())
        for units in HIDDEN:
            self.hidden.add(nn.Dense(units, activation="relu"), nn.Dropout(DROPOUT))
        # The training begins with every point in the middle of the image.
        self.final_layer = nn.Dense(outputs, weight_initializer=mx.init.Normal(0.001),
                                    bias_initializer=mx.init.Constant(0.5))

    def hybrid_forward(self, F, images):
        features = images
        for name in FEATURES:
            features = getattr(self, name)(features)
        return self.final_layer(self.hidden(features))
