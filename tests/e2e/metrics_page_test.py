# SPDX-License-Identifier: Apache-2.0
"""A running agent's page of metrics: the agreed names and buckets, good to promtool, and true.

usage: metrics_page_test.py BIN_FOLDER"""
import json, pathlib, re, signal, subprocess, sys, tempfile, time, unittest, urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from ports import free_port  # noqa: E402
import files  # noqa: E402

BIN = pathlib.Path(sys.argv.pop(1)).resolve()

AGENT = """
[agent]
device_id = "box-1"
factory_id = "plant"
line_id = "line"
state = "{state}"

[http]
port = {port}

[[asset]]
id = "press"
bundle = "{bundle}"
deadline_ms = 2000
window = {{ channels = 1, length = 2000, rate_hz = 10000.0 }}
trigger = {{ kind = "external" }}
source = {{ kind = "simulated-press", strokes_per_minute = 180.0, strokes = 0 }}
output = {{ kind = "none", on_no_verdict = "hold", on_start = "stop", on_death = "stop" }}
"""
AGREED = {"edge_inference_latency_ms": "histogram", "edge_inference_total": "counter", "edge_anomaly_alerts_total": "counter",
          "edge_anomaly_score": "gauge", "edge_cpu_usage_percent": "gauge", "edge_memory_usage_percent": "gauge",
          "edge_gpu_usage_percent": "gauge", "edge_device_temperature_c": "gauge", "edge_model_version": "gauge"}
WAIT_S = 60


class Agent:
    def __init__(self, folder, bundle, port):
        config = folder / "agent.toml"
        config.write_text(AGENT.format(state=folder / "state", bundle=bundle, port=port))
        self.log = folder / "agent.log"
        self.url = f"http://127.0.0.1:{port}/metrics"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([BIN / "millwright-agent", "--config", config], stderr=log)

    def page(self):
        return urllib.request.urlopen(self.url, timeout=5).read().decode()

    def page_when(self, good):
        """The first page on which `good` holds."""
        page, end = "", time.monotonic() + WAIT_S
        while time.monotonic() < end:
            try:
                page = self.page()
                if good(page):
                    return page
            except OSError:
                pass
            time.sleep(0.2)
        raise AssertionError(f"not in {WAIT_S} s; the log:\n{self.log.read_text()}\nthe page:\n{page}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


def number(page, series):
    found = re.search("^" + re.escape(series) + r" (\S+)$", page, re.MULTILINE)
    return float(found.group(1)) if found else None


class MetricsPage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.dir = pathlib.Path(cls.temporary.name)
        collect = cls.dir / "collect.toml"
        collect.write_text(AGENT.format(state=cls.dir / "first", bundle="", port=0).replace('bundle = ""\n', "")
                           .replace("strokes = 0", "strokes = 120") + f'collect = {{ folder = "{cls.dir}/windows", windows = 120 }}\n')
        subprocess.run([BIN / "millwright-agent", "--config", collect, "--fast"], check=True, capture_output=True, timeout=120)
        cls.bundle = cls.dir / "press.bundle"
        subprocess.run([BIN / "millwright", "train", "--recordings", cls.dir / "windows", "--rate", "10000", "--out", cls.bundle],
                       check=True, capture_output=True, timeout=300)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=self.dir))
        self.port = free_port()
        self.agent = Agent(self.folder, self.bundle, self.port)
        self.addCleanup(self.agent.process.wait)
        self.addCleanup(self.agent.process.kill)

    def test_agreed_names_are_there_promtool_is_content_and_the_counts_are_true(self):
        labels = 'device_id="box-1",asset_id="press",factory_id="plant"'
        page = self.agent.page_when(lambda page: (number(page, f"edge_inference_total{{{labels}}}") or 0) >= 5)
        for name, kind in AGREED.items():
            self.assertIn(f"# TYPE {name} {kind}\n", page)
        buckets = re.findall(r'^edge_inference_latency_ms_bucket\{.*le="([^"]+)"\}', page, re.MULTILINE)
        self.assertEqual(buckets, ["5", "10", "25", "50", "100", "200", "500", "1000", "+Inf"])
        self.assertEqual(number(page, f"edge_inference_latency_ms_count{{{labels}}}"), number(page, f"edge_inference_total{{{labels}}}"))
        self.assertEqual(number(page, f"edge_strokes_missing{{{labels}}}"), 0)
        self.assertRegex(page, r'edge_model_version\{[^}]*version_string="[0-9a-f]{12}"\} 1\n')
        self.assertIn(f'edge_provider_info{{{labels},provider="CPUExecutionProvider"}} 1\n', page)
        self.assertIn(f'edge_anomaly_alerts_total{{{labels},severity="CRITICAL"}} ', page)
        self.assertTrue(0 < number(page, f"edge_model_age_seconds{{{labels}}}") < 1800, "trained a moment ago")
        self.assertIn(f'edge_asset_info{{{labels},line_id="line"}} 1\n', page)
        box = 'device_id="box-1",factory_id="plant"'
        self.assertEqual(number(page, f"edge_http_connections{{{box}}}"), 1, "this one")
        self.assertGreaterEqual(number(page, f"edge_http_requests_total{{{box}}}"), 1)
        for name in ("edge_http_event_readers", "edge_http_bad_requests_total", "edge_http_connections_refused_total", "edge_http_slow_readers_total"):
            self.assertEqual(number(page, f"{name}{{{box}}}"), 0)
        judged = subprocess.run(["promtool", "check", "metrics"], input=page.encode(), capture_output=True)
        # One agreed name has a unit that promtool's linter would not choose; it may say nothing else.
        self.assertEqual((judged.stdout + judged.stderr).decode().splitlines(),
                         ["edge_inference_latency_ms metric names should not contain abbreviated units"])
        self.assertEqual(self.agent.stop(), 0)
        records = sum(1 for file in (self.folder / "state" / "press" / "records").iterdir() for _ in open(file))
        self.assertGreaterEqual(records, number(page, f"edge_strokes_total{{{labels}}}"))

    def test_a_taken_port_stops_the_page_and_no_decision(self):
        # The first agent has the port.
        self.agent.page_when(lambda page: "edge_strokes_total" in page)
        other = pathlib.Path(tempfile.mkdtemp(dir=self.dir))
        second = Agent(other, self.bundle, self.port)
        self.addCleanup(second.process.kill)
        records = other / "state" / "press" / "records"
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end and not any(file.stat().st_size for file in (records.iterdir() if records.exists() else [])):
            time.sleep(0.2)
        self.assertEqual(second.stop(), 0)
        self.assertTrue(any(file.stat().st_size for file in records.iterdir()), "it decided")
        events = [json.loads(line) for line in second.log.read_text().splitlines()]
        refusals = [event for event in events if event["event"] == "not_listening"]
        self.assertEqual(len(refusals), 1)
        self.assertIn("another program", refusals[0]["error"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
