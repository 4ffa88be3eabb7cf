"""Heatmaps from a feature pyramid: the deep layers of a ResNet, which see the whole sheet and so know where its covered
corners are, come back up level by level, and at each the finer features beside them are added, which know exactly where
an edge runs (Lin et al., "Feature Pyramid Networks for Object Detection", CVPR 2017).

Input (N, channels, H, W) float32; H and W multiples of 32. Output (N, maps, H/4, W/4) float32, linear. Every layer is a
convolution, so weights fit any input size.
"""

import mxnet as mx
from gluoncv.model_zoo import get_model
from mxnet.gluon import HybridBlock, nn

STEM = ("conv1", "bn1", "relu", "maxpool")  # as GluonCV names the layers of its ResNets
LEVELS = ("layer1", "layer2", "layer3", "layer4")  # at 1/4, 1/8, 1/16 and 1/32
WIDTHS = (64, 128, 128, 128)  # of the way back, at the same levels
NEW = ("backs", "beside", "final_layer")  # what a ResNet's file of weights lacks


def build(config):
    """The network of a configuration (keypoints.config.TrainConfig), without values; nothing is downloaded."""
    return Pyramid(backbone(config), config.outputs)


def backbone(config):
    """GluonCV's name of the ResNet in a configuration's model: the part after "pyramid_"."""
    return config.model.removeprefix("pyramid_")


class Pyramid(HybridBlock):
    """The layers of the ResNet keep GluonCV's names, so that its files of weights fit."""

    def __init__(self, base, maps):
        super().__init__()
        network = get_model(base, pretrained=False)
        for name in STEM + LEVELS:
            setattr(self, name, getattr(network, name))
        self.backs, self.beside = nn.HybridSequential(), nn.HybridSequential()  # finest level first
        for level, width in enumerate(WIDTHS):
            back, beside = nn.HybridSequential(), nn.HybridSequential()
            # A level hands over what the finer one can add to its own.
            back.add(nn.Conv2D(WIDTHS[max(level - 1, 0)], 3, padding=1, use_bias=False), nn.BatchNorm(),
                     nn.Activation("relu"))
            beside.add(nn.Conv2D(width, 1, use_bias=False), nn.BatchNorm())
            self.backs.add(back)
            self.beside.add(beside)
        # Small weights: the training begins with empty maps, as that of SimplePose does.
        self.final_layer = nn.Conv2D(maps, 1, weight_initializer=mx.init.Normal(0.001))

    def hybrid_forward(self, F, images):
        features, found = images, []
        for name in STEM:
            features = getattr(self, name)(features)
        for name in LEVELS:
            features = getattr(self, name)(features)
            found.append(features)
        stream = None
        for level in reversed(range(len(LEVELS))):
            fine = self.beside[level](found[level])
            stream = self.backs[level](F.relu(fine if stream is None else fine + stream))
            if level:
                stream = F.UpSampling(stream, scale=2, sample_type="nearest")
        return self.final_layer(stream)
