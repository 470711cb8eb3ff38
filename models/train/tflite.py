# SPDX-License-Identifier: Apache-2.0
"""Reads and writes TFLite files: the part of the public schema that quantized networks of the
operators below need, table by table and field by number, with the flatbuffers runtime alone.
"""
import struct
from dataclasses import dataclass, field

import flatbuffers
import numpy as np

IDENTIFIER = b"TFL3"
SCHEMA_VERSION = 3
BUFFER_ALIGNMENT = 16

TENSOR_TYPES = {np.dtype(np.int32): 2, np.dtype(np.uint8): 3, np.dtype(np.int8): 9}
ACTIVATIONS = {None: 0, "RELU": 1, "RELU6": 3}
PADDINGS = {"SAME": 0, "VALID": 1}

# How an option is stored: as which type, its default, and the names of its values if they have any.
PADDING = ("Int8", 0, PADDINGS)
ACTIVATION = ("Int8", 0, ACTIVATIONS)
INT = ("Int32", 0, None)
FACTOR = ("Int32", 1, None)
FLAG = ("Bool", 0, None)
FLOAT = ("Float32", 0.0, None)
POOL = (5, [("padding", PADDING), ("stride_w", INT), ("stride_h", INT), ("filter_width", INT),
            ("filter_height", INT), ("activation", ACTIVATION)])

# operator: code, version for int8, type of its options, their fields in order of number
OPERATORS = {
    "ADD": (0, 2, 11, [("activation", ACTIVATION)]),
    "AVERAGE_POOL_2D": (1, 2, *POOL),
    "CONCATENATION": (2, 2, 10, [("axis", INT), ("activation", ACTIVATION)]),
    "CONV_2D": (3, 3, 1, [("padding", PADDING), ("stride_w", INT), ("stride_h", INT),
                          ("activation", ACTIVATION), ("dilation_w", FACTOR),
                          ("dilation_h", FACTOR)]),
    "DEPTHWISE_CONV_2D": (4, 3, 2, [("padding", PADDING), ("stride_w", INT), ("stride_h", INT),
                                    ("depth_multiplier", INT), ("activation", ACTIVATION),
                                    ("dilation_w", FACTOR), ("dilation_h", FACTOR)]),
    "FULLY_CONNECTED": (9, 4, 8, [("activation", ACTIVATION)]),
    "MAX_POOL_2D": (17, 2, *POOL),
    "RESHAPE": (22, 1, 17, []),  # the shape is the second input
    "SOFTMAX": (25, 2, 9, [("beta", FLOAT)]),
    "PAD": (34, 2, 22, []),
    "MEAN": (40, 2, 27, [("keep_dims", FLAG)]),
    "QUANTIZE": (114, 1, 89, []),
}


@dataclass
class Quantization:
    """real = scale * (stored - zero); one scale, or one for each index of the dimension."""
    scale: np.ndarray
    zero: int = 0
    dimension: int = 0


@dataclass
class Tensor:
    name: str
    dtype: np.dtype
    shape: tuple
    quantization: Quantization = None
    data: np.ndarray = None  # a constant's


@dataclass
class Operator:
    kind: str
    inputs: list  # indices of tensors
    outputs: list
    options: dict = field(default_factory=dict)


@dataclass
class Model:
    tensors: list
    operators: list
    inputs: list
    outputs: list
    description: str


