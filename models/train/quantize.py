# SPDX-License-Identifier: Apache-2.0
"""From the trained float network to a quantized TFLite model, after training.

Activations are int8 with one scale and zero point for each value, found by running calibration
pictures; weights are int8, symmetric, with a scale for each output channel (one for all in the
fully connected layer); biases are int32. The model's own input and output are uint8, so that the
bytes of a grayscale picture are the input as they are.
"""
import numpy as np

import layers as float_layers
import tflite
from network import IMAGE, forward

INT8 = np.dtype(np.int8)
# Layers whose input and output the specification wants in the same units.
UNIT_KEEPING = (float_layers.Pad, float_layers.Pool, float_layers.Concatenation,
                float_layers.Flatten)


def observe(layers, batches):
    """The lowest and highest of each value over all batches, by name."""
    ranges = {}
    for pictures in batches:
        for name, value in forward(layers, pictures).items():
            low, high = ranges.get(name, (0.0, 0.0))
            ranges[name] = min(low, float(value.min())), max(high, float(value.max()))
    return ranges


def unify(layers, ranges):
    """Gives values that must share their units the union of their ranges."""
    group = {name: {name} for name in ranges}
    for layer in layers:
        if isinstance(layer, UNIT_KEEPING):
            merged = group[layer.output].union(*(group[name] for name in layer.inputs))
            for name in merged:
                group[name] = merged
    return {name: (min(ranges[member][0] for member in members),
                   max(ranges[member][1] for member in members))
            for name, members in group.items()}


def units(low, high):
    """Scale and zero point that map low ... high to -128 ... 127 and 0.0 to an integer."""
    scale = np.float32((high - low) / 255)
    zero = int(np.clip(np.rint(-128 - low / scale), -128, 127))
    return tflite.Quantization(np.array([scale], np.float32), zero)


def quantize_weights(weights, dimension, per_channel=True):
    """int8 -127 ... 127 and its quantization; dimension is the output channel's."""
    others = tuple(i for i in range(weights.ndim) if i != dimension)
    largest = np.abs(weights).max(others) if per_channel else np.abs(weights).max()[None]
    scale = np.maximum(largest / 127, 1e-8).astype(np.float32)
    shape = [-1 if i == dimension and per_channel else 1 for i in range(weights.ndim)]
    stored = np.clip(np.rint(weights / scale.reshape(shape)), -127, 127).astype(np.int8)
    return stored, tflite.Quantization(scale, 0, dimension if per_channel else 0)


class Lowering:
    """Builds the model operator by operator."""

    def __init__(self, ranges):
        self.ranges = ranges
        self.tensors, self.operators, self.index = [], [], {}

    def add_tensor(self, name, dtype, shape, quantization=None, data=None):
        self.tensors.append(tflite.Tensor(name, np.dtype(dtype), tuple(shape), quantization, data))
        self.index[name] = len(self.tensors) - 1
        return self.index[name]

    def add_value(self, name, shape):
        return self.add_tensor(name, INT8, (1, *shape[1:]), units(*self.ranges[name]))

    def add_constant(self, name, values):
        data = np.array(values, np.int32)
        return self.add_tensor(name, np.int32, data.shape, data=data)

    def add_operator(self, kind, inputs, output, **options):
        self.operators.append(tflite.Operator(kind, inputs, [output], options))

    def add_weights(self, layer, weights, dimension, bias, per_channel=True):
        stored, quantization = quantize_weights(weights, dimension, per_channel)
        source = self.tensors[self.index[layer.inputs[0]]].quantization
        scale = source.scale * quantization.scale
        biases = np.rint(bias / scale.astype(np.float64)).astype(np.int32)
        return [self.add_tensor(layer.output + "/weights", INT8, stored.shape, quantization,
                                stored),
                self.add_tensor(layer.output + "/bias", np.int32, biases.shape,
                                tflite.Quantization(scale), biases)]

    def lower(self, layer, shape):
        """Appends the operator of a layer whose output has this shape."""
        sources = [self.index[name] for name in layer.inputs]
        LOWER[type(layer)](self, layer, sources, shape)


def geometry(layer):
    return {"padding": layer.padding, "stride_w": layer.stride, "stride_h": layer.stride,
            "activation": layer.activation, "dilation_w": 1, "dilation_h": 1}


