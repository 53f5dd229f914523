# SPDX-License-Identifier: Apache-2.0
"""millwright prune as an ML engineer uses it: by each criterion, with a scan of what each layer can lose, on samples of every
kind, and what it says where the input is wrong.

usage: prune_test.py BIN_FOLDER"""
import json, pathlib, random, struct, subprocess, sys, tempfile, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import files, tiny_onnx as onnx  # noqa: E402

BIN = pathlib.Path(sys.argv.pop(1)).resolve()
INPUTS, HIDDEN, CLASSES, SAMPLES = 16, 20, 4, 100


def run(*arguments):
    return subprocess.run([str(a) for a in (BIN / "millwright", *arguments)], capture_output=True, text=True, timeout=120)


def floats(count, seed, scale):
    rng = random.Random(seed)
    return [rng.gauss(0, scale) for _ in range(count)]


def constant(name, dims, seed):
    count = dims[0] * (dims[1] if len(dims) > 1 else 1)
    return onnx.tensor(name, onnx.FLOAT, dims, struct.pack(f"<{count}f", *floats(count, seed, 0.5)))


def network():
    """INPUTS values through two hidden layers to CLASSES."""
    nodes = [onnx.node("Gemm", ["x", "w1", "b1"], ["h1"]), onnx.node("Relu", ["h1"], ["r1"]),
             onnx.node("Gemm", ["r1", "w2", "b2"], ["h2"]).replace(b"n_Gemm", b"n_Next"), onnx.node("Relu", ["h2"], ["r2"]).replace(b"n_Relu", b"n_Late"),
             onnx.node("Gemm", ["r2", "w3", "b3"], ["y"]).replace(b"n_Gemm", b"n_Last")]
    constants = [constant("w1", [INPUTS, HIDDEN], 1), constant("b1", [HIDDEN], 2), constant("w2", [HIDDEN, HIDDEN], 3),
                 constant("b2", [HIDDEN], 4), constant("w3", [HIDDEN, CLASSES], 5), constant("b3", [CLASSES], 6)]
    return onnx.model(onnx.graph(nodes, [onnx.value_info("x", onnx.FLOAT, ["batch", INPUTS])],
                                 [onnx.value_info("y", onnx.FLOAT, ["batch", CLASSES])], constants))


class Prune(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.dir = pathlib.Path(self.folder.name)
        self.model = self.dir / "model.onnx"
        self.model.write_bytes(network())
        values = floats(SAMPLES * INPUTS, 7, 1.0)
        self.data = self.dir / "data.npy"
        files.write_npy(self.data, values, (SAMPLES, INPUTS))
        self.raw = self.dir / "data.raw"
        self.raw.write_bytes(struct.pack(f"<{len(values)}f", *values))
        self.parts = self.dir / "parts"
        self.parts.mkdir()
        half = len(self.raw.read_bytes()) // 2
        (self.parts / "a.bin").write_bytes(self.raw.read_bytes()[:half])
        (self.parts / "b.bin").write_bytes(self.raw.read_bytes()[half:])
        self.out = self.dir / "out.onnx"

    def prune(self, *more, model=None):
        return run("prune", model or self.model, "--ratio", 0.3, "--out", self.out, *more)

    def refused(self, done, *says):
        self.assertEqual(done.returncode, 2, (done.stdout, done.stderr))
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        for word in says:
            self.assertIn(word, done.stderr)
        self.assertFalse(self.out.exists(), "nothing may be written")

    def test_each_criterion_takes_the_same_number_of_other_channels(self):
        written = set()
        for criterion in ("l1", "l2", "activation"):
            more = ("--calibration", self.data) if criterion == "activation" else ()
            done = self.prune("--criterion", criterion, *more, "--json")
            self.assertEqual(done.returncode, 0, done.stderr)
            report = json.loads(done.stdout)
            self.assertEqual(report["criterion"], criterion)
            self.assertEqual([layer["channels_left"] for layer in report["layers"]], [14, 14, CLASSES])
            written.add(self.out.read_bytes())
        self.assertGreater(len(written), 1, "not all measures can agree on these weights")

    def test_the_scan_shows_what_each_layer_can_lose_and_writes_nothing(self):
        done = run("prune", self.model, "--scan", "--validation", self.data, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        groups = json.loads(done.stdout)["groups"]
        self.assertEqual([group["channels"] for group in groups], [HIDDEN, HIDDEN, CLASSES])
        self.assertEqual([step["ratio"] for step in groups[0]["steps"]], [0.1, 0.3, 0.5, 0.7])
        self.assertGreater(groups[0]["steps"][3]["drop"], groups[0]["steps"][0]["drop"])
        self.assertEqual(groups[2]["steps"], [], "the model's output keeps its shape")
        text = run("prune", self.model, "--scan", "--validation", self.data)
        self.assertIn("n_Next", text.stdout)
        self.assertFalse(self.out.exists())

    def test_raw_samples_are_the_same_samples(self):
        say = []
        for data in ((self.data,), (self.raw, "--shape", INPUTS), (self.parts, "--shape", INPUTS)):
            done = self.prune("--criterion", "activation", "--calibration", data[0], "--validation", *data, "--max-drop", 100, "--json")
            self.assertEqual(done.returncode, 0, done.stderr)
            say.append((json.loads(done.stdout)["gate"], self.out.read_bytes()))
        self.assertEqual(say[0], say[1])
        self.assertEqual(say[0], say[2])
        done = run("compare", self.model, self.out, "--data", self.raw, "--shape", INPUTS, "--json")
        self.assertEqual(json.loads(done.stdout), say[0][0])
        done = run("quantize", self.model, "--calibration", self.parts, "--shape", INPUTS, "--out", self.out)
        self.assertEqual(done.returncode, 0, done.stderr)
        first = self.out.read_bytes()
        self.assertEqual(run("quantize", self.model, "--calibration", self.data, "--out", self.out).returncode, 0)
        self.assertEqual(self.out.read_bytes(), first)

    def test_wrong_input_is_refused_in_one_line(self):
        self.refused(self.prune("--criterion", "l3"), "l1, l2, bn or activation")
        self.refused(self.prune("--criterion", "bn"), "no BatchNormalization", "l1")
        self.refused(self.prune("--criterion", "activation"), "--calibration")
        self.refused(self.prune("--calibration", self.data), "--criterion activation")
        self.refused(run("prune", self.model, "--ratio", 0.3), "--out")
        self.refused(run("prune", self.model, "--scan"), "--validation")
        self.refused(self.prune("--validation", self.raw), "--shape")
        self.refused(self.prune("--validation", self.raw, "--shape", 17), "6400 bytes", "68")
        self.refused(self.prune("--validation", self.raw, "--shape", "4x4"), "(4, 4)", "16) for one")
        self.refused(self.prune("--validation", self.raw, "--shape", "4y4"), "'4y4'")
        self.refused(self.prune("--validation", self.raw, "--shape", INPUTS, "--dtype", "text"), "'text'", "float32")
        self.refused(self.prune("--validation", self.data, "--shape", INPUTS), "data.npy")
        quantised = self.dir / "quantised.onnx"
        self.assertEqual(run("quantize", self.model, "--calibration", self.data, "--out", quantised).returncode, 0)
        self.refused(self.prune(model=quantised), "Linear", "then quantise")


if __name__ == "__main__":
    unittest.main(verbosity=2)
