# SPDX-License-Identifier: Apache-2.0
"""Prints the reference values of src/signal/curve_test.cc: NumPy's and SciPy's answers for one formula-made curve."""
import numpy as np
from scipy import stats

i = np.arange(101)
y = (2.0 * np.exp(-(((i - 60.0) / 15.0) ** 2)) + 0.3 * np.sin(0.7 * i) + 0.01 * i).astype(np.float32).astype(float)
x = np.linspace(0, 1, len(y))
d = np.diff(y)
above = y > y.mean()
values = [
    y.mean(), y.std(), y.min(), y.max(), x[y.argmin()], x[y.argmax()], y[0], y[-1], np.trapezoid(y, x),
    np.polyfit(x, y, 1)[0], *np.percentile(y, [25, 50, 75]), stats.skew(y), stats.kurtosis(y),
    np.sqrt(np.mean(d**2)), d.max(), d.min(), np.abs(d).sum(), np.mean(above[1:] != above[:-1]),
]
print("statistics", ", ".join(f"{v:.9g}" for v in values))
print("resampled", ", ".join(f"{v:.9g}" for v in np.interp(np.linspace(0, 1, 7), x, y)))
