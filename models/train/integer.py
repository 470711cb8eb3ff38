# SPDX-License-Identifier: Apache-2.0
"""Runs a quantized TFLite model in integers, as the TFLite quantization specification defines the
operators: what any correct implementation computes, up to the rounding of the last bit.

A factor is a 31-bit fixed-point number, and a product with it is rounded twice, as the reference
kernels and the software NPU do it. Weights must be symmetric.
"""
import numpy as np

from layers import same_padding, taps


def fixed_point(factor):
    """factor = multiplier * 2^(shift - 31), multiplier in 2^30 ... 2^31; arrays."""
    fraction, shift = np.frexp(np.asarray(factor, np.float64))
    multiplier = np.rint(fraction * (1 << 31)).astype(np.int64)
    overflow = multiplier == 1 << 31
    return np.where(overflow, multiplier >> 1, multiplier), np.where(overflow, shift + 1, shift)


def scaled(x, factor):
    """x * factor: the upper half of the product, ties up; shifted right, ties away from zero."""
    multiplier, shift = fixed_point(factor)
    left, right = np.maximum(shift, 0), np.maximum(-shift, 0).astype(np.int64)
    high = ((x.astype(np.int64) << left) * multiplier + (1 << 30)) >> 31
    half = (np.int64(1) << right) >> 1
    return (high + half - ((high < 0) & (right > 0))) >> right


def saturate(x, tensor, activation=None):
    """Clamps to the type and the fused activation, in the units of the tensor."""
    limits = np.iinfo(tensor.dtype)
    low, high = limits.min, limits.max
    q = tensor.quantization
    if activation is not None:
        low = max(low, q.zero)
    if activation == "RELU6":
        high = min(high, q.zero + int(np.rint(6 / q.scale[0])))
    return np.clip(x, low, high).astype(tensor.dtype)


def requantize(accumulators, source, weights, out, activation):
    """From the accumulators' scale, source x weights, to the output's."""
    scales = [t.quantization.scale.astype(np.float64) for t in (source, weights, out)]
    factor = scales[0] * scales[1] / scales[2]
    return saturate(scaled(accumulators, factor) + out.quantization.zero, out, activation)