class Writer:
    """Builds the file from its end to its start, as flatbuffers are: children before parents."""

    def __init__(self):
        self.builder = flatbuffers.Builder(1 << 16)

    def vector(self, values, dtype, alignment=None):
        """A vector of scalars."""
        data = np.ascontiguousarray(values, np.dtype(dtype).newbyteorder("<"))
        b = self.builder
        b.StartVector(data.itemsize, data.size, alignment or data.itemsize)
        b.head -= data.nbytes
        b.Bytes[b.head:b.head + data.nbytes] = data.tobytes()
        return b.EndVector()

    def offsets(self, offsets):
        """A vector of tables."""
        self.builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self.builder.PrependUOffsetTRelative(offset)
        return self.builder.EndVector()

    def table(self, *fields):
        """fields: (number, type, value) or (number, type, value, default)"""
        count = 1 + max((number for number, *_ in fields), default=-1)
        self.builder.StartObject(count)
        for number, kind, value, *default in fields:
            put = getattr(self.builder, "Prepend%sSlot" % kind)
            put(number, value, default[0] if default else 0)
        return self.builder.EndObject()

    def buffer(self, data):
        if data is None:
            return self.table()
        raw = np.frombuffer(data.tobytes(), np.uint8)
        return self.table((0, "UOffsetTRelative", self.vector(raw, np.uint8, BUFFER_ALIGNMENT)))

    def quantization(self, q):
        scale = self.vector(q.scale, np.float32)
        zero = self.vector(np.full(len(q.scale), q.zero), np.int64)
        return self.table((2, "UOffsetTRelative", scale), (3, "UOffsetTRelative", zero),
                          (6, "Int32", q.dimension))

    def tensor(self, tensor, buffer):
        fields = [(0, "UOffsetTRelative", self.vector(tensor.shape, np.int32)),
                  (1, "Int8", TENSOR_TYPES[np.dtype(tensor.dtype)]),
                  (2, "Uint32", buffer),
                  (3, "UOffsetTRelative", self.builder.CreateString(tensor.name))]
        if tensor.quantization is not None:
            fields.append((4, "UOffsetTRelative", self.quantization(tensor.quantization)))
        return self.table(*fields)

    def options(self, operator):
        _, _, _, layout = OPERATORS[operator.kind]
        fields = []
        for number, (name, (kind, default, names)) in enumerate(layout):
            value = operator.options[name]
            fields.append((number, kind, names[value] if names else value, default))
        return self.table(*fields)

    def operator(self, operator, kinds):
        inputs = self.vector(operator.inputs, np.int32)
        outputs = self.vector(operator.outputs, np.int32)
        options = self.options(operator)
        return self.table((0, "Uint32", kinds.index(operator.kind)),
                          (1, "UOffsetTRelative", inputs), (2, "UOffsetTRelative", outputs),
                          (3, "Uint8", OPERATORS[operator.kind][2]),
                          (4, "UOffsetTRelative", options))

    def operator_code(self, kind):
        """The code is there twice: the byte for readers older than schema version 3a."""
        code, version, *_ = OPERATORS[kind]
        return self.table((0, "Int8", code), (2, "Int32", version, 1), (3, "Int32", code))

    def subgraph(self, model, kinds, buffers):
        tensors = self.offsets([self.tensor(*pair) for pair in zip(model.tensors, buffers)])
        inputs = self.vector(model.inputs, np.int32)
        outputs = self.vector(model.outputs, np.int32)
        operators = self.offsets([self.operator(op, kinds) for op in model.operators])
        name = self.builder.CreateString("main")
        return self.table((0, "UOffsetTRelative", tensors), (1, "UOffsetTRelative", inputs),
                          (2, "UOffsetTRelative", outputs), (3, "UOffsetTRelative", operators),
                          (4, "UOffsetTRelative", name))

    def model(self, model):
        constants = [None] + [t.data for t in model.tensors if t.data is not None]
        numbers = iter(range(1, len(constants)))
        indices = [0 if t.data is None else next(numbers) for t in model.tensors]
        kinds = sorted({op.kind for op in model.operators})
        buffers = self.offsets([self.buffer(data) for data in constants])
        subgraph = self.offsets([self.subgraph(model, kinds, indices)])
        codes = self.offsets([self.operator_code(kind) for kind in kinds])
        description = self.builder.CreateString(model.description)
        return self.table((0, "Uint32", SCHEMA_VERSION), (1, "UOffsetTRelative", codes),
                          (2, "UOffsetTRelative", subgraph),
                          (3, "UOffsetTRelative", description), (4, "UOffsetTRelative", buffers))


