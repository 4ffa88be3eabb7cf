"""Stacked hourglass (Newell et al., "Stacked Hourglass Networks for Human Pose Estimation", ECCV 2016).

Input (N, channels, H, W) float32; H and W multiples of 16. Output (N, maps, H/4, W/4) float32, linear. The stem goes
down to H/4, each hourglass to H/16 and back: of 240 x 240 the features are 60 x 60 and the lowest level 15 x 15. Every
layer is a convolution, so weights fit any input size.
"""

import mxnet as mx
from mxnet.gluon import HybridBlock, nn

HALVINGS = 2  # of an hourglass


def build(config):
    """The network of a configuration (keypoints.config.TrainConfig), without values."""
    return Hourglass(config.stacks, config.filters, config.outputs)


class Hourglass(HybridBlock):
    """The maps of the last stack. `stages` is the same network, which gives those of every stack: what training
    supervises."""

    def __init__(self, stacks, filters, maps):
        super().__init__()
        self.stages = Stages(stacks, filters, maps)

    def hybrid_forward(self, F, images):
        return self.stages(images)[-1]


class Stages(HybridBlock):
    """Stem and stacks: images -> list of maps, one (N, maps, H/4, W/4) a stack.

    Between two stacks features and maps go back into the stream, each through a 1x1 convolution.
    """

    def __init__(self, stacks, filters, maps):
        super().__init__()
        self.stem = nn.HybridSequential()
        self.stem.add(nn.Conv2D(filters // 2, 7, strides=2, padding=3, use_bias=False), nn.BatchNorm(),
                      nn.Activation("relu"), Bottleneck(filters, widens=True), nn.MaxPool2D(2),
                      Bottleneck(filters), Bottleneck(filters))
        self.bodies, self.final_layers = nn.HybridSequential(), nn.HybridSequential()
        self.features_back, self.final_layers_back = nn.HybridSequential(), nn.HybridSequential()
        for number in range(stacks):
            body = nn.HybridSequential()
            body.add(Level(HALVINGS, filters), Bottleneck(filters), nn.Conv2D(filters, 1, use_bias=False),
                     nn.BatchNorm(), nn.Activation("relu"))
            self.bodies.add(body)
            # Small weights: the training begins with empty maps, as that of SimplePose does.
            self.final_layers.add(nn.Conv2D(maps, 1, weight_initializer=mx.init.Normal(0.001)))
            if number < stacks - 1:
                self.features_back.add(nn.Conv2D(filters, 1))
                self.final_layers_back.add(nn.Conv2D(filters, 1))

    def hybrid_forward(self, F, images):
        stream, drawn = self.stem(images), []
        for number, body in enumerate(self.bodies):
            features = body(stream)
            drawn.append(self.final_layers[number](features))
            if number < len(self.bodies) - 1:
                stream = stream + self.features_back[number](features) + self.final_layers_back[number](drawn[-1])
        return drawn


class Level(HybridBlock):
    """An hourglass with so many halvings: (N, filters, h, w) -> the same shape; h and w multiples of 2^halvings.

    One path keeps the resolution, the other goes through half of it; they are added.
    """

    def __init__(self, halvings, filters):
        super().__init__()
        self.across = Bottleneck(filters)
        self.below = nn.HybridSequential()
        self.below.add(nn.MaxPool2D(2), Bottleneck(filters),
                       Level(halvings - 1, filters) if halvings > 1 else Bottleneck(filters), Bottleneck(filters))

    def hybrid_forward(self, F, features):
        return self.across(features) + F.UpSampling(self.below(features), scale=2, sample_type="nearest")


class Bottleneck(HybridBlock):
    """Residual block with half as many filters inside (He et al., "Identity Mappings in Deep Residual Networks", ECCV
    2016): (N, any, h, w) -> (N, filters, h, w). widens: whether it comes with another number of filters."""

    def __init__(self, filters, widens=False):
        super().__init__()
        self.body = nn.HybridSequential()
        for inside, size in ((filters // 2, 1), (filters // 2, 3), (filters, 1)):
            self.body.add(nn.BatchNorm(), nn.Activation("relu"),
                          nn.Conv2D(inside, size, padding=size // 2, use_bias=False))
        self.skip = nn.Conv2D(filters, 1, use_bias=False) if widens else None

    def hybrid_forward(self, F, features):
        return self.body(features) + (features if self.skip is None else self.skip(features))
