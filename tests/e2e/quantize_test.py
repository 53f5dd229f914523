# SPDX-License-Identifier: Apache-2.0
"""millwright quantize and compare as an ML engineer uses them: files in, a smaller model and its proof out, and what happens
where the gate does not hold or the input is wrong.

usage: quantize_test.py BIN_FOLDER"""
import json, pathlib, random, struct, subprocess, sys, tempfile, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import files, tiny_onnx as onnx  # noqa: E402

BIN = pathlib.Path(sys.argv.pop(1)).resolve()
INPUTS, HIDDEN, CLASSES = 16, 24, 4


def run(*arguments):
    return subprocess.run([str(a) for a in (BIN / "millwright", *arguments)], capture_output=True, text=True, timeout=120)


def floats(count, seed, scale=0.5):
    rng = random.Random(seed)
    return [rng.gauss(0, scale) for _ in range(count)]


def constant(name, dims, seed):
    count = 1
    for d in dims:
        count *= d
    return onnx.tensor(name, onnx.FLOAT, dims, struct.pack(f"<{count}f", *floats(count, seed)))


def network(opset=17, batch="batch"):
    """Gemm, Relu, Gemm: INPUTS values to CLASSES."""
    nodes = [onnx.node("Gemm", ["x", "w1", "b1"], ["h"]), onnx.node("Relu", ["h"], ["r"]), onnx.node("Gemm", ["r", "w2", "b2"], ["y"])]
    nodes[2] = nodes[2].replace(b"n_Gemm", b"n_Last")
    constants = [constant("w1", [INPUTS, HIDDEN], 1), constant("b1", [HIDDEN], 2), constant("w2", [HIDDEN, CLASSES], 3), constant("b2", [CLASSES], 4)]
    return onnx.model(onnx.graph(nodes, [onnx.value_info("x", onnx.FLOAT, [batch, INPUTS])],
                                 [onnx.value_info("y", onnx.FLOAT, [batch, CLASSES])], constants), opset)


