r"""Train a small network on a dataset with TensorFlow, measure it on another, draw what it sees.

posegen sample data/train --images 800
posegen sample data/val --images 100 --seed 1
for part in train val; do
    posegen build --coco data/$part --out data/$part-people --unit person --input-size 96x128 --stride 4 \
        --sigma 5 --min-area 3000 --labels heatmap,mask --shard-size 128
done
python examples/train_tensorflow.py data/train-people data/val-people
"""

import argparse

import numpy as np
import tensorflow as tf
from evaluation import draw, locate, measure, report
from tensorflow import keras

from posegen import PoseDataset
from posegen.loader.tensorflow import tf_dataset

layers = keras.layers


def block(x, channels, stride=1):
    if stride > 1:  # cells lie as the labels' do: "same" would shift them by half a pixel of the finer grid
        x = layers.ZeroPadding2D(1)(x)
    x = layers.Conv2D(channels, 3, stride, "valid" if stride > 1 else "same", use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))


def create_network(input_size, channels, widths=(16, 32, 64, 96)):
    """Down to a sixteenth and up to a quarter of the input: (B, H, W, 3) bytes -> (B, H / 4, W / 4, channels)."""
    a, b, c, d = widths
    images = keras.Input((*input_size, 3))
    quarter = block(block(block(layers.Rescaling(1 / 64, -2)(images), a, 2), b, 2), b)
    eighth = block(block(quarter, c, 2), c)
    sixteenth = block(block(block(eighth, d, 2), d), d)
    eighth = block(eighth + layers.UpSampling2D()(layers.Conv2D(c, 1)(sixteenth)), c)
    quarter = block(quarter + layers.UpSampling2D()(layers.Conv2D(b, 1)(eighth)), b)
    heatmaps = layers.Conv2D(channels, 1, kernel_initializer=keras.initializers.RandomNormal(stddev=0.001))(quarter)
    return keras.Model(images, heatmaps)


def compute_loss(heatmap, predicted):
    """Return the squared error of each cell; keypoints weigh more than the wide empty rest."""
    return tf.reduce_mean((predicted - heatmap) ** 2 * (1 + 9 * heatmap), axis=-1)


def prepare(batch):
    """Make picture, heatmap (B, h, w, C) and weights of the cells, as `fit` wants them."""
    # Not needed for what was built with --layout hwc.
    heatmap, mask = (tf.transpose(batch[name], [0, 2, 3, 1]) for name in ("heatmap", "mask"))
    return batch["image"], heatmap, mask[..., 0]


def train(network, data, epochs, rate=2e-3):
    steps = epochs * len(data)
    schedule = keras.optimizers.schedules.CosineDecay(
        rate / 10, 0.9 * steps, warmup_target=rate, warmup_steps=int(0.1 * steps)
    )
    network.compile(keras.optimizers.AdamW(schedule), loss=compute_loss)
    network.fit(data, epochs=epochs, shuffle=False)  # it shuffles itself


def predict(network, data):
    """Return the heatmaps of all samples, (N, K + 1, h, w)."""
    return np.concatenate([network(batch["image"], training=False).numpy().transpose(0, 3, 1, 2) for batch in data])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", help="the dataset to train on; a sample is a person (--unit person), the stride is 4")
    parser.add_argument("val", help="the dataset to measure on")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--picture", default="predicted.png", help="where to draw true and predicted heatmaps")
    options = parser.parse_args()
    keras.utils.set_random_seed(0)

    fields = ["image", "heatmap", "mask"]
    data = tf_dataset(options.train, batch_size=options.batch, fields=fields, flip="random", drop_remainder=True)
    held_out = PoseDataset(options.val, fields=["image", "heatmap", "keypoints", "bbox"])
    names, stride = held_out.skeleton.keypoints, held_out.config.stride
    network = create_network(held_out.config.input_size, len(names) + 1)
    train(network, data.map(prepare), options.epochs)

    heatmaps = predict(network, tf_dataset(options.val, batch_size=options.batch, fields=["image"], shuffle=False))
    truth = list(held_out)
    keypoints, boxes = (np.stack([sample[name][0] for sample in truth]) for name in ("keypoints", "bbox"))
    report(measure(*locate(heatmaps, held_out), keypoints, boxes, stride), names)
    pictures, true = (np.stack([sample[name] for sample in truth[:8]]) for name in ("image", "heatmap"))
    draw(options.picture, pictures, true[:, : len(names)], heatmaps[:8, : len(names)])
    print(f"true and predicted heatmaps: {options.picture}")


if __name__ == "__main__":
    main()
