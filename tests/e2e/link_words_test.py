# SPDX-License-Identifier: Apache-2.0
"""A plant link that is set up wrongly says so, and says what to do: a broker's list that refuses, another certificate's
name, a check beside a running agent, a listener that may not confirm.

usage: link_words_test.py BIN_FOLDER"""
import json, os, pathlib, signal, subprocess, sys, tempfile, time, unittest, urllib.error, urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from ports import free_port  # noqa: E402

BIN = pathlib.Path(sys.argv.pop(1)).resolve()
WAIT_S = 60
AGENT = """
[agent]
device_id = "{device}"
factory_id = "plant"
line_id = "line"
state = "state-{device}"
[http]
port = {http}
[mqtt]
host = "127.0.0.1"
port = {port}
{mqtt}
[[asset]]
id = "press"
deadline_ms = 2000
window = {{ channels = 1, length = 2000, rate_hz = 10000.0 }}
trigger = {{ kind = "external" }}
source = {{ kind = "simulated-press", strokes_per_minute = 200.0 }}
output = {{ kind = "none", on_no_verdict = "hold", on_start = "stop", on_death = "stop" }}
"""


class LinkWords(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.dir = pathlib.Path(temporary.name)
        self.port, self.http = free_port(), free_port()
        self.log = self.dir / "log"

    def broker(self, rights=None):
        """Without TLS; the user is who asks, and may what `rights` says."""
        text = f"listener {self.port} 127.0.0.1\nallow_anonymous true\n" + ("user root\n" if os.getuid() == 0 else "")
        if rights is not None:
            (self.dir / "acl").write_text(rights)
            text += f"acl_file {self.dir}/acl\n"
        (self.dir / "mosquitto.conf").write_text(text)
        self.start("/usr/sbin/mosquitto", "-c", self.dir / "mosquitto.conf", out=self.dir / "broker.log")

    def start(self, *command, out):
        file = open(out, "ab")
        self.addCleanup(file.close)
        process = subprocess.Popen(command, stdout=file, stderr=file)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def config(self, device="box-1", mqtt="tls = false"):
        path = self.dir / f"{device}.toml"
        path.write_text(AGENT.format(device=device, http=self.http, port=self.port, mqtt=mqtt))
        return path

    def check(self, config):
        done = subprocess.run([BIN / "millwright-agent", "--config", config, "--check", "--json"], capture_output=True, text=True, timeout=60)
        return json.loads(done.stdout)["checks"]

    def events(self, name):
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        found = (json.loads(line) for line in lines if line.startswith("{") and line.endswith("}"))
        return [line for line in found if line["event"] == name]

    def until(self, good, what):
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            if good():
                return
            time.sleep(0.1)
        self.fail(f"not in {WAIT_S} s: {what}\n{self.log.read_text()[-4000:] if self.log.exists() else ''}")

    def label(self, stroke):
        body = json.dumps({"asset_id": "press", "stroke_id": stroke, "label": "true"}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}/api/label", body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def test_a_list_that_refuses_is_logged_once_for_each_topic_and_a_check_does_not_disturb(self):
        self.broker("topic read #\n")
        config = self.config()
        broker = lambda: [line for line in self.check(config) if line["what"] == "mqtt"]
        self.until(lambda: broker()[-1]["good"], "the broker")
        self.assertIn("topics are not tried", broker()[-1]["found"])

        agent = self.start(BIN / "millwright-agent", "--config", config, out=self.log)
        topics = {"factory/plant/edge/box-1/status", "factory/plant/line/line/asset/press/scores"}
        self.until(lambda: {event["topic"] for event in self.events("publish_refused")} >= topics, "what the broker refuses")
        for event in self.events("publish_refused"):
            self.assertEqual((event["reason"], event["level"]), ("0x87", "error"))
            self.assertIn("not authorised", event["error"])
        self.assertIn("is not tried: an agent runs", broker()[-1]["found"])
        bad = [line["what"] for line in self.check(config) if not line["good"]]
        self.assertEqual(bad, ["state is free"], "what the agent itself holds is no fault but this one")
        self.assertEqual(len(self.events("broker_connected")), 1)

        self.until(lambda: (self.dir / "state-box-1/status.json").exists(), "a status")
        kept = json.loads((self.dir / "state-box-1/status.json").read_text())["uplink"]["outbox"]
        self.assertEqual((kept["alerts_overdue"], kept["alerts_unconfirmed_s"]), (False, 0))
        self.until(lambda: list((self.dir / "state-box-1/press/records").glob("*")), "records")
        self.until(lambda: self.label(1)[0] == 200, "a label of the first stroke")
        code, words = self.label(100_000_000)
        self.assertEqual(code, 400)
        self.assertIn("100000000", words)
        count = len(self.events("publish_refused"))
        self.assertEqual(count, len({event["topic"] for event in self.events("publish_refused")}), "once each")

        agent.send_signal(signal.SIGTERM)
        self.assertEqual(agent.wait(30), 0)
        self.assertEqual(self.events("broker_lost"), [], "an orderly end is no loss")

    def test_a_plc_that_never_came_is_awaited_and_a_bundle_that_is_gone_is_no_good_reload(self):
        plc = free_port()
        text = self.config().read_text().replace('kind = "none"', f'kind = "modbus-server", port = {plc}')
        config = self.dir / "plc.toml"
        config.write_text(text)
        agent = self.start(BIN / "millwright-agent", "--config", config, out=self.log)
        self.until(lambda: self.events("plc_awaited"), "that nobody came")
        self.assertEqual(self.events("plc_awaited")[0]["error"], f"no PLC has connected to 127.0.0.1:{plc} yet")
        self.assertEqual(self.events("plc_lost"), [])
        config.write_text(text.replace('id = "press"', 'id = "press"\nbundle = "gone.bundle"'))
        agent.send_signal(signal.SIGHUP)
        self.until(lambda: self.events("reloaded_in_part"), "what the reload came to")
        self.assertEqual(self.events("reloaded_in_part")[0]["model_refused"], ["press"])
        self.assertIn("train one", self.events("model_refused")[0]["error"])
        self.assertEqual(self.events("reloaded"), [])

    def openssl(self, *arguments):
        subprocess.run(["/usr/bin/openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60)

    def test_a_certificate_of_another_device_is_told_by_check_and_log(self):
        ca, key = self.dir / "ca.crt", self.dir / "ca.key"
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        self.openssl("req", "-x509", *curve, "-subj", "/CN=box-2", "-keyout", key, "-out", ca)
        key.chmod(0o640)
        tls = f'ca_file = "{ca}"\ncertificate_file = "{ca}"\nkey_file = "{key}"'
        foreign = [line for line in self.check(self.config("box-1", tls)) if "certificate" in line["found"]]
        self.assertEqual(len(foreign), 1)
        self.assertFalse(foreign[0]["good"])
        for word in ("'box-2'", "'box-1'", "alerts never leave"):
            self.assertIn(word, foreign[0]["found"])
        self.assertEqual([line for line in self.check(self.config("box-2", tls)) if "is for" in line["found"]], [])

        agent = self.start(BIN / "millwright-agent", "--config", self.config("box-1", tls), out=self.log)
        self.until(lambda: self.events("certificate_of_another"), "a warning")
        agent.kill()

    def listen(self, *more, seconds):
        listener = subprocess.Popen([BIN / "millwright", "listen", "--host", "127.0.0.1", "--port", str(self.port), *more],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        time.sleep(seconds)
        listener.send_signal(signal.SIGINT)
        told = listener.communicate(timeout=30)[1]
        return listener.returncode, told.splitlines()

    def test_a_listener_that_hears_nothing_says_what_to_look_at(self):
        self.broker("topic write #\n")
        time.sleep(0.5)
        status, told = self.listen(seconds=8)
        self.assertEqual(status, 0)
        self.assertEqual(len([line for line in told if "nothing came in" in line and "list" in line]), 1, told)

    def test_a_listener_without_a_broker_says_so_once(self):
        status, told = self.listen(seconds=3)
        self.assertEqual(status, 3)
        self.assertEqual(len([line for line in told if "Connection refused" in line]), 1, told)


if __name__ == "__main__":
    unittest.main(verbosity=2)
