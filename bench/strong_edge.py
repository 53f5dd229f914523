# SPDX-License-Identifier: Apache-2.0
"""The strong form of a Python pipeline: 64 windows at a time through NumPy and scipy.fft in single precision, one call of
the model for all of them. The same `reference-64` features and score as the usual form, which takes window by window.

usage: strong_edge.py WINDOWS.f32 MODEL.onnx [BATCH]      windows of 2,000 samples at 10 kHz; prints one JSON line"""
import json, sys, time

import numpy as np
import onnxruntime as ort
from scipy import fft

RATE, LENGTH, PADDED, FRAME, HOP, BANDS = 10_000, 2_000, 2_048, 256, 128, 32


def mel_weights():
    """(BANDS, FRAME / 2 + 1): triangles whose corners are whole bins, evenly spaced on the mel scale up to 5 kHz."""
    corners_mel = np.linspace(0, 2595 * np.log10(1 + 5_000 / 700), BANDS + 2)
    corners = np.floor((FRAME + 1) * 700 * (10 ** (corners_mel / 2595) - 1) / RATE).astype(int)
    weights = np.zeros((BANDS, FRAME // 2 + 1), np.float32)
    for band, (low, middle, high) in enumerate(zip(corners, corners[1:], corners[2:])):
        for k in range(low, high):
            weights[band, k] = (k - low) / max(1, middle - low) if k < middle else (high - k) / max(1, high - middle)
    return weights


class Features:
    def __init__(self):
        self.hann = np.hanning(LENGTH).astype(np.float32)
        self.frame_hann = np.hanning(FRAME).astype(np.float32)
        self.frequency = np.fft.rfftfreq(PADDED, 1 / RATE).astype(np.float32)
        edges = (0, 500, 1_000, 2_000, 3_000, 4_000, 5_000)
        self.bands = np.stack([(self.frequency >= a) & (self.frequency < b) for a, b in zip(edges, edges[1:])]).astype(np.float32).T
        two_sided = np.fft.fftfreq(PADDED, 1 / RATE)
        self.kept = np.where((two_sided >= 2_000) & (two_sided <= 4_000), 2, 0).astype(np.float32)
        self.mel = mel_weights().T
        groups = np.array_split(np.arange(200), 13)
        self.groups = np.zeros((200, 13), np.float32)
        for i, group in enumerate(groups):
            self.groups[group, i] = 1 / len(group)

    def time(self, x):
        size = np.abs(x)
        mean = x.mean(axis=1, keepdims=True)
        centred = x - mean
        square = centred * centred
        variance = square.mean(axis=1)
        rms = np.sqrt(np.einsum("ij,ij->i", x, x) / LENGTH)
        peak, mean_abs = size.max(axis=1), size.mean(axis=1)
        skewness = np.einsum("ij,ij->i", square, centred) / LENGTH / variance ** 1.5
        kurtosis = np.einsum("ij,ij->i", square, square) / LENGTH / variance ** 2 - 3
        clearance = peak / np.sqrt(size).mean(axis=1) ** 2
        return [rms, peak, peak / rms, kurtosis, skewness, np.ptp(x, axis=1), mean_abs, variance, peak / mean_abs, clearance]

    def spectrum(self, x):
        s = fft.rfft(x * self.hann, PADDED, axis=1)
        power = s.real ** 2 + s.imag ** 2
        total = power.sum(axis=1)
        first, second = power @ self.frequency, power @ (self.frequency ** 2)
        return [*(power @ self.bands).T, self.frequency[power.argmax(axis=1)], first / total, np.sqrt(second / total)]

    def envelope(self, x):
        e = np.abs(fft.ifft(fft.fft(x, PADDED, axis=1) * self.kept, axis=1)[:, :LENGTH])
        e -= e.mean(axis=1, keepdims=True)
        return (np.abs(fft.rfft(e, PADDED, axis=1)[:, 1:201]) @ self.groups).T

    def log_mel(self, x):
        frames = np.lib.stride_tricks.sliding_window_view(x, FRAME, axis=1)[:, ::HOP] * self.frame_hann
        s = fft.rfft(frames, axis=2)
        return np.log((s.real ** 2 + s.imag ** 2) @ self.mel + np.float32(1e-10)).mean(axis=1).T

    def __call__(self, x):
        return np.stack([*self.time(x), *self.spectrum(x), *self.envelope(x), *self.log_mel(x)], axis=1).astype(np.float32)


def main():
    windows = np.fromfile(sys.argv[1], "<f4").reshape(-1, LENGTH)
    batch = int(sys.argv[3]) if len(sys.argv) > 3 else 64
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(sys.argv[2], options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    features = Features()
    for _ in range(3):
        session.run(None, {name: features(windows[:batch])})
    scores = np.empty(len(windows), np.float32)
    start = time.perf_counter()
    for at in range(0, len(windows), batch):
        x = features(windows[at:at + batch])
        y = session.run(None, {name: x})[0]
        scores[at:at + batch] = ((x - y) ** 2).mean(axis=1)
    took = time.perf_counter() - start
    print(json.dumps({"windows": len(windows), "windows_per_s": round(len(windows) / took, 1), "score_0": float(scores[0])}))


main()
