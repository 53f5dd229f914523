# SPDX-License-Identifier: Apache-2.0
"""Every query of every dashboard of deploy/grafana, asked of a real Prometheus that has scraped a real agent under the rules
of deploy/prometheus: each parses and gives data.

usage: dashboards_test.py BIN_FOLDER DEPLOY_FOLDER"""
import json, pathlib, re, signal, subprocess, sys, tempfile, time, unittest, urllib.error, urllib.parse, urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from ports import free_port  # noqa: E402
from press import trained_bundle  # noqa: E402

BIN = pathlib.Path(sys.argv[1]).resolve()
DEPLOY = pathlib.Path(sys.argv[2]).resolve()
del sys.argv[1:3]
WAIT_S = 60

AGENT = """
[agent]
device_id = "box-1"
factory_id = "plant"
line_id = "line-1"
state = "{folder}/state"
[http]
port = {http}
[mqtt]
host = "127.0.0.1"
port = {nobody}
ca_file = "{folder}/box.crt"
certificate_file = "{folder}/box.crt"
key_file = "{folder}/box.key"
[[asset]]
id = "press"
bundle = "{bundle}"
deadline_ms = 2000
window = {{ channels = 1, length = 2000, rate_hz = 10000.0 }}
trigger = {{ kind = "external" }}
source = {{ kind = "simulated-press", strokes_per_minute = 200.0 }}
output = {{ kind = "modbus-server", port = {modbus}, on_no_verdict = "hold", on_start = "stop", on_death = "stop" }}
"""
PROMETHEUS = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}/millwright.recording.yml", "{rules}/millwright.alerts.yml"]
scrape_configs:
  - job_name: millwright
    static_configs: [{{targets: ["127.0.0.1:{http}"]}}]
