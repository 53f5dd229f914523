# SPDX-License-Identifier: Apache-2.0
"""How long after a SIGKILL the next agent has its first verdict: from the start of the process to the first GO or NO_GO in
its journal. The simulated press strikes three times a second, so that up to a third of a
second of it is the wait for a stroke.

usage: restart_to_verdict.py BIN_FOLDER [RUNS] [SEED]"""
import json, pathlib, random, statistics, subprocess, sys, tempfile, time

BIN = pathlib.Path(sys.argv[1]).resolve()
RUNS = int(sys.argv[2]) if len(sys.argv) > 2 else 100
SEED = int(sys.argv[3]) if len(sys.argv) > 3 else 1
BAR_S = 3.0
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "e2e"))
import press  # noqa: E402

AGENT = """
[agent]
device_id = "box-1"
factory_id = "plant"
line_id = "line"
state = "{folder}/state"
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


def lines(folder):
    """Of the journal, all that are whole."""
    return [line for file in sorted((folder / "state/press/records").glob("*")) for line in file.read_text().split("\n")[:-1]]


def verdicts(records):
    return sum(json.loads(line)["verdict"] != "NO_VERDICT" for line in records)


with tempfile.TemporaryDirectory() as temporary:
    folder, rng, took = pathlib.Path(temporary), random.Random(SEED), []
    config = folder / "agent.toml"
    config.write_text(AGENT.format(folder=folder, bundle=press.trained_bundle(BIN, folder)))
    for run in range(RUNS + 1):
        before = len(lines(folder)) if run else 0
        began = time.monotonic()
        with subprocess.Popen([BIN / "millwright-agent", "--config", config], stderr=subprocess.DEVNULL) as agent:
            while verdicts(lines(folder)[before:]) == 0:
                if time.monotonic() > began + 60 or agent.poll() is not None:
                    raise SystemExit("no verdict came")
                time.sleep(0.01)
            if run:
                took.append(time.monotonic() - began)
            time.sleep(rng.uniform(0, 1))
            agent.kill()
    took.sort()
    p99 = took[min(len(took) - 1, int(0.99 * len(took)))]
    print(json.dumps({"name": "restart-to-verdict", "runs": RUNS, "seed": SEED, "p50_s": round(statistics.median(took), 3), "p99_s": round(p99, 3),
                      "max_s": round(took[-1], 3), "bar_s": BAR_S}))
