# SPDX-License-Identifier: Apache-2.0
"""The provider ladder of a running agent: who serves, why the others do not, and what asking them costs.

usage: providers_test.py BIN_FOLDER"""
import json, pathlib, subprocess, sys, tempfile, time, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import press  # noqa: E402

BIN = pathlib.Path(sys.argv.pop(1)).resolve()
AGENT = """
[agent]
device_id = "box-1"
factory_id = "plant"
line_id = "line"
state = "{folder}/state"
[inference]
{inference}
[http]
enabled = false
[[asset]]
id = "press"
bundle = "{bundle}"
deadline_ms = 2000
window = {{ channels = 1, length = 2000, rate_hz = 10000.0 }}
trigger = {{ kind = "external" }}
source = {{ kind = "simulated-press", strokes_per_minute = 180.0, strokes = {strokes} }}
output = {{ kind = "none", on_no_verdict = "hold", on_start = "stop", on_death = "stop" }}
"""
ALL = 'providers = ["tensorrt", "cuda", "openvino", "cpu"]'
HAS_GPU = pathlib.Path("/dev/nvidiactl").exists()


class Providers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.dir = pathlib.Path(cls.temporary.name)
        cls.bundle = press.trained_bundle(BIN, cls.dir)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def config(self, inference, strokes=12):
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.dir))
        (folder / "agent.toml").write_text(AGENT.format(folder=folder, inference=inference, bundle=self.bundle, strokes=strokes))
        return folder

    def run_agent(self, inference):
        folder = self.config(inference)
        run = subprocess.run([BIN / "millwright-agent", "--config", folder / "agent.toml"], capture_output=True, text=True, timeout=60)
        self.assertEqual(run.returncode, 0, run.stderr)
        events = [json.loads(line) for line in run.stderr.splitlines()]
        status = json.loads((folder / "state" / "status.json").read_text())
        lines = [line for file in sorted((folder / "state" / "press" / "records").iterdir()) for line in file.read_text().splitlines()]
        return events, status["assets"][0]["providers"], [json.loads(line[line.index("{"):]) for line in lines]

    @unittest.skipIf(HAS_GPU, "this machine has a GPU")
    def test_the_cpu_serves_and_record_status_and_log_say_who_and_why(self):
        events, providers, records = self.run_agent(ALL)
        self.assertEqual([(p["provider"], p["state"]) for p in providers],
                         [("TensorrtExecutionProvider", "unavailable"), ("CUDAExecutionProvider", "unavailable"),
                          ("OpenVINOExecutionProvider", "unavailable"), ("CPUExecutionProvider", "serving")])
        for rung in providers[:3]:
            self.assertIn("out of the list of providers", rung["why"])
        tried = [event for event in events if event["event"] == "providers_tried"]
        self.assertEqual([event["providers"] for event in tried], [providers])
        judged = [record for record in records if record["verdict"] != "NO_VERDICT"]
        self.assertTrue(judged)
        self.assertEqual({record["provider"] for record in judged}, {"CPUExecutionProvider"})

    @unittest.skipIf(HAS_GPU, "this machine has a GPU")
    def test_without_the_cpu_in_the_list_nothing_serves_and_the_records_say_so(self):
        events, _, records = self.run_agent('providers = ["cuda"]')
        self.assertIn("no provider of the list serves", str([e for e in events if e["event"] == "model_not_loaded"]))
        self.assertEqual({record["verdict"] for record in records}, {"NO_VERDICT"})

    def test_check_names_each_rung(self):
        folder = self.config(ALL)
        run = subprocess.run([BIN / "millwright-agent", "--config", folder / "agent.toml", "--check"], capture_output=True, text=True, timeout=60)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        self.assertRegex(run.stdout, r"asset 'press': providers: \w+ExecutionProvider serves, P95 [0-9.]+ ms")
        if not HAS_GPU:
            self.assertIn("unavailable: CUDAExecutionProvider: ", run.stdout)

    def compile(self, profile, out, model=None):
        run = subprocess.run([BIN / "millwright", "compile", model or self.bundle, "--profile", profile, "--out", out, "--json"],
                             capture_output=True, text=True, timeout=120)
        return run.returncode, json.loads(run.stdout) if run.stdout else run.stderr

    def test_compile_builds_what_the_machine_can_and_says_what_is_missing(self):
        out = pathlib.Path(tempfile.mkdtemp(dir=self.dir))
        status, report = self.compile("x86-64-cpu-int8", out)
        self.assertEqual((status, report["complete"]), (0, True))
        built = out / report["rungs"][0]["folder"] / "model.ort"
        first = built.read_bytes()
        self.assertGreater(report["rungs"][0]["built_load_ms"], 0)
        built.write_bytes(b"half of it")
        self.assertEqual(self.compile("x86-64-cpu-int8", out)[0], 0)
        self.assertGreater(len(built.read_bytes()), 0.9 * len(first), "made anew")
        if not HAS_GPU:
            status, report = self.compile("jetson-agx-orin-int8", out)
            self.assertEqual([rung["built"] for rung in report["rungs"]], [False, False, True])
            self.assertEqual(status, 1)
            self.assertIn("libonnxruntime_providers_", report["rungs"][0]["why"])
        self.assertEqual(json.loads((out / "compiled.json").read_text()), report)

    def test_compile_refuses_what_it_cannot_know(self):
        out = pathlib.Path(tempfile.mkdtemp(dir=self.dir))
        status, words = self.compile("toaster", out)
        self.assertEqual(status, 2)
        self.assertIn("rpi-cm4-cpu", words)
        nothing = self.dir / "nothing.onnx"
        nothing.write_bytes(b"not a model")
        status, words = self.compile("x86-64-cpu-int8", out, nothing)
        self.assertEqual(status, 2)
        self.assertIn("not an ONNX file", words)

    def test_what_is_wrong_in_the_section_is_named(self):
        for inference, words in [('providers = ["gpu"]', "'gpu' is no execution provider"), ('providers = []', "at least one"),
                                 ('profile = "toaster"', "jetson-agx-orin-int8"), ('providers = ["cpu", "cpu"]', "twice"),
                                 ('workspace = 3', "unknown key")]:
            folder = self.config(inference)
            run = subprocess.run([BIN / "millwright-agent", "--config", folder / "agent.toml"], capture_output=True, text=True, timeout=60)
            self.assertEqual(run.returncode, 2, inference)
            self.assertIn(words, run.stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[1:]])
