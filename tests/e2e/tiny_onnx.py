# SPDX-License-Identifier: Apache-2.0
"""Writes small ONNX files byte by byte, good ones and hostile ones, with nothing but the standard library.

Field numbers are those of onnx.proto (ModelProto, GraphProto, NodeProto, TensorProto, ValueInfoProto)."""
import struct

FLOAT, INT64, STRING, BOOL = 1, 7, 8, 9


def varint(n):
    n &= (1 << 64) - 1
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes(out + bytes([n]))


def num(field, value):
    return varint(field << 3) + varint(value)


def blob(field, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


def value_info(name, kind, dims):
    shape = b"".join(blob(1, blob(2, d) if isinstance(d, str) else num(1, d)) for d in dims)
    return blob(1, name) + blob(2, blob(1, num(1, kind) + blob(2, shape)))


def tensor(name, kind, dims, raw=None, external=None):
    out = b"".join(num(1, d) for d in dims) + num(2, kind) + blob(8, name)
    if external is not None:
        return out + blob(13, blob(1, "location") + blob(2, external)) + num(14, 1)
    return out + blob(9, raw)


def node(op, inputs, outputs, domain="", attributes=b""):
    return b"".join(blob(1, i) for i in inputs) + b"".join(blob(2, o) for o in outputs) + blob(3, "n_" + op) + blob(4, op) \
        + attributes + (blob(7, domain) if domain else b"")


def graph(nodes, inputs, outputs, initializers=(), name="g"):
    return b"".join(blob(1, n) for n in nodes) + blob(2, name) + b"".join(blob(5, t) for t in initializers) \
        + b"".join(blob(11, i) for i in inputs) + b"".join(blob(12, o) for o in outputs)


def model(g, opset=17, domains=()):
    out = num(1, 8) + blob(7, g) + blob(8, blob(1, "") + num(2, opset))
    return out + b"".join(blob(8, blob(1, d) + num(2, 1)) for d in domains)


def identity(kind=FLOAT, dims=("batch", 64)):
    return model(graph([node("Identity", ["X"], ["Y"])], [value_info("X", kind, dims)], [value_info("Y", kind, dims)]))


def external(location):
    x, y = value_info("X", FLOAT, [4]), value_info("Y", FLOAT, [4])
    return model(graph([node("Add", ["X", "W"], ["Y"])], [x], [y], [tensor("W", FLOAT, [4], external=location)]))


def unknown_operator():
    x, y = value_info("X", FLOAT, [4]), value_info("Y", FLOAT, [4])
    return model(graph([node("Evil", ["X"], ["Y"], domain="evil")], [x], [y]), domains=["evil"])


def endless_loop():
    body = graph([node("Identity", ["ci"], ["co"]), node("Identity", ["vi"], ["vo"])],
                 [value_info("it", INT64, []), value_info("ci", BOOL, []), value_info("vi", FLOAT, [4])],
                 [value_info("co", BOOL, []), value_info("vo", FLOAT, [4])], name="body")
    attribute = blob(5, blob(1, "body") + blob(6, body) + num(20, 5))
    constants = [tensor("mx", INT64, [], struct.pack("<q", 2**62)), tensor("c", BOOL, [], b"\1")]
    return model(graph([node("Loop", ["mx", "c", "X"], ["Y"], attributes=attribute)], [value_info("X", FLOAT, [4])],
                       [value_info("Y", FLOAT, [4])], constants))


def allocation_bomb():
    shape = tensor("s", INT64, [3], struct.pack("<3q", 100000, 100000, 40))
    return model(graph([node("ConstantOfShape", ["s"], ["Y"])], [value_info("X", FLOAT, [4])],
                       [value_info("Y", FLOAT, [100000, 100000, 40])], [shape]))


def long_chain(count):
    nodes = [node("Identity", ["X" if i == 0 else f"a{i}"], ["Y" if i == count - 1 else f"a{i + 1}"]) for i in range(count)]
    return model(graph(nodes, [value_info("X", FLOAT, [4])], [value_info("Y", FLOAT, [4])]))
