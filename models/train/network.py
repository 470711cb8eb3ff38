# SPDX-License-Identifier: Apache-2.0
"""The glyph network and how it is trained: Adam, cosine decay, cross entropy."""
import numpy as np

from layers import (RELU, Add, AveragePool, Concatenation, Conv2D, DepthwiseConv2D, Flatten,
                    FullyConnected, MaxPool, Mean, Pad)

IMAGE = "image"


def separable(rng, name, source, channels, activation):
    """A 3x3 convolution as a depthwise and a pointwise one."""
    return [DepthwiseConv2D(rng, name + "/depthwise", source, channels[0]),
            Conv2D(rng, name + "/pointwise", name + "/depthwise", channels, activation=activation)]


def residual(rng, name, source, channels):
    """source + separable(source)"""
    return separable(rng, name, source, (channels, channels), None) + [
        Add(name, name + "/pointwise", source)]


def reduction(rng, name, source, channels, pool):
    """Half the height and width, twice the channels: half of them convolved, half pooled."""
    return [Pad(name + "/pad", source),
            DepthwiseConv2D(rng, name + "/depthwise", name + "/pad", channels, stride=2,
                            padding="VALID"),
            Conv2D(rng, name + "/pointwise", name + "/depthwise", (channels, channels)),
            pool(name + "/pool", source),
            Concatenation(name, name + "/pointwise", name + "/pool")]


def build(rng, classes):
    """The layers in order, each after those it reads."""
    return [
        Conv2D(rng, "stem", IMAGE, (1, 16), kernel=3, stride=2),
        *separable(rng, "block1", "stem", (16, 32), RELU),
        *reduction(rng, "block2", "block1/pointwise", 32, MaxPool),
        *residual(rng, "block3", "block2", 64),
        *reduction(rng, "block4", "block3", 64, AveragePool),
        *residual(rng, "block5", "block4", 128),
        Mean("mean", "block5"),
        Flatten("features", "mean"),
        FullyConnected(rng, "logits", "features", (128, classes)),
    ]


def normalised(pictures):
    """uint8 pictures to what the network reads: N x H x W x 1 in 0 ... 1."""
    return pictures[..., None].astype(np.float32) / np.float32(255)


def forward(layers, pictures, training=False):
    """All values by name; the last layer's are the logits."""
    values = {IMAGE: normalised(pictures)}
    for layer in layers:
        values[layer.output] = layer.forward(*(values[name] for name in layer.inputs),
                                             training=training)
    return values


def backward(layers, dlogits):
    gradients = {layers[-1].output: dlogits}
    for layer in reversed(layers):
        for name, gradient in zip(layer.inputs, layer.backward(gradients.pop(layer.output))):
            gradients[name] = gradients[name] + gradient if name in gradients else gradient


def cross_entropy(logits, labels):
    """The loss of a batch and its gradient."""
    shifted = logits - logits.max(1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    rows = np.arange(len(labels))
    gradient = np.exp(log_p)
    gradient[rows, labels] -= 1
    return -log_p[rows, labels].mean(), gradient / np.float32(len(labels))


class Adam:
    BETA1, BETA2, EPSILON, DECAY = 0.9, 0.99, 1e-8, 1e-4

    def __init__(self, layers):
        self.layers = [layer for layer in layers if layer.params]
        self.moments = [[(np.zeros_like(p), np.zeros_like(p)) for p in layer.params]
                        for layer in self.layers]
        self.steps = 0

    def step(self, rate):
        self.steps += 1
        rate *= np.sqrt(1 - self.BETA2 ** self.steps) / (1 - self.BETA1 ** self.steps)
        for layer, moments in zip(self.layers, self.moments):
            for p, g, (m, v) in zip(layer.params, layer.grads, moments):
                m += (1 - self.BETA1) * (g + self.DECAY * p - m)
                v += (1 - self.BETA2) * (g * g - v)
                p -= np.float32(rate) * m / (np.sqrt(v) + np.float32(self.EPSILON))


def train(layers, batches, n_batches, rate, report):
    """Trains on the (pictures, labels) that batches yields; report(step, loss) after each."""
    adam = Adam(layers)
    for step in range(n_batches):
        pictures, labels = next(batches)
        logits = forward(layers, pictures, training=True)[layers[-1].output]
        loss, gradient = cross_entropy(logits, labels)
        backward(layers, gradient)
        warm_up = min(1, (step + 1) / 100)
        adam.step(rate * warm_up * 0.5 * (1 + np.cos(np.pi * step / n_batches)))
        report(step, loss)


def predict(layers, pictures):
    """The class of each picture."""
    chunks = [pictures[i:i + 256] for i in range(0, len(pictures), 256)]
    return np.concatenate([forward(layers, chunk)[layers[-1].output].argmax(1)
                           for chunk in chunks])
