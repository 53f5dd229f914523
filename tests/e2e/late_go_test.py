# SPDX-License-Identifier: Apache-2.0
"""Strokes that waited while the agent stood still are late, however fresh they look when they are read at last: a real
agent, a real bundle, real datagrams, and SIGSTOP as what a busy machine does to a process.

usage: late_go_test.py BIN_FOLDER"""
import json, os, pathlib, signal, socket, struct, subprocess, sys, tempfile, time, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import files  # noqa: E402

BIN = pathlib.Path(sys.argv.pop(1)).resolve()
LENGTH, RATE, DEADLINE_MS = 2000, 10000, 3000
PACKETS = 4  # per stroke
PAUSE_S = 6.0

AGENT = """
[agent]
device_id = "box"
factory_id = "plant"
line_id = "line"
state = "{state}"

[[asset]]
id = "press"
bundle = "{bundle}"
deadline_ms = {deadline}
window = {{ channels = 1, length = 2000, rate_hz = 10000.0 }}
trigger = {{ kind = "external" }}
source = {{ kind = "udp", port = {port} }}
output = {{ kind = "none", on_no_verdict = "hold", on_start = "stop", on_death = "stop" }}
"""


class Converter:
    """Sends strokes as datagrams and remembers when each was on its way."""

    def __init__(self, port):
        self.to = ("127.0.0.1", port)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.windows = files.strokes(40, LENGTH, RATE, seed=5)
        self.sequence = self.cycle = 0
        self.sent_ns = {}

    def stroke(self):
        frames = LENGTH // PACKETS
        window = self.windows[self.cycle * LENGTH:(self.cycle + 1) * LENGTH]
        self.cycle += 1
        for part in range(PACKETS):
            begins = part == 0
            head = struct.pack("<4sBBHHHIQQQfI", b"MWS1", 1, 0, 1, frames, 0, 0 if begins else 0xFFFFFFFF, self.sequence,
                               self.sequence * frames, self.cycle if begins else 0, 1.0, 0)
            self.socket.sendto(head + window[part * frames:(part + 1) * frames].tobytes(), self.to)
            self.sequence += 1
        self.sent_ns[self.cycle] = time.time_ns()


class LateGo(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.dir = pathlib.Path(self.folder.name)
        normal = self.dir / "normal.npy"
        files.write_npy(normal, files.strokes(240, LENGTH, RATE), (240, LENGTH))
        bundle = self.dir / "press.bundle"
        subprocess.run([BIN / "millwright", "train", "--recordings", normal, "--rate", str(RATE), "--out", bundle], check=True, capture_output=True, timeout=300)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        config = self.dir / "agent.toml"
        config.write_text(AGENT.format(state=self.dir / "state", bundle=bundle, port=self.port, deadline=DEADLINE_MS))
        self.log = open(self.dir / "agent.log", "wb")
        self.agent = subprocess.Popen([BIN / "millwright-agent", "--config", config], stdout=self.log, stderr=self.log)

    def tearDown(self):
        if self.agent.poll() is None:
            os.kill(self.agent.pid, signal.SIGCONT)
            self.agent.terminate()
            self.agent.wait(30)
        self.log.close()
        self.folder.cleanup()

    def records(self):
        lines = [line for path in sorted((self.dir / "state/press/records").glob("*.jsonl")) for line in path.read_text().splitlines(True)]
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def await_records(self, count):
        end = time.monotonic() + 60
        while len(found := self.records()) < count:
            self.assertLess(time.monotonic(), end, f"{len(found)} of {count} records")
            self.assertIsNone(self.agent.poll(), "the agent ended")
            time.sleep(0.02)
        return found

    def await_model(self):
        end = time.monotonic() + 60
        while b"model_loaded" not in (self.dir / "agent.log").read_bytes():
            self.assertIsNone(self.agent.poll(), "the agent ended")
            self.assertLess(time.monotonic(), end, "no model was loaded")
            time.sleep(0.02)

    def await_stopped(self):
        """A thread may run on for a moment after the signal: what it reads then is fresh."""
        tasks = pathlib.Path(f"/proc/{self.agent.pid}/task")
        stopped = lambda task: (task / "stat").read_text().rsplit(")", 1)[1].split()[0] == "T"
        for _ in range(1000):
            if all(map(stopped, tasks.iterdir())):
                return
            time.sleep(0.001)
        self.fail("the agent did not stop")

    def test_strokes_that_waited_in_the_socket_are_no_go(self):
        self.await_model()
        converter = Converter(self.port)
        for count in range(1, 6):
            converter.stroke()
            self.await_records(count)
        os.kill(self.agent.pid, signal.SIGSTOP)
        self.await_stopped()
        for _ in range(4):
            converter.stroke()
        time.sleep(PAUSE_S)
        os.kill(self.agent.pid, signal.SIGCONT)
        self.await_records(9)
        converter.stroke()
        records = self.await_records(10)
        self.assertEqual([r["plc_cycle"] for r in records], list(range(1, 11)))
        for record in records[5:9]:
            self.assertEqual((record["verdict"], record["reason"]), ("NO_VERDICT", "deadline"), record)
            self.assertGreaterEqual(record["latency_ms"], PAUSE_S * 1000 - 100)
        fresh = records[:5] + records[9:]
        self.assertGreaterEqual(sum(r["verdict"] in ("GO", "NO_GO") for r in fresh), 4, "fresh strokes are judged")
        self.assertIn(records[9]["verdict"], ("GO", "NO_GO"), records[9])


if __name__ == "__main__":
    unittest.main(verbosity=2)