"""
# What Grafana puts in for its own variables; a variable of the dashboard is "all".
BUILT_IN = {"__rate_interval": "20s", "__interval": "5s", "__range": "60s"}


def dashboards():
    return {file.name: json.loads(file.read_text()) for file in sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))}


def variables(dashboard):
    return {one["name"]: one for one in dashboard["templating"]["list"]}


def filled(text, dashboard):
    def value(match):
        name = match.group(1) or match.group(2)
        if name in BUILT_IN:
            return BUILT_IN[name]
        return variables(dashboard)[name]["allValue"]
    return re.sub(r"\$\{(\w+)\}|\$(\w+)", value, text)


class Prometheus:
    def __init__(self, folder, http):
        self.url = f"http://127.0.0.1:{free_port()}"
        (folder / "prometheus.yml").write_text(PROMETHEUS.format(rules=DEPLOY / "prometheus", http=http))
        self.log = open(folder / "prometheus.log", "wb")
        self.process = subprocess.Popen(["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
                                         f"--web.listen-address={self.url[7:]}"], stdout=self.log, stderr=self.log)

    def ask(self, query):
        """The series that the query gives now; an error where it does not parse."""
        with urllib.request.urlopen(f"{self.url}/api/v1/query?" + urllib.parse.urlencode({"query": query}), timeout=10) as answer:
            return json.load(answer)["data"]["result"]


class Dashboards(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        folder = pathlib.Path(temporary.name)
        bundle = trained_bundle(BIN, folder)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=box-1", "-days", "90",
                        "-keyout", folder / "box.key", "-out", folder / "box.crt"], check=True, capture_output=True)
        (folder / "box.key").chmod(0o600)
        cls.http = free_port()
        (folder / "agent.toml").write_text(AGENT.format(folder=folder, bundle=bundle, http=cls.http, nobody=free_port(), modbus=free_port()))
        log = open(folder / "agent.log", "wb")
        cls.addClassCleanup(log.close)
        cls.agent = subprocess.Popen([BIN / "millwright-agent", "--config", folder / "agent.toml"], stderr=log)
        cls.addClassCleanup(cls.agent.wait)
        cls.addClassCleanup(cls.agent.kill)
        cls.prometheus = Prometheus(folder, cls.http)
        cls.addClassCleanup(cls.prometheus.log.close)
        cls.addClassCleanup(cls.prometheus.process.wait)
        cls.addClassCleanup(cls.prometheus.process.send_signal, signal.SIGTERM)
        end = time.monotonic() + WAIT_S
        # A rate needs a few scrapes; the ratio of deadlines comes last, out of two recording rules.
        while time.monotonic() < end:
            try:
                if cls.prometheus.ask("asset:edge_verdict_latency:deadline_ratio_5m > 0") and cls.prometheus.ask("edge_inference_total > 10"):
                    return
            except OSError:
                pass
            time.sleep(0.5)
        raise AssertionError(f"no figures in {WAIT_S} s: {(folder / 'agent.log').read_text()[-2000:]} {(folder / 'prometheus.log').read_text()[-2000:]}")

    def test_every_query_gives_data(self):
        asked = 0
        for name, dashboard in dashboards().items():
            for panel in dashboard["panels"]:
                self.assertTrue(panel["targets"], f"{name}: {panel['title']}")
                for target in panel["targets"]:
                    query = filled(target["expr"], dashboard)
                    with self.subTest(dashboard=name, panel=panel["title"], query=query):
                        try:
                            self.assertTrue(self.prometheus.ask(query), "no data")
                        except urllib.error.HTTPError as error:
                            self.fail(json.load(error)["error"])
                    asked += 1
        self.assertGreater(asked, 60)

    def test_certificate_and_plc_say_what_is_true(self):
        (left,) = self.prometheus.ask("edge_certificate_seconds_left")
        self.assertAlmostEqual(float(left["value"][1]), 90 * 86400, delta=600)
        for query, expected in {"edge_plc_connected": 0, "edge_plc_transactions_total": 0, "edge_mqtt_connected": 0}.items():
            (found,) = self.prometheus.ask(query)
            self.assertEqual(float(found["value"][1]), expected, query)

    def test_every_variable_has_values(self):
        for name, dashboard in dashboards().items():
            for variable in variables(dashboard).values():
                series, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"]).groups()
                with self.subTest(dashboard=name, variable=variable["name"]):
                    found = self.prometheus.ask(f"group by ({label}) ({filled(series, dashboard)})")
                    self.assertTrue([one for one in found if one["metric"].get(label)])

    def test_a_wrong_query_would_be_caught(self):
        self.assertEqual(self.prometheus.ask("edge_anomaly_scores"), [])
        with self.assertRaises(urllib.error.HTTPError):
            self.prometheus.ask("sum(edge_anomaly_score")

    def test_dashboards_fit_their_provisioning(self):
        datasource = (DEPLOY / "grafana" / "provisioning" / "datasources" / "millwright.yaml").read_text()
        uid = re.search(r"^    uid: (\S+)$", datasource, re.M).group(1)
        uids = [dashboard["uid"] for dashboard in dashboards().values()]
        self.assertEqual(len(uids), len(set(uids)))
        self.assertGreaterEqual(len(uids), 4)
        for name, dashboard in dashboards().items():
            ids = [panel["id"] for panel in dashboard["panels"]]
            self.assertEqual(len(ids), len(set(ids)), name)
            taken = set()
            for panel in dashboard["panels"]:
                self.assertEqual({target["datasource"]["uid"] for target in panel["targets"]} | {panel["datasource"]["uid"]}, {uid}, name)
                at = panel["gridPos"]
                cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
                self.assertFalse(cells & taken, f"{name}: {panel['title']} lies upon another panel")
                self.assertLessEqual(at["x"] + at["w"], 24)
                taken |= cells

    def test_the_shipped_scrape_has_the_name_by_which_rules_and_dashboards_tell_a_box(self):
        self.assertIn("job_name: millwright\n", (DEPLOY / "prometheus" / "prometheus.yml").read_text())


if __name__ == "__main__":
    unittest.main(verbosity=2)
