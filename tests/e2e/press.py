# SPDX-License-Identifier: Apache-2.0
"""A bundle for simulated presses, trained as an engineer would: collect, train."""
import subprocess

COLLECT = """
[agent]
device_id = "box-1"
factory_id = "plant"
line_id = "line"
state = "{folder}/first"
[http]
enabled = false
[[asset]]
id = "press"
deadline_ms = 2000
window = {{ channels = 1, length = 2000, rate_hz = 10000.0 }}
trigger = {{ kind = "external" }}
source = {{ kind = "simulated-press", strokes_per_minute = 180.0, strokes = 120 }}
output = {{ kind = "none", on_no_verdict = "hold", on_start = "stop", on_death = "stop" }}
collect = {{ folder = "{folder}/windows", windows = 120 }}
"""


def trained_bundle(programs, folder):
    """For windows of one channel, 2,000 samples at 10 kHz."""
    config = folder / "collect.toml"
    config.write_text(COLLECT.format(folder=folder))
    subprocess.run([programs / "millwright-agent", "--config", config, "--fast"], check=True, capture_output=True, timeout=120)
    subprocess.run([programs / "millwright", "train", "--recordings", folder / "windows", "--rate", "10000", "--out", folder / "press.bundle"],
                   check=True, capture_output=True, timeout=300)
    return folder / "press.bundle"
