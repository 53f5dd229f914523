# SPDX-License-Identifier: Apache-2.0
"""The real agent, a simulated press and a simulated PLC: verdicts reach the registers, and a killed or frozen agent ends
in the PLC's safe state.

usage: plc_test.py BIN_FOLDER"""
import json, os, pathlib, queue, signal, socket, subprocess, sys, tempfile, threading, time, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from ports import free_port  # noqa: E402

BIN = pathlib.Path(sys.argv.pop(1)).resolve()

AGENT = """
[agent]
device_id = "box"
factory_id = "plant"
line_id = "line"
state = "{state}"
[http]
enabled = false
[[asset]]
id = "press"
{more}
deadline_ms = 1000
window = {{ channels = 1, length = 2000, rate_hz = 10000.0 }}
trigger = {{ kind = "external" }}
source = {{ kind = "simulated-press", strokes_per_minute = 200.0, strokes = {strokes} }}
output = {output}
"""
WAIT_S = 60
BAR_MS = 300


class Plc:
    """The simulated PLC's lines, as they come."""

    def __init__(self, port, log):
        self.log = log  # of the agent
        self.process = subprocess.Popen([BIN / "plc_sim", str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        threading.Thread(target=lambda: [self.lines.put(json.loads(line)) for line in self.process.stdout], daemon=True).start()

    def next(self, good):
        end = time.monotonic() + WAIT_S
        while True:
            try:
                line = self.lines.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"the PLC did not see it; the agent says: {self.log.read_text()[-2000:]}") from None
            if good(line):
                return line

    def next_event(self, event):
        return self.next(lambda line: line["event"] == event)

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


class PlcTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.dir = pathlib.Path(cls.temporary.name)
        windows = f'collect = {{ folder = "{cls.dir}/windows", windows = 120 }}'
        none = '{ kind = "none", on_no_verdict = "hold", on_start = "stop", on_death = "stop" }'
        config = cls.write("first", more=windows, strokes=120, output=none)
        subprocess.run([BIN / "millwright-agent", "--config", config, "--fast"], check=True, capture_output=True, timeout=120)
        cls.bundle = cls.dir / "press.bundle"
        subprocess.run([BIN / "millwright", "train", "--recordings", cls.dir / "windows", "--rate", "10000", "--out", cls.bundle],
                       check=True, capture_output=True, timeout=300)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    @classmethod
    def write(cls, name, **fields):
        config = cls.dir / f"{name}.toml"
        config.write_text(AGENT.format(state=cls.dir / name, **fields))
        return config

    def setUp(self):
        self.port = free_port()
        output = f'{{ kind = "modbus-server", port = {self.port}, on_no_verdict = "stop", on_start = "stop", on_death = "stop", stop_on = "alarm" }}'
        self.config = self.write(self.id().rsplit(".", 1)[1], more=f'bundle = "{self.bundle}"', strokes=0, output=output)
        self.plc = Plc(self.port, self.dir / "log")
        self.addCleanup(self.plc.stop)
        self.start()

    def start(self):
        with open(self.dir / "log", "ab") as log:
            self.agent = subprocess.Popen([BIN / "millwright-agent", "--config", self.config], stderr=log)
        self.addCleanup(self.agent.wait)
        self.addCleanup(self.agent.kill)

    def check_safe_within_bar(self, number):
        self.plc.next_event("runs")
        result = self.plc.next(lambda line: line["event"] == "result" and line["valid"])
        self.assertTrue(result["ready"])
        self.assertEqual(result["cycle"], result["stroke_id"])
        self.assertIn(result["verdict"], (1, 2))
        self.assertLessEqual(result["score"], 10000)
        before = time.monotonic()
        os.kill(self.agent.pid, number)
        took = self.plc.next_event("safe")["monotonic_ms"] - before * 1000
        self.assertLessEqual(took, BAR_MS)
        print(f"{signal.Signals(number).name} to safe: {took:.0f} ms")

    def test_a_killed_agent_ends_in_the_safe_state_and_the_next_one_runs_again(self):
        self.check_safe_within_bar(signal.SIGKILL)
        self.start()
        self.plc.next_event("runs")

    def test_a_stopped_agent_ends_in_the_safe_state(self):
        self.check_safe_within_bar(signal.SIGSTOP)
        os.kill(self.agent.pid, signal.SIGCONT)
        self.plc.next_event("runs")

    def test_check_says_whether_the_port_can_be_had(self):
        check = lambda: json.loads(subprocess.run([BIN / "millwright-agent", "--config", self.config, "--check", "--json"], capture_output=True, timeout=60).stdout)
        output = lambda: next(line for line in check()["checks"] if line["what"].endswith("output"))
        self.plc.next_event("runs")
        self.assertIn("is not tried: an agent runs", output()["found"])
        self.agent.kill()
        self.agent.wait()
        self.assertTrue(output()["good"], output())
        with socket.create_server(("127.0.0.1", self.port)):
            self.assertFalse(output()["good"], "another program has the port")


if __name__ == "__main__":
    unittest.main(verbosity=2)
