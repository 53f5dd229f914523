# SPDX-License-Identifier: Apache-2.0
"""Every alert of deploy/prometheus fires for what it is about, resolves when that is over, and stays silent for a healthy
box: Prometheus' own rule engine, on series that are written here.

usage: alert_rules_test.py DEPLOY_PROMETHEUS_FOLDER"""
import json, pathlib, re, shutil, subprocess, sys, tempfile, unittest

RULES = pathlib.Path(sys.argv.pop(1)).resolve()
LABELS = 'device_id="box-1",asset_id="press",factory_id="plant"'
BOX = 'device_id="box-1",factory_id="plant"'
TARGET = 'job="millwright",instance="box-1:8000"'

# Minutes: an hour of health, half an hour of trouble, an hour and more of health. A gauge is a level; a counter has a
# step per minute in each of the three.
HEALTH, TROUBLE, AFTER = 60, 90, 180


def gauge(series, good, bad):
    return [(series, f"{good}x{HEALTH - 1} {bad}x{TROUBLE - HEALTH - 1} {good}x{AFTER - TROUBLE}")]


def counter(series, good, bad):
    a, b = good * HEALTH, good * HEALTH + bad * (TROUBLE - HEALTH)
    return [(series, f"0+{good}x{HEALTH - 1} {a}+{bad}x{TROUBLE - HEALTH - 1} {b}+{good}x{AFTER - TROUBLE}")]


def latency(bad_bucket):
    """18 strokes a minute; in trouble they take longer than any bucket but `bad_bucket`."""
    series = []
    for bound in ("0.25", "0.5", "1", "2", "3.3", "5", "+Inf"):
        late = bound not in ("+Inf",) and float(bound) < bad_bucket
        series += counter(f'edge_verdict_latency_seconds_bucket{{{LABELS},le="{bound}"}}', 18, 0 if late else 18)
    return series + gauge(f"edge_deadline_seconds{{{LABELS}}}", "3.3+0", "3.3+0")


CASES = {
    "DeviceDown": gauge(f"up{{{TARGET}}}", "1+0", "0+0"),
    "LatencyNearDeadline": latency(3.3),
    "DeadlineMissed": counter(f"edge_deadline_misses_total{{{LABELS}}}", 0, 1),
    "StrokesMissing": gauge(f"edge_strokes_missing{{{LABELS}}}", "0+0", "2+0"),
    "PlcLinkLost": gauge(f"edge_plc_connected{{{LABELS}}}", "1+0", "0+0"),
    "PlcCyclesMissed": counter(f"edge_plc_cycles_missed_total{{{LABELS}}}", 0, 1),
    "NoVerdicts": counter(f'edge_verdicts_total{{{LABELS},verdict="NO_VERDICT"}}', 0, 9) + counter(f'edge_verdicts_total{{{LABELS},verdict="GO"}}', 18, 9),
    "SensorFault": counter(f'edge_sensor_faults_total{{{LABELS},ne107="failure"}}', 0, 18),
    "ThermalThrottling": counter(f"edge_thermal_throttles_total{{{BOX}}}", 0, 3),
    "DeviceHot": gauge(f"edge_device_temperature_c{{{BOX}}}", "55+0", "90+0"),
    "JournalFailing": counter(f"edge_journal_failures_total{{{LABELS}}}", 0, 1),
    "ProviderRungChanged": gauge(f"edge_provider_rung{{{LABELS}}}", "1+0", "3+0"),
    "ModelTooOld": gauge(f"edge_model_age_seconds{{{LABELS}}}", "86400+0", "8000000+0"),
    "CertificateEnding": gauge(f"edge_certificate_seconds_left{{{BOX}}}", "5000000+0", "900000+0"),
    "BrokerAway": gauge(f"edge_mqtt_connected{{{BOX}}}", "1+0", "0+0"),
    "MessagesRefused": counter(f"edge_mqtt_refused_total{{{BOX}}}", 0, 2),
    "OutboxClosed": gauge(f"edge_outbox_open{{{BOX}}}", "1+0", "0+0"),
    "OutboxDamaged": counter(f"edge_outbox_read_failures_total{{{BOX}}}", 0, 1) + counter(f"edge_outbox_quarantined_total{{{BOX}}}", 0, 0),
    "OutboxHeadroomLow": gauge(f'edge_outbox_headroom_seconds{{{BOX},stream="scores"}}', "259200+0", "3600+0"),
    "MessagesDropped": counter(f'edge_outbox_dropped_total{{{BOX},stream="scores",reason="full"}}', 0, 5),
    "ProcessAlarm": gauge(f"edge_alarm_active{{{LABELS}}}", "0+0", "1+0"),
    "DieWearing": gauge(f"edge_strokes_left{{{LABELS}}}", "NaN+0", "400+0"),
}
# A rule that waits an hour needs trouble that lasts longer.
LONG = {"ModelTooOld", "CertificateEnding"}
# Those of its configuration that we use (prometheus.io/docs/alerting/latest/configuration).
ALERTMANAGER_KEYS = {"route", "receiver", "group_by", "group_wait", "group_interval", "repeat_interval", "routes", "matchers", "inhibit_rules",
                     "source_matchers", "target_matchers", "equal", "receivers", "name"}


