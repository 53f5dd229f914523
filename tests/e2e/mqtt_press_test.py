# SPDX-License-Identifier: Apache-2.0
"""Windows come in by a real broker, verdicts go out by it: every message is one record, windows are kept, a label of the
operator's page attaches to them, and the export is a set that train and evaluate take.

usage: mqtt_press_test.py BIN_FOLDER"""
import array, json, os, pathlib, random, signal, subprocess, sys, tempfile, time, unittest, urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from ports import free_port  # noqa: E402

BIN = pathlib.Path(sys.argv.pop(1)).resolve()
LENGTH, RATE = 512, 5120
AGENT = """
[agent]
device_id = "box"
factory_id = "plant"
line_id = "line"
state = "{state}"
[http]
port = {http}
[[asset]]
id = "p1"
bundle = "{bundle}"
deadline_ms = 20000
window = {{ channels = 1, length = 512, rate_hz = 5120.0 }}
trigger = {{ kind = "external" }}
source = {{ kind = "mqtt", topic = "in/p1", payload = "float32", host = "127.0.0.1", tls = false, port = {port} }}
output = {{ kind = "mqtt", topic = "out/p1", host = "127.0.0.1", tls = false, port = {port}, on_no_verdict = "hold", on_start = "stop", on_death = "stop" }}
windows = {{ normal_every = 20 }}
"""


class MqttPress(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.dir = pathlib.Path(temporary.name)
        self.port, self.http = free_port(), free_port()
        (self.dir / "mosquitto.conf").write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n"
                                                 + ("user root\n" if os.getuid() == 0 else ""))
        self.log = open(self.dir / "log", "ab")
        self.addCleanup(self.log.close)
        self.start("/usr/sbin/mosquitto", "-c", self.dir / "mosquitto.conf")
        self.make("normal.f32", 300, 1.0)
        self.make("worn.f32", 20, 4.0)
        self.bundle = self.dir / "p1.bundle"
        self.run_tool("train", "--recordings", self.dir / "normal.f32", "--rate", str(RATE), "--window", str(LENGTH), "--detector",
                      "mahalanobis", "--out", self.bundle)
        self.config = self.dir / "agent.toml"
        self.config.write_text(AGENT.format(state=self.dir / "state", bundle=self.bundle, port=self.port, http=self.http))

    def make(self, name, windows, level):
        rng = random.Random(name)
        with open(self.dir / name, "wb") as out:
            array.array("f", [level * rng.gauss(0.0, 1.0) for _ in range(windows * LENGTH)]).tofile(out)

    def start(self, *command):
        process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def run_tool(self, *arguments):
        done = subprocess.run([BIN / "millwright", *arguments], capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def load(self, name):
        done = subprocess.run([BIN / "mqtt_load", str(self.port), "in/p1", "out/p1", self.dir / name, str(LENGTH), "8", "1", "0"],
                              capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr + (self.dir / "log").read_text()[-3000:])
        return json.loads(done.stdout.splitlines()[-1])

    def records(self):
        folder = self.dir / "state" / "p1" / "records"
        return [json.loads(line) for file in sorted(folder.iterdir()) for line in file.read_text().splitlines()]

    def test_from_message_to_labelled_set(self):
        check = subprocess.run([BIN / "millwright-agent", "--config", self.config, "--check"], capture_output=True, text=True)
        self.assertIn("lets this box hear in/p1", check.stdout)
        self.assertIn("verdicts go to out/p1", check.stdout)
        agent = self.start(BIN / "millwright-agent", "--config", self.config)
        # What is published before anybody listens is nobody's.
        status = self.dir / "state" / "status.json"
        end = time.monotonic() + 60
        while not (status.exists() and json.loads(status.read_text())["assets"][0]["source"]["up"]):
            self.assertLess(time.monotonic(), end, "the source does not come up")
            time.sleep(0.2)
        asked = self.load("normal.f32")["asked"] + self.load("worn.f32")["asked"]
        alert = next(r["stroke_id"] for r in reversed(self.records()) if r["is_alert"])
        kept = self.dir / "state" / "windows" / "p1"
        listed = [line.split() for line in self.run_tool("windows", "list", kept).splitlines()]
        alerts = [int(row[0]) for row in listed if row[2] == "alert"]
        self.assertTrue(alerts, listed)
        self.assertTrue([row for row in listed if row[2] == "normal"], listed)
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}/api/label", method="POST",
                                         data=json.dumps({"asset_id": "p1", "stroke_id": alerts[-1], "label": "true"}).encode(),
                                         headers={"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=10).read()
        agent.send_signal(signal.SIGTERM)
        self.assertEqual(agent.wait(60), 0)

        records = self.records()
        self.assertEqual([r["stroke_id"] for r in records], list(range(1, asked + 1)))  # each message once
        self.assertGreaterEqual(alert, 1)
        # Before the model was there, a window is a stroke without a verdict; after that each has one.
        self.assertEqual({r["reason"] for r in records[100:]}, {"none"})

        out = self.dir / "labelled"
        self.run_tool("windows", "export", kept, "--out", out)
        self.assertTrue((out / "anomalous" / "p1.npy").exists())
        self.run_tool("train", "--recordings", out / "normal", self.dir / "normal.f32", "--rate", str(RATE), "--window", str(LENGTH),
                      "--detector", "mahalanobis", "--out", self.dir / "better.bundle")
        self.run_tool("evaluate", self.bundle, "--normal", out / "normal", "--anomalous", out / "anomalous")


if __name__ == "__main__":
    unittest.main()
