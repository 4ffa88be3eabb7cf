"""The kind of training loop that comes with GluonCV, in small: what its script train_simple_pose.py does, on the photos
of a dataset.

A DataLoader reads every photo anew in each epoch, turns, scales and mirrors it and draws its target; the loss is L2
weighted by visibility; the metric and the loss are asked for after every step, so that nothing runs ahead.
"""

import time

import mxnet as mx
import numpy as np
from gluoncv.data.transforms.presets.simple_pose import SimplePoseDefaultTrainTransform
from gluoncv.model_zoo import get_model
from gluoncv.utils.metrics import HeatmapAccuracy
from mxnet import autograd, gluon

SCALE_FACTOR, ROTATION_DEG = 0.30, 40  # that script's
MIRRORED = ((0, 1), (2, 3))  # corners that change places in a mirror


class Photos(gluon.data.Dataset):
    """What the transform gives of scenes.dataset.Samples: image, target, weight, number."""

    def __init__(self, samples, transform):
        self._samples, self._transform = samples, transform

    def __len__(self):
        return len(self._samples)

    def __getitem__(self, index):
        sample = self._samples[index]
        joints = np.zeros((len(sample.corners), 3, 2), np.float32)
        joints[:, :2, 0] = sample.corners
        joints[:, :2, 1] = (np.asarray(sample.visibility) > 0)[:, None]
        label = {"bbox": (0, 0, sample.width, sample.height), "joints_3d": joints}
        return self._transform(mx.image.imread(str(sample.image_path), 1), label, index)


def train_epochs(samples, config, workers, epochs):
    """Train from random values: dict with the last epoch's images_per_second and waiting_share, the share of the time
    in which the network had no data.

    config: keypoints.config.TrainConfig, of which model, joints, height, width, sigma_px, batch and learning_rate
    count. workers: threads that prepare batches ahead; 0: the loop itself does. A last batch that is not full is left
    out, as there.
    """
    transform = SimplePoseDefaultTrainTransform(
        config.joints, MIRRORED, (config.height, config.width), config.heatmap_size, config.sigma_px,
        scale_factor=SCALE_FACTOR, rotation_factor=ROTATION_DEG)
    loader = gluon.data.DataLoader(Photos(samples, transform), config.batch, shuffle=True, last_batch="discard",
                                   num_workers=workers, thread_pool=True)
    net = get_model(config.model, num_joints=config.joints, pretrained=False, pretrained_base=False)
    net.initialize(mx.init.MSRAPrelu())
    net.hybridize(static_alloc=True, static_shape=True)
    trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": config.learning_rate})
    for _ in range(epochs):
        found = _epoch(net, trainer, loader, config.batch)
    return found


def _epoch(net, trainer, loader, batch):
    loss_of, metric = gluon.loss.L2Loss(), HeatmapAccuracy()
    images, waited, started = 0, 0.0, time.perf_counter()
    batches = iter(loader)
    while True:
        asked = time.perf_counter()
        drawn = next(batches, None)
        waited += time.perf_counter() - asked
        if drawn is None:
            break
        data, label, weight = (part.as_in_context(mx.cpu()) for part in drawn[:3])  # workers hand over shared memory
        with autograd.record():
            output = net(data)
            loss = loss_of(output, label, weight)
        loss.backward()
        trainer.step(batch)
        metric.update([label], [output])
        loss.mean().asscalar()
        images += batch
    seconds = time.perf_counter() - started
    return {"images_per_second": images / seconds, "waiting_share": waited / seconds}
