# SPDX-License-Identifier: Apache-2.0
"""A model on its way to a box: signed by another program, brought, tried, served between strokes, kept over a kill; and a
bad one that is signed all the same.

usage: updates_test.py BIN_FOLDER"""
import hashlib, json, pathlib, signal, subprocess, sys, tempfile, time, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import press  # noqa: E402
from tuf_repository import Key, Repository  # noqa: E402

BIN = pathlib.Path(sys.argv.pop(1)).resolve()
TARGET = "press7/any.bundle"
PATIENCE_S = 120
AGENT = """
[agent]
device_id = "box-1"
factory_id = "plant"
line_id = "line"
state = "{folder}/state"
[updates]
root = "{folder}/root.json"
metadata_url = "{folder}/stick/metadata"
targets_url = "{folder}/stick/targets"
poll_s = 10
probation_s = 1
probation_verdicts = 5
[http]
enabled = false
[[asset]]
id = "press"
bundle = "{bundle}"
model = "press7"
deadline_ms = 2000
window = {{ channels = 1, length = 2000, rate_hz = 10000.0 }}
trigger = {{ kind = "external" }}
source = {{ kind = "simulated-press", strokes_per_minute = 180.0, strokes = 0 }}
output = {{ kind = "none", on_no_verdict = "hold", on_start = "stop", on_death = "stop" }}
"""


class Updates(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.dir = pathlib.Path(temporary.name)
        self.factory = press.trained_bundle(BIN, self.dir)
        (self.dir / "keys").mkdir()
        self.repository = Repository(self.dir / "keys")
        (self.dir / "root.json").write_bytes(self.repository.files["1.root.json"])
        self.config = self.dir / "agent.toml"
        self.config.write_text(AGENT.format(folder=self.dir, bundle=self.factory))

    def start(self):
        with open(self.dir / "log", "ab") as log:
            agent = subprocess.Popen([BIN / "millwright-agent", "--config", self.config], stderr=log)
        self.addCleanup(agent.wait)
        self.addCleanup(agent.kill)
        return agent

    def publish(self, data, release, keys=None):
        self.repository.add(TARGET, data)
        self.repository.body["targets"]["targets"][TARGET]["custom"] = {"release": release}
        self.repository.publish("targets", keys=keys)
        self.repository.publish("snapshot", "timestamp")
        for kind, files in (("metadata", self.repository.files), ("targets", self.repository.targets)):
            for name, content in files.items():
                file = self.dir / "stick" / kind / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
        return hashlib.sha256(data).hexdigest()

    def update(self):
        try:
            return json.loads((self.dir / "state/status.json").read_text())["assets"][0]["update"]
        except (OSError, json.JSONDecodeError):
            return {}

    def until(self, done, what):
        end = time.monotonic() + PATIENCE_S
        while not done():
            self.assertLess(time.monotonic(), end, what + "\n" + (self.dir / "log").read_text()[-3000:])
            time.sleep(0.1)

    def records(self):
        lines = [line for file in sorted((self.dir / "state/press/records").iterdir()) for line in file.read_text().split("\n")[:-1]]
        return [json.loads(line[line.index("{"):]) for line in lines]

    def trained(self, name, *more):
        out = self.dir / f"{name}.bundle"
        subprocess.run([BIN / "millwright", "train", "--recordings", self.dir / "windows", "--rate", "10000", "--out", out, *more],
                       check=True, capture_output=True, timeout=300)
        return out.read_bytes()

    def test_a_signed_model_serves_stays_and_a_bad_one_does_not(self):
        check = subprocess.run([BIN / "millwright-agent", "--config", self.config, "--check"], capture_output=True, text=True, timeout=60)
        self.assertEqual(check.returncode, 0, check.stdout)
        self.assertIn("root.json is a root to begin with; models come from", check.stdout)
        self.assertFalse((self.dir / "state/updates").exists(), "a check trusts nothing")
        first = hashlib.sha256(self.factory.read_bytes()).hexdigest()
        better = self.trained("better", "--false-alarm-rate", "0.02")
        agent = self.start()
        digest = self.publish(better, 1)
        self.assertNotEqual(first, digest)
        self.until(lambda: (self.update().get("active") or {}).get("digest") == digest, "the new model is not committed")
        self.assertEqual(self.update()["phase"], "idle")
        models = [record["model"] for record in self.records() if record["verdict"] != "NO_VERDICT"]
        self.assertEqual(list(dict.fromkeys(models)), [first, digest], "one after the other, and never back")

        agent.kill()
        agent.wait()
        before = len(self.records())
        agent = self.start()
        self.until(lambda: any(record["verdict"] != "NO_VERDICT" for record in self.records()[before:]), "no verdict after a kill")
        self.assertEqual({record["model"] for record in self.records()[before:] if record["verdict"] != "NO_VERDICT"}, {digest})

        # Signed by the right keys, and no bundle; then a good one by the wrong key.
        bad = self.publish(better[: len(better) // 2], 2)
        self.until(lambda: (self.update().get("refused_last") or {}).get("digest") == bad, "a cut bundle is not refused")
        self.publish(self.trained("foreign", "--false-alarm-rate", "0.05"), 3, keys=[Key(self.dir / "keys", "stranger")])
        self.until(lambda: "arbitrary software" in (self.dir / "log").read_text(), "a stranger's signature is not named")
        self.assertEqual(self.update()["active"]["digest"], digest)

        agent.send_signal(signal.SIGTERM)
        self.assertEqual(agent.wait(30), 0)
        records = self.records()
        self.assertEqual([record["stroke_id"] for record in records], list(range(1, len(records) + 1)), "no stroke was missed")
        lost = [record for record in records if record["reason"] not in ("none", "no_model", "starting", "restart")]
        self.assertEqual(lost, [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
