# SPDX-License-Identifier: Apache-2.0
"""The layers of a small convolutional network in float32, with gradients.

Activations are N x H x W x C. A layer knows the names of the values it reads and writes;
forward() takes the inputs and keeps what backward() needs, backward() takes the gradient of the
output, sets self.grads for self.params and returns the gradients of the inputs.
"""
import numpy as np

RELU, RELU6 = "RELU", "RELU6"
CEILING = {None: None, RELU: np.inf, RELU6: 6.0}


def activate(x, activation):
    return x if activation is None else np.clip(x, 0, CEILING[activation])


def activate_backward(dy, y, activation):
    return dy if activation is None else dy * ((y > 0) & (y < CEILING[activation]))


def same_padding(size, kernel, stride):
    """(before, after) along one dimension, so that the output has ceil(size / stride)."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def product(a, b):
    """a times the transpose of b, both row by row.

    einsum, not @: without an optimised BLAS it is three times faster, and it adds in the same
    order whatever BLAS is installed, so that a training run can be repeated bit by bit.
    """
    return np.einsum("mk,nk->mn", a, b)


def pad(x, top_left, bottom_right, value=0):
    (top, left), (bottom, right) = top_left, bottom_right
    return np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=value)


def taps(x, kernel, stride, shape):
    """For each position of the kernel, row by row, the view of x that it meets."""
    height, width = shape
    for i in range(kernel):
        for j in range(kernel):
            yield x[:, i:i + stride * height:stride, j:j + stride * width:stride]


class Layer:
    """What all layers have; also the whole of one without parameters."""
    params = ()

    def __init__(self, output, *inputs):
        self.output, self.inputs = output, inputs
        self.grads = ()

    def fold(self):
        """Merges what only training needs (batch normalisation) into weights and bias."""


class Convolution(Layer):
    """Common to both convolutions: padding, batch normalisation, activation.

    After fold() there is a bias instead of the batch normalisation.
    """
    MOMENTUM, EPSILON = 0.98, 1e-3

    def __init__(self, output, source, weights, stride, padding, activation):
        super().__init__(output, source)
        self.kernel, self.stride = weights.shape[0], stride
        self.padding, self.activation = padding, activation
        channels = weights.shape[-1]
        gamma, beta = np.ones(channels, np.float32), np.zeros(channels, np.float32)
        self.params = [weights, gamma, beta]
        self.mean, self.variance = np.zeros(channels, np.float32), np.ones(channels, np.float32)
        self.bias = None

    def forward(self, x, training=False):
        n, height, width, _ = x.shape
        before, after = (0, 0), (0, 0)
        if self.padding == "SAME":
            sides = [same_padding(size, self.kernel, self.stride) for size in (height, width)]
            before, after = zip(*sides)
        padded = pad(x, before, after) if self.kernel > 1 else x
        out = [(size - self.kernel) // self.stride + 1 for size in padded.shape[1:3]]
        z = self.convolve(padded, out)
        if self.bias is not None:
            return activate(z + self.bias, self.activation)
        self.context = padded.shape, before, x.shape, out
        self.y = activate(self.normalise(z, training), self.activation)
        return self.y

    def normalise(self, z, training):
        _, gamma, beta = self.params
        mean, variance = self.mean, self.variance
        if training:
            flat = z.reshape(-1, z.shape[-1])
            mean = flat.mean(0)
            variance = np.maximum((flat * flat).mean(0) - mean * mean, 0)
            self.mean = self.MOMENTUM * self.mean + (1 - self.MOMENTUM) * mean
            self.variance = self.MOMENTUM * self.variance + (1 - self.MOMENTUM) * variance
        self.deviation = np.sqrt(variance + np.float32(self.EPSILON))
        self.z_hat = (z - mean) / self.deviation
        return self.z_hat * gamma + beta

    def normalise_backward(self, dy):
        gamma = self.params[1]
        axes = (0, 1, 2)
        dbeta, dgamma = dy.sum(axes), (dy * self.z_hat).sum(axes)
        count = dy.size // dy.shape[-1]
        dz = (dy - dbeta / count - self.z_hat * (dgamma / count)) * (gamma / self.deviation)
        return dz, dgamma, dbeta

    def backward(self, dy):
        dz, dgamma, dbeta = self.normalise_backward(activate_backward(dy, self.y, self.activation))
        padded_shape, (top, left), (_, height, width, _), out = self.context
        dx, dweights = self.convolve_backward(dz, padded_shape, out)
        self.grads = [dweights, dgamma, dbeta]
        return (dx[:, top:top + height, left:left + width],)

    def fold(self):
        weights, gamma, beta = self.params
        factor = gamma / np.sqrt(self.variance + np.float32(self.EPSILON))
        self.params = [weights * factor]
        self.bias = beta - self.mean * factor


class Conv2D(Convolution):
    """Weights are K x K x in x out."""

    def __init__(self, rng, output, source, channels, kernel=1, stride=1, padding="SAME",
                 activation=RELU6):
        shape = (kernel, kernel, *channels)
        deviation = np.sqrt(2 / (kernel * kernel * channels[0]))
        weights = rng.normal(0, deviation, shape).astype(np.float32)
        super().__init__(output, source, weights, stride, padding, activation)

    def convolve(self, padded, out):
        views = list(taps(padded, self.kernel, self.stride, out))
        self.columns = np.concatenate(views, 3) if len(views) > 1 else views[0]
        weights = self.params[0]
        flat = self.columns.reshape(-1, self.columns.shape[3])
        z = product(flat, np.ascontiguousarray(weights.reshape(-1, weights.shape[3]).T))
        return z.reshape(len(padded), *out, -1)

    def convolve_backward(self, dz, padded_shape, out):
        weights = self.params[0]
        flat_dz = dz.reshape(-1, dz.shape[3])
        flat = self.columns.reshape(len(flat_dz), -1)
        dcolumns = product(flat_dz, weights.reshape(-1, weights.shape[3]))
        dcolumns = dcolumns.reshape(self.columns.shape)
        dx = np.zeros(padded_shape, np.float32)
        channels = weights.shape[2]
        for i, view in enumerate(taps(dx, self.kernel, self.stride, out)):
            view += dcolumns[..., i * channels:(i + 1) * channels]
        return dx, np.einsum("mk,mn->kn", flat, flat_dz).reshape(weights.shape)


class DepthwiseConv2D(Convolution):
    """Weights are K x K x C."""

    def __init__(self, rng, output, source, channels, kernel=3, stride=1, padding="SAME",
                 activation=RELU6):
        shape = (kernel, kernel, channels)
        weights = rng.normal(0, np.sqrt(2) / kernel, shape).astype(np.float32)
        super().__init__(output, source, weights, stride, padding, activation)

    def convolve(self, padded, out):
        self.padded = padded
        weights = self.params[0].reshape(-1, padded.shape[3])
        return sum(view * w for view, w in zip(taps(padded, self.kernel, self.stride, out),
                                               weights))

    def convolve_backward(self, dz, padded_shape, out):
        weights = self.params[0].reshape(-1, dz.shape[3])
        dx, dweights = np.zeros(padded_shape, np.float32), np.empty_like(weights)
        views = zip(taps(self.padded, self.kernel, self.stride, out),
                    taps(dx, self.kernel, self.stride, out))
        for i, (view, dview) in enumerate(views):
            dweights[i] = np.einsum("nhwc,nhwc->c", view, dz)
            dview += dz * weights[i]
        return dx, dweights.reshape(self.params[0].shape)


class FullyConnected(Layer):
    """Weights are in x out. No activation follows."""

    def __init__(self, rng, output, source, features):
        super().__init__(output, source)
        weights = rng.normal(0, np.sqrt(1 / features[0]), features).astype(np.float32)
        self.params = [weights, np.zeros(features[1], np.float32)]
        self.activation = None

    def forward(self, x, training=False):
        self.x = x
        return product(x, np.ascontiguousarray(self.params[0].T)) + self.params[1]

    def backward(self, dy):
        self.grads = [np.einsum("mk,mn->kn", self.x, dy), dy.sum(0)]
        return (product(dy, self.params[0]),)


class Add(Layer):
    activation = RELU

    def forward(self, a, b, training=False):
        self.y = activate(a + b, self.activation)
        return self.y

    def backward(self, dy):
        dy = activate_backward(dy, self.y, self.activation)
        return dy, dy


class Concatenation(Layer):
    """Along the channels."""

    def forward(self, *xs, training=False):
        self.splits = np.cumsum([x.shape[3] for x in xs])[:-1]
        return np.concatenate(xs, 3)

    def backward(self, dy):
        return np.split(dy, self.splits, 3)


class Pad(Layer):
    """One pixel of zeros on each side."""

    def forward(self, x, training=False):
        return pad(x, (1, 1), (1, 1))

    def backward(self, dy):
        return (dy[:, 1:-1, 1:-1],)


class Pool(Layer):
    """2 x 2 windows that touch."""
    kernel = stride = 2

    def windows(self, x):
        n, height, width, channels = x.shape
        return x.reshape(n, height // 2, 2, width // 2, 2, channels)

    def spread(self, y):
        return y[:, :, None, :, None]


class MaxPool(Pool):
    def forward(self, x, training=False):
        self.x = self.windows(x)
        self.y = self.x.max((2, 4))
        return self.y

    def backward(self, dy):
        highest = self.x == self.spread(self.y)
        dx = self.spread(dy / highest.sum((2, 4), dtype=np.float32)) * highest
        n, height, _, width, _, channels = dx.shape
        return (dx.reshape(n, height * 2, width * 2, channels),)


class AveragePool(Pool):
    def forward(self, x, training=False):
        return self.windows(x).mean((2, 4))

    def backward(self, dy):
        return (np.repeat(np.repeat(dy / 4, 2, 1), 2, 2),)


class Mean(Layer):
    """Over height and width; the dimensions stay, with size 1."""

    def forward(self, x, training=False):
        self.shape = x.shape
        return x.mean((1, 2), keepdims=True)

    def backward(self, dy):
        return (np.broadcast_to(dy / (self.shape[1] * self.shape[2]), self.shape),)


class Flatten(Layer):
    def forward(self, x, training=False):
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, dy):
        return (dy.reshape(self.shape),)