class Quantize(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.dir = pathlib.Path(self.folder.name)
        self.model = self.dir / "model.onnx"
        self.model.write_bytes(network())
        self.data = self.dir / "data.npy"
        files.write_npy(self.data, floats(200 * INPUTS, 5, 1.0), (200, INPUTS))
        self.out = self.dir / "out.onnx"

    def quantize(self, *more, model=None):
        return run("quantize", model or self.model, "--calibration", self.data, "--out", self.out, *more)

    def refused(self, done, *says):
        self.assertEqual(done.returncode, 2, (done.stdout, done.stderr))
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        for word in says:
            self.assertIn(word, done.stderr)
        self.assertFalse(self.out.exists(), "nothing may be written")

    def test_every_method_gives_integer_kernels_and_the_same_bytes_twice(self):
        for method in ("minmax", "entropy", "percentile", "mse"):
            done = self.quantize("--method", method, "--validation", self.data, "--max-drop", 5, "--json")
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            report = json.loads(done.stdout)
            self.assertEqual((report["integer_kernels"], report["quantizable"], report["float_kernels"]), (2, 2, 0))
            self.assertEqual((report["unfused_conv"], report["missing_kernels"], report["float_kernel_nodes"]), (0, 0, []))
            self.assertGreaterEqual(report["gate"]["agreement"], 0.95)
            first = self.out.read_bytes()
            self.assertEqual(self.quantize("--method", method).returncode, 0)
            self.assertEqual(self.out.read_bytes(), first)
        record = json.loads(pathlib.Path(f"{self.out}.calibration.json").read_text())
        self.assertEqual(record["method"], "mse")
        self.assertTrue(pathlib.Path(f"{self.out}.calibration.cache").read_text().startswith("TRT-"))

    def test_a_gate_that_does_not_hold_writes_nothing_and_says_what_to_try(self):
        done = self.quantize("--validation", self.data, "--max-drop", -1)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("NOT HELD", done.stdout)
        self.assertIn("try --method", done.stdout)
        self.assertFalse(self.out.exists())

    def test_a_named_layer_stays_in_float(self):
        done = self.quantize("--float-layers", "n_Last", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["quantizable"], 1)
        self.out.unlink()
        self.refused(self.quantize("--float-layers", "n_Lost"), "n_Lost", "n_Last")

    def test_a_record_stands_in_for_calibration_where_its_key_fits(self):
        record = self.dir / "ranges.json"
        first = self.quantize("--calibration-record", record, "--json")
        self.assertEqual(first.returncode, 0, first.stderr)
        self.assertFalse(json.loads(first.stdout)["calibration_reused"])
        written, model = record.read_bytes(), self.out.read_bytes()
        again = self.quantize("--calibration-record", record)
        self.assertIn("nothing was calibrated", again.stdout)
        self.assertEqual((record.read_bytes(), self.out.read_bytes()), (written, model))
        table = pathlib.Path(f"{self.out}.calibration.flatbuffers").read_bytes()
        for name in json.loads(written)["ranges"]:
            self.assertIn(name.encode(), table)
        # What was measured is what is used: other ranges under the same key give another model.
        other = json.loads(written)
        other["ranges"] = {name: [2 * low, 2 * high] for name, (low, high) in other["ranges"].items()}
        record.write_text(json.dumps(other))
        self.assertEqual(self.quantize("--calibration-record", record).returncode, 0)
        self.assertNotEqual(self.out.read_bytes(), model)
        for more, part in ((("--method", "minmax"), "method"), ((), "samples or their preprocessing, method")):
            if not more:
                files.write_npy(self.data, floats(200 * INPUTS, 6, 1.0), (200, INPUTS))
            done = self.quantize("--calibration-record", record, *more)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(f"was of another {part}", done.stdout)
        record.write_bytes(written[: len(written) // 2])
        self.out.unlink()
        self.refused(self.quantize("--calibration-record", record), "ranges.json", "remove it to calibrate anew")

    def test_equalised_weights_belong_to_the_key_and_the_answers_stay(self):
        record = self.dir / "ranges.json"
        self.assertEqual(self.quantize("--calibration-record", record).returncode, 0)
        plain = self.out.read_bytes()
        done = self.quantize("--calibration-record", record, "--equalize", "--validation", self.data, "--max-drop", 5)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("was of another --equalize", done.stdout)
        self.assertIn("1 pairs of layers equalised", done.stdout)
        self.assertNotEqual(self.out.read_bytes(), plain)

    def test_half_precision(self):
        done = self.quantize("--precision", "fp16", "--validation", self.data, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["gate"]["agreement"], 1.0)
        self.assertLess(self.out.stat().st_size, self.model.stat().st_size)

    def test_compare_counts_classes_against_labels(self):
        self.assertEqual(self.quantize().returncode, 0)
        labels = self.dir / "labels.txt"
        labels.write_text("0\n" * 200)
        done = run("compare", self.model, self.out, "--data", self.data, "--labels", labels, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual(report["metric"], "accuracy")
        self.assertEqual(sorted(report), ["agreement", "drop", "drop_ci95", "max_abs_diff", "metric", "metric_a", "metric_b", "n"])
        self.assertLessEqual(report["drop_ci95"][0], report["drop"])
        labels.write_text("0\n" * 199)
        self.refused_compare(labels, "199 labels for 200 samples")
        labels.write_text("0\n" * 199 + "good\n")
        self.refused_compare(labels, "line 200")

    def refused_compare(self, labels, says):
        done = run("compare", self.model, self.out, "--data", self.data, "--labels", labels)
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn(says, done.stderr)

    def test_wrong_input_is_refused_in_one_line(self):
        old = self.dir / "old.onnx"
        old.write_bytes(network(9))
        self.refused(self.quantize(model=old), "operator set 9")
        none = self.dir / "identity.onnx"
        none.write_bytes(onnx.identity(dims=("batch", INPUTS)))
        self.refused(self.quantize(model=none), "no Conv, Gemm or MatMul")
        self.refused(run("quantize", self.model, "--calibration", self.dir / "none.npy", "--out", self.out), "none.npy")
        self.refused(self.quantize("--method", "guess"), "guess")
        wrong = self.dir / "wrong.npy"
        files.write_npy(wrong, floats(30, 1), (10, 3))
        self.refused(run("quantize", self.model, "--calibration", wrong, "--out", self.out), "(3)", "(16)")
        nan = self.dir / "nan.npy"
        files.write_npy(nan, floats(INPUTS, 1) + [float("nan")] * INPUTS, (2, INPUTS))
        self.refused(run("quantize", self.model, "--calibration", nan, "--out", self.out), "sample 1", "'x'")
        self.assertEqual(self.quantize().returncode, 0)
        again = self.dir / "again.onnx"
        self.out.rename(again)
        self.refused(self.quantize(model=again), "quantised already")

    def test_a_model_that_cannot_be_quantised_is_refused_with_the_operator_named(self):
        """Operators of another domain, control flow, activations that are no numbers, no samples, labels that do not fit."""
        strange = self.dir / "strange.onnx"
        value = lambda name: onnx.value_info(name, onnx.FLOAT, ["batch", INPUTS])
        strange.write_bytes(onnx.model(onnx.graph([onnx.node("Foo", ["x"], ["y"], domain="com.example")], [value("x")], [value("y")]), domains=["com.example"]))
        self.refused(self.quantize(model=strange), "Foo", "com.example")
        powers = self.dir / "powers.onnx"
        nodes = [onnx.node("Exp", ["x"], ["e"]), onnx.node("Gemm", ["e", "w1", "b1"], ["y"])]
        powers.write_bytes(onnx.model(onnx.graph(nodes, [value("x")], [onnx.value_info("y", onnx.FLOAT, ["batch", HIDDEN])],
                                                 [constant("w1", [INPUTS, HIDDEN], 1), constant("b1", [HIDDEN], 2)])))
        large = self.dir / "large.npy"
        files.write_npy(large, floats(INPUTS, 1) + [500.0] * INPUTS, (2, INPUTS))
        self.refused(run("quantize", powers, "--calibration", large, "--out", self.out), "sample 1", "'e'")
        empty = self.dir / "empty.npy"
        files.write_npy(empty, [], (0, INPUTS))
        self.refused(run("quantize", self.model, "--calibration", empty, "--out", self.out), "empty.npy")
        labels = self.dir / "labels.txt"
        labels.write_text("0\n" * 7)
        self.refused(self.quantize("--validation", self.data, "--labels", labels), "7 labels for 200 samples")

    def test_a_batch_that_is_fixed_at_one_stays_so_and_a_free_one_stays_free(self):
        fixed = self.dir / "fixed.onnx"
        fixed.write_bytes(network(batch=1))
        for model, batch in ((fixed, 1), (self.model, "batch")):
            done = self.quantize("--validation", self.data, model=model)
            self.assertEqual(done.returncode, 0, done.stderr)
            inputs = json.loads(run("inspect", self.out, "--json").stdout)["inputs"]
            self.assertEqual(inputs[0]["shape"], f"({batch}, {INPUTS})")

    def test_several_models_are_timed_in_one_run(self):
        self.assertEqual(self.quantize().returncode, 0)
        done = run("bench", self.model, self.out, "--iterations", 50, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        models = json.loads(done.stdout)["models"]
        self.assertEqual([m["n"] for m in models], [50, 50])
        self.assertEqual(models[0]["ratio_p50"], 1.0)
        self.assertGreater(models[1]["ratio_p50"], 0.0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