def case(alert):
    """A test for promtool: silent, firing, silent."""
    minutes, series = (HEALTH - 1, TROUBLE - 1, AFTER - 1), CASES[alert]
    if alert in LONG:
        series = [(s, v.replace(f"x{TROUBLE - HEALTH - 1} ", "x119 ")) for s, v in series]
        minutes = (HEALTH - 1, HEALTH + 110, HEALTH + 119 + 60)
    return question(series, alert, zip(minutes, (0, 1, 0)))


def question(series, alert, expected):
    expression = f'sum(ALERTS{{alertname="{alert}",alertstate="firing"}}) or vector(0)'
    return {"interval": "1m", "name": alert, "input_series": [{"series": s, "values": v} for s, v in series],
            "promql_expr_test": [{"expr": expression, "eval_time": f"{minute}m", "exp_samples": [{"labels": "{}", "value": value}]}
                                 for minute, value in expected]}


def evaluate(tests):
    """Prometheus' opinion."""
    whole = {"rule_files": [str(RULES / "millwright.recording.yml"), str(RULES / "millwright.alerts.yml")],
             "evaluation_interval": "1m", "tests": tests}
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        json.dump(whole, file)  # JSON is YAML
        file.flush()
        return subprocess.run(["promtool", "test", "rules", file.name], capture_output=True, text=True)


class AlertRules(unittest.TestCase):
    def test_rules_and_configurations_are_valid(self):
        for kind, name in (("rules", "millwright.recording.yml"), ("rules", "millwright.alerts.yml"), ("config", "prometheus.yml")):
            judged = subprocess.run(["promtool", "check", kind, RULES / name], capture_output=True, text=True)
            self.assertEqual(judged.returncode, 0, judged.stdout + judged.stderr)

    def test_every_alert_has_a_case_and_an_action(self):
        text = (RULES / "millwright.alerts.yml").read_text()
        self.assertEqual(sorted(re.findall(r"- alert: (\w+)", text)), sorted(CASES))
        self.assertEqual(text.count("action:"), len(CASES))

    def test_every_alert_fires_and_resolves(self):
        judged = evaluate([case(alert) for alert in CASES])
        self.assertEqual(judged.returncode, 0, judged.stdout + judged.stderr)

    def test_routes_lead_to_receivers_and_name_alerts_that_exist(self):
        file = RULES / "alertmanager.yml"
        if shutil.which("amtool"):
            judged = subprocess.run(["amtool", "check-config", file], capture_output=True, text=True)
            self.assertEqual(judged.returncode, 0, judged.stdout + judged.stderr)
        text = re.sub(r"#.*", "", file.read_text())
        defined = re.findall(r"- name: (\w+)", text)
        self.assertEqual(len(defined), len(set(defined)))
        self.assertEqual(set(re.findall(r"receiver: (\w+)", text)), set(defined), "every route leads somewhere, every receiver is reached")
        named = re.findall(r"""alertname(?:=~|!=|=)"([\w|]+)\"""", text)
        self.assertEqual(set("|".join(named).split("|")) - set(CASES), set())
        self.assertEqual(set(re.findall(r"^[\s-]*(\w+):", text, re.M)) - ALERTMANAGER_KEYS, set(), "a key that Alertmanager does not know")
        for interval in re.findall(r"(?:wait|interval): (.*)", text):
            self.assertRegex(interval, r"^(\d+[smhd])+$")

    def test_what_a_rule_sums_up_keeps_the_instance_that_silences_it(self):
        """A box that is down inhibits its other alerts by `instance`: an aggregation without it is never inhibited."""
        for name in ("millwright.recording.yml", "millwright.alerts.yml"):
            grouped = re.findall(r"\b(?:by|on) \(([^)]*)\)", re.sub(r"#.*", "", (RULES / name).read_text()))
            self.assertTrue(grouped, name)
            for labels in grouped:
                self.assertIn("instance", [label.strip() for label in labels.split(",")], f"{name}: by ({labels})")

    def test_a_certificate_that_cannot_be_read_fires_too(self):
        broken = gauge(f"edge_certificate_seconds_left{{{BOX}}}", "5000000+0", "NaN+0")
        broken = [(s, v.replace(f"x{TROUBLE - HEALTH - 1} ", "x119 ")) for s, v in broken]
        judged = evaluate([question(broken, "CertificateEnding", [(HEALTH - 1, 0), (HEALTH + 110, 1)])])
        self.assertEqual(judged.returncode, 0, judged.stdout + judged.stderr)

    def test_a_rule_that_stays_silent_would_be_noticed(self):
        healthy = gauge(f"edge_strokes_missing{{{LABELS}}}", "0+0", "0+0")
        self.assertNotEqual(evaluate([question(healthy, "StrokesMissing", [(TROUBLE - 1, 1)])]).returncode, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
