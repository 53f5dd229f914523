# SPDX-License-Identifier: Apache-2.0
"""Prints the reference values of src/lab/covariance_test.cc and metrics_test.cc: scikit-learn's and SciPy's answers."""
import numpy as np
from sklearn.covariance import LedoitWolf
from sklearn.metrics import roc_auc_score


def formula_rows(n, f):
    """Rows made by a formula, so that both languages have the same ones without a file."""
    i, j = np.meshgrid(np.arange(n), np.arange(f), indexing="ij")
    return np.sin(0.37 * i * (j + 1) + 0.11 * j * j) + 1.5 * np.cos(1.7 * i)


for n, f in ((40, 6), (12, 30)):
    x = formula_rows(n, f)
    lw = LedoitWolf().fit(x)
    print("ledoit-wolf", n, f, "shrinkage %.12g" % lw.shrinkage_, "c00 %.12g c01 %.12g c55 %.12g" % (lw.covariance_[0, 0], lw.covariance_[0, 1], lw.covariance_[5, 5]))
    print("  mahalanobis of rows 0, 3 and a far one:", ", ".join("%.12g" % v for v in lw.mahalanobis(np.vstack([x[[0, 3]], np.full((1, f), 2.0)]))))

normal = np.sin(np.arange(60) * 1.3)
anomalous = 0.6 + np.sin(np.arange(25) * 2.1)
y, s = np.r_[np.zeros(60), np.ones(25)], np.r_[normal, anomalous]
print("auc %.12g pauc %.12g" % (roc_auc_score(y, s), roc_auc_score(y, s, max_fpr=0.1)))
# DeLong's variance from its definition, with placement values.
v10 = np.array([np.mean((a > normal) + 0.5 * (a == normal)) for a in anomalous])
v01 = np.array([np.mean((anomalous > b) + 0.5 * (anomalous == b)) for b in normal])
sd = np.sqrt(v10.var(ddof=1) / 25 + v01.var(ddof=1) / 60)
a = v10.mean()
logit, step = np.log(a / (1 - a)), 1.959963984540054 * sd / (a * (1 - a))
print("delong sd %.12g ci %.12g %.12g" % (sd, 1 / (1 + np.exp(step - logit)), 1 / (1 + np.exp(-step - logit))))
from scipy.stats import binomtest
print("wilson", binomtest(7, 50).proportion_ci(method="wilson"))
