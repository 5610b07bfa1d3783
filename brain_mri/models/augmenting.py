"""Changes that a network sees its images under, drawn anew for each image and epoch."""

import math
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from brain_mri import params
from brain_mri.gallery import write_gallery
from brain_mri.storage import ImageSet

FULL = 255.0  # the full scale of a pixel
DRAWS = 12  # numbers that an image's changes are made from
SHOWN = 8  # epochs of the pictures of one slice


def augmented(
    pixels: tf.Tensor, rows: tf.Tensor, epoch: tf.Tensor, seed: int, ranges: params.Augment
) -> tf.Tensor:
    """Change each image of a batch; part of the compiled training step.

    What is drawn is a function of `seed`, `epoch` and `row` alone: no interruption changes it, nor
    does a division of the batch over devices, but for the last bits of pixels. So Keras's layers
    of augmentation are of no use here: they draw from a state that each call moves on. The
    stateless operation below them is.

    Parameters
    ----------
    pixels : Tensor (n, size, size), uint8
    rows : Tensor (n,), int32
        Of the images in their set.
    epoch : Tensor (), int32
    seed : int
    ranges : brain_mri.params.Augment

    Returns
    -------
    Tensor (n, size, size), float32
        From 0 to 255.
    """
    size = pixels.shape[1]
    noise_size = size if ranges.noise else 0

    def of_image(row):
        place = tf.stack([tf.cast(seed, tf.int64), _pair(epoch, row)])
        drawn = tf.random.stateless_uniform((DRAWS,), place, -1.0, 1.0, alg="philox")
        noise = tf.random.stateless_normal((noise_size, noise_size), ~place, alg="philox")
        return drawn, noise

    kinds = (tf.TensorSpec((DRAWS,)), tf.TensorSpec((noise_size, noise_size)))
    drawn, noise = tf.map_fn(of_image, rows, fn_output_signature=kinds)
    turn, zoom, right, down, mirror, flip, *intensities, x, y = tf.unstack(drawn, axis=1)
    shade, stretch, bend, grain = intensities

    images = tf.cast(pixels, tf.float32)[..., tf.newaxis]
    if ranges.moves:
        images = keras.ops.image.affine_transform(
            images,
            _transforms(
                size,
                angle=turn * math.radians(ranges.rotation),
                scale=1 + zoom * ranges.zoom,
                shift=tf.stack([right, down]) * (ranges.shift * size),
                across=tf.sign(mirror) if ranges.mirror else tf.ones_like(mirror),
                along=tf.sign(flip) if ranges.flip else tf.ones_like(flip),
            ),
        )
    shape = (-1, 1, 1, 1)
    if ranges.gamma:
        power = tf.reshape(tf.exp(bend * ranges.gamma), shape)
        images = FULL * (images / FULL) ** power
    if ranges.contrast:
        mean = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
        images = mean + (images - mean) * tf.reshape(1 + stretch * ranges.contrast, shape)
    if ranges.brightness:
        images += tf.reshape(shade * ranges.brightness * FULL, shape)
    if ranges.noise:
        share = tf.reshape((grain + 1) / 2 * ranges.noise * FULL, shape)
        images += share * noise[..., tf.newaxis]
    if ranges.cutout:
        images *= _around_holes(size, ranges.cutout, x, y)
    return tf.clip_by_value(images, 0, FULL)[..., 0]


def write_draws(folder: Path, images: ImageSet, seed: int, ranges: params.Augment) -> None:
    """Show the first image of a set, and what the network sees of it in the first epochs.

    The gallery is empty where nothing is changed.
    """
    if not ranges.is_on:
        write_gallery(folder, pd.DataFrame(columns=["path", "class", "epoch"]), [])
        return
    first, row = images.images([0]), tf.constant([0])
    pictures = [first[0]]
    for epoch in range(1, SHOWN + 1):
        drawn = augmented(tf.constant(first), row, tf.constant(epoch), seed, ranges)
        pictures.append(np.rint(drawn[0]).astype(np.uint8))
    known = images.index.iloc[0]
    table = {"path": known["source"], "class": known["label"], "epoch": range(len(pictures))}
    write_gallery(folder, pd.DataFrame(table), pictures)


def _pair(epoch: tf.Tensor, row: tf.Tensor) -> tf.Tensor:
    """Give one number for an epoch and a row, of which no other pair has the same."""
    return tf.cast(epoch, tf.int64) * 2**32 + tf.cast(row, tf.int64)


def _transforms(size, angle, scale, shift, across, along) -> tf.Tensor:
    """Give, for each image, where a pixel of the result is taken from: (n, 8).

    Six numbers are the matrix of an affine map, by rows, the last two are 0.
    """
    cos, sin, middle = scale * tf.cos(angle), scale * tf.sin(angle), (size - 1) / 2
    a, b, d, e = across * cos, -along * sin, across * sin, along * cos
    c = middle - (a + b) * middle + shift[0]
    f = middle - (d + e) * middle + shift[1]
    nothing = tf.zeros_like(a)
    return tf.stack([a, b, c, d, e, f, nothing, nothing], axis=1)


def _around_holes(size, share, x, y) -> tf.Tensor:
    """Give 0 within a square of each image, `share` of its side long, and 1 elsewhere."""
    places = tf.linspace(-1.0, 1.0, size)
    within = [tf.abs(places - middle[:, tf.newaxis]) < share for middle in (x, y)]
    hole = within[1][:, :, tf.newaxis] & within[0][:, tf.newaxis, :]
    return tf.cast(~hole, tf.float32)[..., tf.newaxis]
