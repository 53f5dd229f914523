# SPDX-License-Identifier: Apache-2.0
"""Reference values of the features, by NumPy and SciPy in double precision.

usage: features.py make OUT_PREFIX COUNT SEED [FILE.i16 ...]   writes OUT_PREFIX.f32 (windows) and OUT_PREFIX.f64 (features)
       features.py compare OUT_PREFIX FEATURES.f32             prints the errors; exit 1 beyond the tolerance
Without files the windows are synthetic: noise of several colours, tones, decaying impacts and sums of them, at levels
from 1e-3 to 1e3. With files (raw little-endian int16, taken as if at 10 kHz) they are cut from random places of those.
The formulas are those of FORMAT.md, written anew and in double precision from the samples as 32-bit floats.
"""
import json
import sys

import numpy as np
from scipy import fft, signal, stats

RATE, N, NFFT = 10000.0, 2000, 2048
NAMES = (
    ["rms", "peak", "crest", "kurtosis", "skewness", "peak to peak", "mean abs", "variance", "impulse factor",
     "clearance factor"]
    + [f"band {i}" for i in range(6)] + ["dominant frequency", "centroid", "rms frequency"]
    + [f"envelope {i}" for i in range(13)] + [f"mel {i}" for i in range(32)])
TOLERANCE = 1e-4


def mel_bank():
    points = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 5000 / 700), 34) / 2595) - 1)
    corner = np.floor(257 * points / RATE).astype(int)
    bins = np.arange(129)
    bank = np.zeros((32, 129))
    for i in range(32):
        low, peak, high = corner[i:i + 3]
        rise = (bins >= low) & (bins < peak)
        fall = (bins >= peak) & (bins < high)
        bank[i, rise] = (bins[rise] - low) / max(1, peak - low)
        bank[i, fall] = (high - bins[fall]) / max(1, high - peak)
    return bank


BANK = mel_bank()


def features(samples):
    x = samples.astype(np.float64)
    size = np.abs(x)
    rms = np.sqrt(np.mean(x * x))
    time = [rms, size.max(), size.max() / rms, stats.kurtosis(x), stats.skew(x), np.ptp(x), size.mean(), np.var(x),
            size.max() / size.mean(), size.max() / np.mean(np.sqrt(size)) ** 2]

    freq = np.arange(NFFT // 2 + 1) * RATE / NFFT
    power = np.abs(fft.rfft(x * signal.windows.hann(N, sym=True), NFFT)) ** 2
    edges = [0, 500, 1000, 2000, 3000, 4000, 5000]
    spectrum = [power[(freq >= a) & (freq < b)].sum() for a, b in zip(edges, edges[1:])]
    spectrum += [freq[power.argmax()], (freq * power).sum() / power.sum(),
                 np.sqrt((freq ** 2 * power).sum() / power.sum())]

    whole = fft.fft(x, NFFT)
    every = fft.fftfreq(NFFT, 1 / RATE)
    whole[(every < 2000) | (every > 4000)] = 0
    envelope = np.abs(fft.ifft(2 * whole))[:N]
    lines = np.abs(fft.rfft(envelope - envelope.mean(), NFFT))[1:201]
    envelope = [group.mean() for group in np.array_split(lines, 13)]

    frames = np.stack([x[128 * i:128 * i + 256] for i in range(14)]) * signal.windows.hann(256, sym=True)
    mel = np.log(np.abs(fft.rfft(frames, axis=1)) ** 2 @ BANK.T + 1e-10).mean(axis=0)
    return np.concatenate([time, spectrum, envelope, mel])


def synthetic(count, seed):
    rng = np.random.default_rng(seed)
    t = np.arange(N) / RATE
    windows = []
    for i in range(count):
        x = rng.standard_normal(N)
        kind = i % 4
        if kind == 1:
            x = signal.lfilter([1], [1, -0.9], x)
        if kind == 2:
            x = 0.05 * x + sum(np.sin(2 * np.pi * rng.uniform(20, 4800) * t + rng.uniform(0, 6)) for _ in range(4))
        if kind == 3:
            start = rng.integers(100, 900)
            ring = np.exp(-np.arange(N - start) / rng.uniform(50, 400))
            ring *= np.sin(2 * np.pi * rng.uniform(200, 4000) * t[:N - start])
            x = 0.02 * x
            x[start:] += 3 * ring
        windows.append((x + rng.uniform(-1, 1)) * 10 ** rng.uniform(-3, 3))
    return np.array(windows, "<f4")


def real(files, count, seed):
    rng = np.random.default_rng(seed)
    records = [np.fromfile(name, "<i2").astype("<f4") / 32768 for name in files]
    windows = []
    for i in range(count):
        record = records[i % len(records)]
        start = rng.integers(0, len(record) - N)
        windows.append(record[start:start + N])
    return np.array(windows, "<f4")


def compare(expected, found):
    """Relative errors; values that may be near zero (shape moments, logarithms) are measured against at least 1, and
    a band's power against at least 1e-7 of the whole spectrum's, the rounding of 32-bit floats; a dominant
    frequency of 0 against one bin."""
    scale = np.abs(expected)
    scale[:, 16] = np.maximum(scale[:, 16], RATE / NFFT)
    for i, name in enumerate(NAMES):
        if name in ("kurtosis", "skewness") or name.startswith("mel"):
            scale[:, i] = np.maximum(scale[:, i], 1)
        if name.startswith("band"):
            scale[:, i] = np.maximum(scale[:, i], 1e-7 * np.abs(expected[:, 10:16]).sum(axis=1))
    return np.abs(found - expected) / scale


def main():
    if sys.argv[1] == "make":
        prefix, count, seed = sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
        windows = real(sys.argv[5:], count, seed) if len(sys.argv) > 5 else synthetic(count, seed)
        windows.tofile(prefix + ".f32")
        np.array([features(x) for x in windows], "<f8").tofile(prefix + ".f64")
        return 0
    expected = np.fromfile(sys.argv[2] + ".f64", "<f8").reshape(-1, 64)
    found = np.fromfile(sys.argv[3], "<f4").astype("f8").reshape(-1, 64)
    error = compare(expected, found)
    strict = np.abs(found - expected) / np.maximum(np.abs(expected), 1e-30)
    worst = error.max(axis=0)
    order = worst.argsort()[::-1]
    print(json.dumps({
        "windows": len(expected), "tolerance": TOLERANCE, "max_relative_error": float(f"{worst.max():.3g}"),
        "beyond": int((error > TOLERANCE).sum()), "beyond_unscaled": int((strict > TOLERANCE).sum()),
        "max_unscaled": float(f"{strict.max():.3g}"),
        "worst": {NAMES[i]: float(f"{worst[i]:.3g}") for i in order[:8]}}))
    return 1 if (error > TOLERANCE).any() else 0


if __name__ == "__main__":
    sys.exit(main())