def write(model):
    """The bytes of a TFLite file."""
    writer = Writer()
    writer.builder.Finish(writer.model(model), file_identifier=IDENTIFIER)
    return bytes(writer.builder.Output())


class Table:
    """A table of a file that is being read; fields by number."""
    FORMATS = {"Int8": "<b", "Uint8": "<B", "Bool": "<?", "Int32": "<i", "Uint32": "<I",
               "Float32": "<f"}

    def __init__(self, data, position):
        self.data, self.position = data, position

    def get(self, fmt, position):
        return struct.unpack_from(fmt, self.data, position)[0]

    def find(self, number):
        """Where the field is, or None."""
        vtable = self.position - self.get("<i", self.position)
        entry = 4 + 2 * number
        if entry >= self.get("<H", vtable):
            return None
        offset = self.get("<H", vtable + entry)
        return self.position + offset if offset else None

    def scalar(self, number, kind, default=0):
        position = self.find(number)
        return default if position is None else self.get(self.FORMATS[kind], position)

    def follow(self, position):
        return position + self.get("<I", position)

    def table(self, number):
        position = self.find(number)
        return None if position is None else Table(self.data, self.follow(position))

    def vector(self, number, dtype):
        position = self.find(number)
        if position is None:
            return None
        start = self.follow(position)
        dtype = np.dtype(dtype).newbyteorder("<")
        return np.frombuffer(self.data, dtype, self.get("<I", start), start + 4)

    def string(self, number):
        characters = self.vector(number, np.uint8)
        return "" if characters is None else characters.tobytes().decode()

    def tables(self, number):
        start = self.follow(self.find(number))
        places = range(start + 4, start + 4 + 4 * self.get("<I", start), 4)
        return [Table(self.data, self.follow(place)) for place in places]


def read_quantization(table):
    scale = table and table.vector(2, np.float32)
    if scale is None:
        return None
    return Quantization(scale, int(table.vector(3, np.int64)[0]), table.scalar(6, "Int32"))


def read_tensor(table, buffers):
    types = {number: dtype for dtype, number in TENSOR_TYPES.items()}
    dtype = types[table.scalar(1, "Int8")]
    shape = tuple(int(size) for size in table.vector(0, np.int32))
    raw = buffers[table.scalar(2, "Uint32")].vector(0, np.uint8)
    data = None if raw is None else raw.view(dtype).reshape(shape)
    return Tensor(table.string(3), dtype, shape, read_quantization(table.table(4)), data)


def read_operator(table, kinds):
    kind = kinds[table.scalar(0, "Uint32")]
    options = {}
    for number, (name, (fmt, default, names)) in enumerate(OPERATORS[kind][3]):
        value = table.table(4).scalar(number, fmt, default)
        options[name] = {v: k for k, v in names.items()}[value] if names else value
    return Operator(kind, table.vector(1, np.int32).tolist(), table.vector(2, np.int32).tolist(),
                    options)


def read(data):
    """The model in the bytes of a TFLite file that write() could have written."""
    if data[4:8] != IDENTIFIER:
        raise ValueError("not a TFLite file: no TFL3 at byte 4")
    root = Table(data, struct.unpack_from("<I", data)[0])
    by_code = {code: kind for kind, (code, *_) in OPERATORS.items()}
    kinds = [by_code[code.scalar(3, "Int32")] for code in root.tables(1)]
    graph = root.tables(2)[0]
    buffers = root.tables(4)
    return Model([read_tensor(t, buffers) for t in graph.tables(0)],
                 [read_operator(op, kinds) for op in graph.tables(3)],
                 graph.vector(1, np.int32).tolist(), graph.vector(2, np.int32).tolist(),
                 root.string(3))
