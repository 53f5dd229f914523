# SPDX-License-Identifier: Apache-2.0
"""What a ladder of four providers costs an agent's start against the CPU alone, interleaved: from the start of the process
to the model that serves, and to the end of all trials.

usage: ladder_start.py BIN_FOLDER [RUNS]"""
import json, pathlib, statistics, subprocess, sys, tempfile, time

BIN, RUNS = pathlib.Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 30
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "e2e"))
import press  # noqa: E402

AGENT = """
[agent]
device_id = "box-1"
factory_id = "plant"
line_id = "line"
state = "{folder}/state"
[inference]
providers = {providers}
[http]
enabled = false
[[asset]]
id = "press"
bundle = "{bundle}"
deadline_ms = 2000
window = {{ channels = 1, length = 2000, rate_hz = 10000.0 }}
trigger = {{ kind = "external" }}
source = {{ kind = "simulated-press", strokes_per_minute = 180.0, strokes = 0 }}
output = {{ kind = "none", on_no_verdict = "hold", on_start = "stop", on_death = "stop" }}
"""
ARMS = {"cpu": '["cpu"]', "ladder": '["tensorrt", "cuda", "openvino", "cpu"]'}


def start(folder, bundle, providers):
    """Milliseconds until the model serves."""
    config = folder / "agent.toml"
    config.write_text(AGENT.format(folder=folder, bundle=bundle, providers=providers))
    began = time.monotonic()
    with subprocess.Popen([BIN / "millwright-agent", "--config", config], stderr=subprocess.PIPE, text=True) as agent:
        for line in agent.stderr:
            event = json.loads(line)
            if event["event"] == "model_loaded":
                took, provider = 1e3 * (time.monotonic() - began), event["provider"]
                agent.kill()
                return took, provider
    raise SystemExit("no model was loaded")


with tempfile.TemporaryDirectory() as temporary:
    folder = pathlib.Path(temporary)
    bundle = press.trained_bundle(BIN, folder)
    took, served = {arm: [] for arm in ARMS}, set()
    for _ in range(RUNS):
        for arm, providers in ARMS.items():
            ms, provider = start(folder, bundle, providers)
            took[arm].append(ms)
            served.add(provider)
    medians = {arm: statistics.median(values) for arm, values in took.items()}
    print(json.dumps({"name": "ladder-start", "runs": RUNS, "served": sorted(served),
                      **{f"{arm}_p50_ms": round(value, 1) for arm, value in medians.items()},
                      **{f"{arm}_max_ms": round(max(values), 1) for arm, values in took.items()},
                      "more_ms": round(medians["ladder"] - medians["cpu"], 1)}))