def windows(x, options, kernel, zero):
    """Pads with zero and returns (padded, height and width of the output)."""
    stride = options["stride_h"]
    if options["padding"] == "SAME":
        (top, bottom), (left, right) = [same_padding(s, kernel, stride) for s in x.shape[1:3]]
        x = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=zero)
    return x, [(size - kernel) // stride + 1 for size in x.shape[1:3]]


def conv_2d(op, tensors, x):
    source, weights, bias = (tensors[i] for i in op.inputs)
    zero, kernel = source.quantization.zero, weights.shape[1]
    padded, shape = windows(x, op.options, kernel, zero)
    views = taps(padded, kernel, op.options["stride_h"], shape)
    columns = np.concatenate([view.astype(np.float64) - zero for view in views], 3)
    # Exact: the sums stay far below 2^53.
    total = columns @ weights.data.reshape(len(weights.data), -1).T.astype(np.float64)
    return requantize(total.astype(np.int64) + bias.data, source, weights,
                      tensors[op.outputs[0]], op.options["activation"])


def depthwise_conv_2d(op, tensors, x):
    source, weights, bias = (tensors[i] for i in op.inputs)
    zero, kernel = source.quantization.zero, weights.shape[1]
    padded, shape = windows(x, op.options, kernel, zero)
    views = taps(padded, kernel, op.options["stride_h"], shape)
    filters = weights.data.reshape(-1, weights.shape[3]).astype(np.int64)
    total = sum((view.astype(np.int64) - zero) * w for view, w in zip(views, filters))
    return requantize(total + bias.data, source, weights, tensors[op.outputs[0]],
                      op.options["activation"])


def fully_connected(op, tensors, x):
    source, weights, bias = (tensors[i] for i in op.inputs)
    shifted = x.astype(np.int64) - source.quantization.zero
    total = shifted @ weights.data.T.astype(np.int64) + bias.data
    return requantize(total, source, weights, tensors[op.outputs[0]], op.options["activation"])


def pool_views(op, x):
    kernel = op.options["filter_height"]
    assert op.options["padding"] == "VALID", "padded pooling is not written"
    padded, shape = windows(x, op.options, kernel, 0)
    return np.stack([view.astype(np.int64)
                     for view in taps(padded, kernel, op.options["stride_h"], shape)])


def max_pool_2d(op, tensors, x):
    return saturate(pool_views(op, x).max(0), tensors[op.outputs[0]], op.options["activation"])


def average_pool_2d(op, tensors, x):
    views = pool_views(op, x)
    total, n = views.sum(0), len(views)
    mean = np.sign(total) * ((np.abs(total) + n // 2) // n)  # ties away from zero
    return saturate(mean, tensors[op.outputs[0]], op.options["activation"])


def add(op, tensors, a, b):
    left, right, out = (tensors[i] for i in op.inputs + op.outputs)
    scales = [t.quantization.scale[0].astype(np.float64) for t in (left, right, out)]
    twice, headroom = 2 * max(scales[:2]), 20
    total = sum(scaled((x.astype(np.int64) - t.quantization.zero) << headroom, scale / twice)
                for x, t, scale in ((a, left, scales[0]), (b, right, scales[1])))
    total = scaled(total, twice / ((1 << headroom) * scales[2]))
    return saturate(total + out.quantization.zero, out, op.options["activation"])


def pad(op, tensors, x, paddings):
    zero = tensors[op.inputs[0]].quantization.zero
    return np.pad(x, [tuple(row) for row in paddings], constant_values=zero)


def mean(op, tensors, x, axes):
    source, out = tensors[op.inputs[0]].quantization, tensors[op.outputs[0]]
    count = int(np.prod([x.shape[axis] for axis in axes]))
    total = x.astype(np.int64).sum(tuple(axes), keepdims=bool(op.options["keep_dims"]))
    factor = float(source.scale[0]) / (float(out.quantization.scale[0]) * count)
    return saturate(scaled(total - count * source.zero, factor) + out.quantization.zero, out)


def concatenation(op, tensors, *xs):
    return np.concatenate(xs, op.options["axis"])


def reshape(op, tensors, x, shape):
    return x.reshape(len(x), *shape[1:])


def softmax(op, tensors, x):
    source, out = tensors[op.inputs[0]].quantization, tensors[op.outputs[0]]
    difference = x.astype(np.int64) - x.max(-1, keepdims=True)
    table = np.exp(np.arange(-255, 1) * source.scale[0].astype(np.float64) * op.options["beta"])
    powers = table[difference + 255]
    p = powers / powers.sum(-1, keepdims=True)
    return saturate(np.rint(p / out.quantization.scale[0]) + out.quantization.zero, out)


def quantize(op, tensors, x):
    source, out = tensors[op.inputs[0]].quantization, tensors[op.outputs[0]]
    factor = float(source.scale[0]) / float(out.quantization.scale[0])
    return saturate(scaled(x.astype(np.int64) - source.zero, factor) + out.quantization.zero, out)


RUN = {"ADD": add, "AVERAGE_POOL_2D": average_pool_2d, "CONCATENATION": concatenation,
       "CONV_2D": conv_2d, "DEPTHWISE_CONV_2D": depthwise_conv_2d,
       "FULLY_CONNECTED": fully_connected, "MAX_POOL_2D": max_pool_2d, "MEAN": mean, "PAD": pad,
       "QUANTIZE": quantize, "RESHAPE": reshape, "SOFTMAX": softmax}
HAS_SHAPE_INPUT = {"MEAN", "PAD", "RESHAPE"}  # operators whose second input is a small constant


def run(model, inputs):
    """The output of a model with one input and one output, for a batch in its input's type."""
    values = {model.inputs[0]: inputs}
    for op in model.operators:
        names = [i for i in op.inputs if i in values]
        arguments = [values[i] for i in names]
        if op.kind in HAS_SHAPE_INPUT:
            arguments.append(model.tensors[op.inputs[1]].data)
        values[op.outputs[0]] = RUN[op.kind](op, model.tensors, *arguments)
    return values[model.outputs[0]]


def predict(model, pictures):
    """The class of each picture, N x H x W uint8."""
    chunks = [pictures[i:i + 128, ..., None] for i in range(0, len(pictures), 128)]
    return np.concatenate([run(model, chunk).argmax(1) for chunk in chunks])
