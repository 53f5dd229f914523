#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the small recordings that recording_test reads, with NumPy, SciPy and Python's wave module.

usage: make_recordings.py OUT_FOLDER     (made with NumPy 2.2.4, SciPy 1.15.3)

Every sample is known from its index k in C order of (window, channel, sample): (7 k mod 23) - 11, called p(k).
Floats are p / 4, full-scale integers of .wav are p / 16 of full scale.
"""
import pathlib
import sys
import wave

import numpy as np
import scipy.io
import scipy.io.wavfile


def p(*shape):
    k = np.arange(int(np.prod(shape)))
    return ((7 * k) % 23 - 11).reshape(shape)


def npy(out):
    for dtype in ["f4", "f8", "i1", "i2", "i4", "i8"]:
        scale = 0.25 if dtype[0] == "f" else 1
        np.save(out / f"{dtype}.npy", (p(6) * scale).astype(dtype))
    for dtype in ["u1", "u2", "u4", "u8"]:
        np.save(out / f"{dtype}.npy", (p(6) + 11).astype(dtype))
    np.save(out / "windows.npy", (p(3, 5) * 0.25).astype("f4"))
    np.save(out / "channels.npy", (p(2, 3, 4) * 0.25).astype("f4"))
    np.save(out / "fortran.npy", np.asfortranarray((p(2, 3, 4) * 0.25).astype("f8")))
    np.save(out / "fortran2.npy", np.asfortranarray((p(3, 5) * 0.25).astype("f4")))
    for version in [(2, 0), (3, 0)]:
        with open(out / f"version{version[0]}.npy", "wb") as file:
            np.lib.format.write_array(file, (p(3, 5) * 0.25).astype("f4"), version=version)
    np.save(out / "big_endian.npy", p(6).astype(">f4"))
    np.save(out / "complex.npy", p(6).astype("c8"))
    np.save(out / "half.npy", p(6).astype("f2"))
    np.save(out / "structured.npy", np.zeros(3, dtype=[("a", "f4"), ("b", "i4")]))
    np.save(out / "scalar.npy", np.float32(1.5))
    np.save(out / "four_dimensions.npy", np.zeros((1, 1, 1, 2), "f4"))
    np.save(out / "no_windows.npy", np.zeros((0, 5), "f4"))
    np.save(out / "not_finite.npy", np.array([[1, 2, 3], [4, np.nan, np.inf]], "f4"))


def wav(out):
    frames = p(8, 2)  # (frame, channel)
    scipy.io.wavfile.write(out / "pcm16.wav", 10000, (frames * 2**11).astype("i2"))
    scipy.io.wavfile.write(out / "pcm32.wav", 10000, (frames * 2**27).astype("i4"))
    scipy.io.wavfile.write(out / "pcm8.wav", 10000, (frames * 2**3 + 128).astype("u1"))
    scipy.io.wavfile.write(out / "float32.wav", 48000, (frames * 0.25).astype("f4"))
    scipy.io.wavfile.write(out / "float64.wav", 48000, (frames * 0.25).astype("f8"))
    with wave.open(str(out / "pcm24.wav"), "wb") as file:
        file.setparams((2, 3, 10000, 0, "NONE", ""))
        file.writeframes(b"".join(int(v * 2**19).to_bytes(3, "little", signed=True) for v in frames.ravel()))


def mat(out):
    de = (p(9, 1) * 0.25)
    two = (p(3, 6) * 0.25)
    named = {"X097_DE_time": de, "X097RPM": np.array([[1796.0]])}
    scipy.io.savemat(out / "v5.mat", named)
    scipy.io.savemat(out / "v7.mat", named, do_compression=True)
    scipy.io.savemat(out / "v4.mat", named, format="4")
    scipy.io.savemat(out / "single.mat", {"x": two.astype("f4")}, do_compression=True)
    scipy.io.savemat(out / "integers.mat", {"x": p(1, 7).astype("i2")})
    scipy.io.savemat(out / "others.mat", {"text": "hello", "z": np.array([1 + 2j]), "s": {"a": 1.0},
                                          "c": np.array([1, "x"], dtype=object), "cube": np.zeros((2, 2, 2))})


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    npy(out)
    wav(out)
    mat(out)


main()
