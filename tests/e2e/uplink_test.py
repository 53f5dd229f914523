# SPDX-License-Identifier: Apache-2.0
"""A real agent, a real broker and somebody who listens; the broker and the agent are killed. At the end every stroke of
the journal has arrived, and every alert has left the box because somebody made it durable.

usage: uplink_test.py BIN_FOLDER"""
import json, os, pathlib, signal, subprocess, sys, tempfile, time, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from ports import free_port  # noqa: E402

BIN = pathlib.Path(sys.argv.pop(1)).resolve()
WAIT_S = 90

AGENT = """
[agent]
device_id = "box-1"
factory_id = "plant"
line_id = "line"
state = "{state}"
[http]
enabled = false
{mqtt}
[[asset]]
id = "press"
{more}
deadline_ms = 2000
window = {{ channels = 1, length = 2000, rate_hz = 10000.0 }}
trigger = {{ kind = "external" }}
source = {{ kind = "simulated-press", strokes_per_minute = 200.0, strokes = 0, wear_from_stroke = 10, failure_stroke = 60 }}
output = {{ kind = "none", on_no_verdict = "hold", on_start = "stop", on_death = "stop" }}
"""
MQTT = """[mqtt]
host = "127.0.0.1"
port = {port}
tls = false
"""


class Uplink(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.dir = pathlib.Path(temporary.name)
        self.port = free_port()
        self.bundle = self.dir / "press.bundle"
        collect = self.dir / "collect.toml"
        collect.write_text(AGENT.format(state=self.dir / "first", mqtt="", more=f'collect = {{ folder = "{self.dir}/windows", windows = 120 }}')
                           .replace("strokes = 0, wear_from_stroke = 10, failure_stroke = 60", "strokes = 120"))
        subprocess.run([BIN / "millwright-agent", "--config", collect, "--fast"], check=True, capture_output=True, timeout=120)
        subprocess.run([BIN / "millwright", "train", "--recordings", self.dir / "windows", "--rate", "10000", "--out", self.bundle],
                       check=True, capture_output=True, timeout=300)
        (self.dir / "broker").mkdir()
        (self.dir / "mosquitto.conf").write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {self.dir}/broker/\n"
            + ("user root\n" if os.getuid() == 0 else ""))
        self.config = self.dir / "agent.toml"
        self.config.write_text(AGENT.format(state=self.dir / "state", mqtt=MQTT.format(port=self.port), more=f'bundle = "{self.bundle}"\nfeatures = {{ every_s = 1 }}'))
        self.log = open(self.dir / "log", "ab")
        self.addCleanup(self.log.close)

    def start(self, *command, out=None):
        process = subprocess.Popen(command, stdout=out or self.log, stderr=self.log)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def broker(self):
        return self.start("/usr/sbin/mosquitto", "-c", self.dir / "mosquitto.conf")

    def agent(self):
        return self.start(BIN / "millwright-agent", "--config", self.config)

    def listener(self):
        with open(self.dir / "heard.jsonl", "ab") as heard:
            return self.start(BIN / "millwright", "listen", "--host", "127.0.0.1", "--port", str(self.port), "--confirm-into",
                              self.dir / "alerts.jsonl", out=heard)

    def heard(self, kind):
        lines = (self.dir / "heard.jsonl").read_text().splitlines() if (self.dir / "heard.jsonl").exists() else []
        found = (json.loads(line) for line in lines if line.endswith("}"))
        return [line["content"] for line in found if line["kind"] == kind]

    def journal(self):
        folder = self.dir / "state" / "press" / "records"
        return [json.loads(line) for file in sorted(folder.iterdir()) for line in open(file)] if folder.exists() else []

    def until(self, good, what):
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            if good():
                return
            time.sleep(0.2)
        self.fail(f"not in {WAIT_S} s: {what}\n{(self.dir / 'log').read_text()[-4000:]}")

    def status(self):
        return json.loads((self.dir / "state" / "status.json").read_text())

    def test_nothing_is_lost_while_broker_and_agent_are_killed(self):
        broker, listener, agent = self.broker(), self.listener(), self.agent()
        self.until(lambda: any(not s["message"]["historical"] for s in self.heard("score")), "live scores")
        self.until(lambda: any(s["status"] == "online" for s in self.heard("status")), "the retained status")

        self.until(lambda: self.heard("features"), "what the features did")
        told = self.heard("features")[0]
        self.assertEqual(told["asset_id"], "press")
        self.assertGreater(told["strokes"], 0)
        self.assertEqual({len(told[key]) for key in ("names", "mean", "sd", "min", "max")}, {told["features"]})

        broker.kill()
        before = len(self.journal())
        self.until(lambda: len(self.journal()) >= before + 10, "decisions without a broker")
        broker = self.broker()
        self.until(lambda: any(s["message"]["historical"] and s["stroke_id"] > before for s in self.heard("score")), "the backlog")

        agent.kill()  # nobody says goodbye: the broker says it for the box
        self.until(lambda: self.heard("status")[-1]["status"] == "offline", "the Last Will")
        agent = self.agent()
        self.until(lambda: self.status()["pid"] == agent.pid and self.status()["uplink"]["connected"], "the agent, back again")
        self.until(lambda: any(r["is_alert"] for r in self.journal()) and self.heard("alert"), "an alert of the worn die")

        agent.send_signal(signal.SIGTERM)
        self.assertEqual(agent.wait(30), 0)
        # What a stop left in the store is sent by the next start.
        agent = self.agent()
        alerts = lambda: {r["stroke_id"] for r in self.journal() if r["is_alert"]}
        self.until(lambda: {s["stroke_id"] for s in self.heard("score")} >= {r["stroke_id"] for r in self.journal()[:-3]}, "every stroke")
        self.until(lambda: alerts() <= {a["stroke_id"] for a in self.heard("alert")} and self.status()["pid"] == agent.pid and self.status()["uplink"]["connected"]
                   and self.status()["uplink"]["outbox"]["alerts_waiting"] <= 1,
                   "every alert, confirmed")
        agent.send_signal(signal.SIGTERM)
        self.assertEqual(agent.wait(30), 0)
        journal = {r["stroke_id"]: r for r in self.journal()}
        self.assertEqual(sorted(journal), list(range(1, len(journal) + 1)))
        for score in self.heard("score"):
            self.assertEqual(score["verdict"], journal[score["stroke_id"]]["verdict"], "what was sent is what was decided")
        stored = [json.loads(line)["stroke_id"] for line in (self.dir / "alerts.jsonl").read_text().splitlines()]
        self.assertGreaterEqual(set(stored), {r for r in alerts() if r < max(journal) - 3})
        self.assertEqual(self.status()["uplink"]["fed"]["missing"], 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