def lower_conv(low, layer, sources, shape):
    weights = np.ascontiguousarray(layer.params[0].transpose(3, 0, 1, 2))  # out, H, W, in
    sources = sources + low.add_weights(layer, weights, 0, layer.bias)
    low.add_operator("CONV_2D", sources, low.add_value(layer.output, shape), **geometry(layer))


def lower_depthwise(low, layer, sources, shape):
    sources = sources + low.add_weights(layer, layer.params[0][None], 3, layer.bias)
    low.add_operator("DEPTHWISE_CONV_2D", sources, low.add_value(layer.output, shape),
                     depth_multiplier=1, **geometry(layer))


def lower_fully_connected(low, layer, sources, shape):
    weights = np.ascontiguousarray(layer.params[0].T)
    sources = sources + low.add_weights(layer, weights, 0, layer.params[1], per_channel=False)
    low.add_operator("FULLY_CONNECTED", sources, low.add_value(layer.output, shape),
                     activation=layer.activation)


def lower_add(low, layer, sources, shape):
    low.add_operator("ADD", sources, low.add_value(layer.output, shape),
                     activation=layer.activation)


def lower_concatenation(low, layer, sources, shape):
    low.add_operator("CONCATENATION", sources, low.add_value(layer.output, shape), axis=3,
                     activation=None)


def lower_pad(low, layer, sources, shape):
    paddings = low.add_constant(layer.output + "/paddings", [[0, 0], [1, 1], [1, 1], [0, 0]])
    low.add_operator("PAD", sources + [paddings], low.add_value(layer.output, shape))


def lower_pool(kind):
    def lower(low, layer, sources, shape):
        low.add_operator(kind, sources, low.add_value(layer.output, shape), padding="VALID",
                         stride_w=layer.stride, stride_h=layer.stride, filter_width=layer.kernel,
                         filter_height=layer.kernel, activation=None)
    return lower


def lower_mean(low, layer, sources, shape):
    axes = low.add_constant(layer.output + "/axes", [1, 2])
    low.add_operator("MEAN", sources + [axes], low.add_value(layer.output, shape), keep_dims=True)


def lower_flatten(low, layer, sources, shape):
    constant = low.add_constant(layer.output + "/shape", [1, shape[1]])
    low.add_operator("RESHAPE", sources + [constant], low.add_value(layer.output, shape))


LOWER = {
    float_layers.Add: lower_add,
    float_layers.AveragePool: lower_pool("AVERAGE_POOL_2D"),
    float_layers.Concatenation: lower_concatenation,
    float_layers.Conv2D: lower_conv,
    float_layers.DepthwiseConv2D: lower_depthwise,
    float_layers.Flatten: lower_flatten,
    float_layers.FullyConnected: lower_fully_connected,
    float_layers.MaxPool: lower_pool("MAX_POOL_2D"),
    float_layers.Mean: lower_mean,
    float_layers.Pad: lower_pad,
}


def quantize(layers, batches, description):
    """The model of folded layers; batches of pictures show the ranges of their values."""
    low = Lowering(unify(layers, observe(layers, batches)))
    shapes = {name: value.shape for name, value in forward(layers, batches[0][:1]).items()}

    uint8 = np.dtype(np.uint8)
    one_255th = np.array([1 / 255], np.float32)
    one_256th = np.array([1 / 256], np.float32)
    picture = low.add_tensor("picture", uint8, shapes[IMAGE], tflite.Quantization(one_255th, 0))
    image = low.add_tensor(IMAGE, INT8, shapes[IMAGE], tflite.Quantization(one_255th, -128))
    low.add_operator("QUANTIZE", [picture], image)
    for layer in layers:
        low.lower(layer, shapes[layer.output])

    shape = shapes[layers[-1].output]
    softmax = low.add_tensor("softmax", INT8, shape, tflite.Quantization(one_256th, -128))
    low.add_operator("SOFTMAX", [low.index[layers[-1].output]], softmax, beta=1.0)
    scores = low.add_tensor("scores", uint8, shape, tflite.Quantization(one_256th, 0))
    low.add_operator("QUANTIZE", [softmax], scores)
    return tflite.Model(low.tensors, low.operators, [picture], [scores], description)
