"""A PSPNet of the thesis's form in small, taught a few photos in a minute: what happens to its masks in conversion
happens to those of the whole one, for it is decided by sizes, paddings and resizings, and these are the same.

Four convolutions of stride 2 that pad as TensorFlow's SAME, features of 30x30 from 473x473, pools of 1, 2, 3 and 6
bins, and everything brought to its size bilinearly. Only the channels are few.
"""

import keras
import numpy as np
from keras import layers

from scenes.augment import THESIS, augment
from scenes.progress import no_progress
from segmentation.loader import Batch
from segmentation.models.layers import INITIALIZER, classifier, convolution, networks_of, pyramid
from segmentation.train import Trainer

STRIDED = (16, 24, 32, 64)  # channels of the four convolutions of stride 2
PLAIN_FROM = 2  # of which those from here on have one of stride 1 behind them
# Corners are not needed: nobody says where they are.
NO_CORNERS = np.full((4, 2), -1.0), np.zeros(4, int)


def build_small(config):
    """segmentation.models.layers.Networks from a segmentation.config.TrainConfig, weights random from its seed.

    Of the configuration sizes, pools, the channels of levels and head, momentum and seed are read.
    """
    keras.utils.set_random_seed(config.seed)
    momentum, size = config.batchnorm_momentum, (config.height, config.width)
    inputs = x = keras.Input((*size, 3), name="image")
    for number, channels in enumerate(STRIDED):
        x = layers.Conv2D(channels, 3, 2, padding="same", use_bias=False, kernel_initializer=INITIALIZER,
                          name=f"down{number}_conv")(x)
        x = layers.BatchNormalization(momentum=momentum, name=f"down{number}_bn")(x)
        x = layers.ReLU(name=f"down{number}_relu")(x)
        if number >= PLAIN_FROM:
            x = convolution(x, channels, 3, f"stage{number}", momentum)
    x = pyramid(x, config.pools, config.pool_channels, momentum)
    x = convolution(x, config.head_channels, 3, "head", momentum)
    return networks_of(inputs, [classifier(x, size, "classifier")], "small_pspnet")


def teach(networks, config, photos, masks, steps, progress=no_progress):
    """Teach a network photos by heart, turned, shrunk and mirrored a little: it has the averaged weights then.

    photos: list of uint8 (H, W, 3) RGB. masks: list of uint8 (H, W) class ids. steps: of one batch each. progress: as
    scenes.progress.no_progress.
    """
    trainer, rng = Trainer(networks, config, steps), np.random.default_rng(config.seed)
    tick = progress("teaching", steps)
    for _ in range(steps):
        chosen = rng.permutation(len(photos))[:config.batch]
        made = [augment(photos[number], masks[number], *NO_CORNERS, config.input_spec, rng, THESIS)
                for number in chosen]
        trainer.step(Batch(np.stack([one.image for one in made]), np.stack([one.mask for one in made])))
        tick(1)
    for variable, average in zip(trainer.averaged, trainer.average, strict=True):
        variable.assign(average)
