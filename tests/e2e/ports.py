# SPDX-License-Identifier: Apache-2.0
"""Ports of the loopback for the end-to-end tests."""
import socket


def free_port():
    """A TCP port that nobody listened on a moment ago."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
