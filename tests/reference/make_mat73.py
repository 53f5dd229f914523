#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes v73.mat, a MATLAB 7.3 (HDF5) file of the samples that make_recordings.py describes; SciPy cannot.

usage: make_mat73.py OUT_FILE     (made with matio 1.5.23 and HDF5 1.10.8)
"""
import ctypes
import sys

MAT_FT_MAT73, MAT_C_DOUBLE, MAT_T_DOUBLE, NO_COMPRESSION = 0x0200, 6, 9, 0

matio = ctypes.CDLL("libmatio.so.11")
for name in ("Mat_CreateVer", "Mat_VarCreate"):
    getattr(matio, name).restype = ctypes.c_void_p


def write(file, name, rows, columns, values):
    data = (ctypes.c_double * len(values))(*values)
    dims = (ctypes.c_size_t * 2)(rows, columns)
    variable = matio.Mat_VarCreate(name, MAT_C_DOUBLE, MAT_T_DOUBLE, 2, dims, data, 0)
    if matio.Mat_VarWrite(ctypes.c_void_p(file), ctypes.c_void_p(variable), NO_COMPRESSION) != 0:
        sys.exit("cannot write " + name.decode())


def main():
    file = matio.Mat_CreateVer(sys.argv[1].encode(), b"MATLAB 7.3 MAT-file", MAT_FT_MAT73)
    write(file, b"X097_DE_time", 9, 1, [((7 * k) % 23 - 11) / 4 for k in range(9)])
    write(file, b"X097RPM", 1, 1, [1796.0])
    matio.Mat_Close(ctypes.c_void_p(file))


main()
