# SPDX-License-Identifier: Apache-2.0
"""Memory and idle CPU of the agent, beside a bare process that holds the same session.

usage: footprint.py BIN_FOLDER [SECONDS]     prints one JSON line; exit 1 where a bar is missed
The agent serves one asset by UDP with a trained bundle and no packets: a press that stands still."""
import json, pathlib, socket, subprocess, sys, tempfile, time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tests/e2e"))
import files  # noqa: E402

BIN = pathlib.Path(sys.argv[1]).resolve()
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 60.0
CONFIG = """
[agent]
device_id = "box"
factory_id = "plant"
line_id = "line"
state = "{folder}/state"

[[asset]]
id = "press"
bundle = "{folder}/press.bundle"
deadline_ms = 1500
window = {{ channels = 1, length = 2000, rate_hz = 10000.0 }}
trigger = {{ kind = "external" }}
source = {{ kind = "udp", port = {port} }}
output = {{ kind = "none", on_no_verdict = "hold", on_start = "stop", on_death = "stop" }}
"""


def rss_kib(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("VmRSS")).split()[1])


def cpu_seconds(pid):
    """Of all threads, in nanoseconds of the scheduler: ticks of 10 ms are too coarse for an idle process."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()) * 1e-9


def wait_for_model(folder, agent):
    for _ in range(300):
        assert agent.poll() is None, "the agent ended"
        status = folder / "state/status.json"
        if status.exists() and set(json.loads(status.read_text())["assets"][0]["model"]) != {"0"}:
            return
        time.sleep(0.1)
    raise AssertionError("the agent did not load its model within 30 s")


def main(folder):
    files.write_npy(folder / "normal.npy", files.strokes(240), (240, 2000))
    subprocess.run([BIN / "millwright", "train", "--recordings", folder / "normal.npy", "--rate", "10000", "--seed", "1",
                    "--out", folder / "press.bundle"], check=True, capture_output=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "agent.toml").write_text(CONFIG.format(folder=folder, port=port))
    bare = subprocess.Popen([BIN / "bare_process", folder / "press.bundle"], stdout=subprocess.PIPE)
    agent = subprocess.Popen([BIN / "millwright-agent", "--config", folder / "agent.toml"], stderr=subprocess.DEVNULL)
    try:
        assert bare.stdout.readline() == b"ready\n"
        wait_for_model(folder, agent)
        time.sleep(3)
        start, cpu = time.monotonic(), cpu_seconds(agent.pid)
        time.sleep(SECONDS)
        idle = (cpu_seconds(agent.pid) - cpu) / (time.monotonic() - start)
        agent_kib, bare_kib = rss_kib(agent.pid), rss_kib(bare.pid)
    finally:
        agent.terminate()
        bare.kill()
        agent.wait()
    ratio = agent_kib / bare_kib
    print(json.dumps({"agent_rss_kib": agent_kib, "bare_rss_kib": bare_kib, "ratio": round(ratio, 3),
                      "idle_cpu_percent": round(100 * idle, 4), "seconds": SECONDS}))
    return 0 if ratio <= 1.3 and idle <= 0.001 else 1


with tempfile.TemporaryDirectory() as name:
    sys.exit(main(pathlib.Path(name)))
