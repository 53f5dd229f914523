# SPDX-License-Identifier: Apache-2.0
"""Small recordings for the end-to-end tests, written with the standard library alone."""
import array, math, random, struct, wave


def strokes(count, length=2000, rate=10000.0, seed=1, bad=False):
    """Press-like windows: decaying modes in 200-400 Hz over noise; a bad one rings elsewhere and louder."""
    rng = random.Random(seed)
    out = array.array("f")
    for _ in range(count):
        gain = rng.uniform(0.9, 1.1)
        modes = [(rng.uniform(238, 242), 1.0), (rng.uniform(318, 322), 0.6)]
        if bad:
            modes.append((rng.uniform(278, 290), 1.2))
        for i in range(length):
            t = i / rate
            x = sum(a * math.sin(2 * math.pi * f * t) for f, a in modes) * gain * math.exp(-t / 0.05)
            out.append(x + rng.gauss(0, 0.05))
    return out


def write_npy(path, values, shape):
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + "), }"
    pad = 64 - (10 + len(header) + 1) % 64
    header += " " * pad + "\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + array.array("f", values).tobytes())


def write_wav(path, seconds, rate, seed=1):
    rng = random.Random(seed)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(b"".join(struct.pack("<h", int(rng.gauss(0, 3000)) % 30000) for _ in range(int(seconds * rate))))


def write_mat(path, name, values):
    """A MATLAB level 5 file with one uncompressed double column vector."""
    def element(kind, data):
        return struct.pack("<II", kind, len(data)) + data + b"\0" * (-len(data) % 8)
    matrix = element(6, struct.pack("<II", 6, 0)) + element(5, struct.pack("<ii", len(values), 1)) + element(1, name.encode()) \
        + element(9, struct.pack(f"<{len(values)}d", *values))
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<HH", 0x0100, 0x4D49) + element(14, matrix))
