# SPDX-License-Identifier: Apache-2.0
"""millwright inspect: what a file holds, what one run asks, what the runtime makes of it; a hostile file is refused before it
is loaded.

usage: inspect_test.py BIN_FOLDER"""
import json, pathlib, struct, subprocess, sys, tempfile, time, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import files, tiny_onnx as onnx  # noqa: E402

BIN = pathlib.Path(sys.argv.pop(1)).resolve()


def run(*arguments):
    return subprocess.run([str(a) for a in (BIN / "millwright", *arguments)], capture_output=True, text=True, timeout=120)


def zeros(name, dims):
    count = 1
    for d in dims:
        count *= d
    return onnx.tensor(name, onnx.FLOAT, dims, struct.pack(f"<{count}f", *[0.25] * count))


def network(name=b"n_Gemm"):
    """Gemm (16 to 24), Relu, Gemm (24 to 4)."""
    nodes = [onnx.node("Gemm", ["x", "w1", "b1"], ["h"]), onnx.node("Relu", ["h"], ["r"]), onnx.node("Gemm", ["r", "w2", "b2"], ["y"])]
    nodes[0] = nodes[0].replace(b"n_Gemm", name)
    nodes[2] = nodes[2].replace(b"n_Gemm", b"n_Last")
    return onnx.model(onnx.graph(nodes, [onnx.value_info("x", onnx.FLOAT, ["batch", 16])], [onnx.value_info("y", onnx.FLOAT, ["batch", 4])],
                                 [zeros("w1", [16, 24]), zeros("b1", [24]), zeros("w2", [24, 4]), zeros("b2", [4])]))


class Inspect(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.dir = pathlib.Path(self.folder.name)
        self.model = self.dir / "model.onnx"
        self.model.write_bytes(network())

    def found(self, *arguments):
        done = run("inspect", *arguments, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_work_memory_kernels_and_who_runs_them(self):
        found = self.found(self.model)
        self.assertEqual((found["multiply_adds"], found["uncounted_nodes"]), (16 * 24 + 24 * 4, 0))
        self.assertEqual((found["parameters"], found["parameter_bytes"], found["nodes"]), (508, 2032, 3))
        self.assertEqual(found["operators"], {"Gemm": 2, "Relu": 1})
        self.assertEqual(found["dynamic_inputs"], ["x"])
        # h and r of 24 floats each, while the Relu runs.
        self.assertEqual((found["memory"]["peak_activation_bytes"], found["memory"]["weights_bytes"]), (192, 2032))
        self.assertTrue(found["memory"]["peak_is_whole"])
        self.assertIn("Relu", found["memory"]["peak_node"])
        first = found["node_list"][0]
        self.assertEqual((first["op"], first["multiply_adds"], first["parameters"]), ("Gemm", 384, 408))
        self.assertEqual(first["outputs"][0]["is"], "float (1, 24)")
        self.assertEqual([v["constant"] for v in first["inputs"]], [False, True, True])
        runtime = found["runtime"]
        self.assertTrue(runtime["loaded"])
        self.assertEqual((runtime["integer_kernels"], runtime["quantisable_kernels"], runtime["float_kernels"]), (0, 2, 2))
        self.assertEqual({k["provider"] for k in runtime["kernel_list"]}, {"CPUExecutionProvider"})
        self.assertEqual(sum(runtime["providers"].values()), len(runtime["kernel_list"]))

    def test_a_quantised_model_shows_its_integer_kernels(self):
        data = self.dir / "data.npy"
        files.write_npy(data, [((i * 37) % 101) / 50 - 1 for i in range(64 * 16)], (64, 16))
        out = self.dir / "int8.onnx"
        self.assertEqual(run("quantize", self.model, "--calibration", data, "--out", out).returncode, 0)
        found = self.found(out)
        runtime = found["runtime"]
        self.assertEqual((runtime["integer_kernels"], runtime["quantisable_kernels"]), (2, 2))
        self.assertEqual([k["op"] for k in runtime["kernel_list"] if k["kind"] == "integer"], ["com.microsoft.QGemm"] * 2)
        self.assertEqual(found["multiply_adds"], 16 * 24 + 24 * 4)

    def test_text_is_for_people(self):
        done = run("inspect", self.model, "--nodes")
        self.assertEqual(done.returncode, 0, done.stderr)
        for word in ("480 multiply-adds", "at most 192 bytes", "0 of 2 quantisable", "CPUExecutionProvider", "n_Last", "float (1, 24)"):
            self.assertIn(word, done.stdout)
        self.assertNotIn("n_Last", run("inspect", self.model).stdout)

    def test_a_name_cannot_move_the_cursor(self):
        self.model.write_bytes(network(b"n\x1b[2Jx"))
        done = run("inspect", self.model, "--nodes")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("\x1b", done.stdout)

    def test_a_provider_that_is_not_here_costs_the_placement_only(self):
        runtime = self.found(self.model, "--provider", "openvino")["runtime"]
        self.assertEqual(runtime["providers"], {})
        self.assertIn("OpenVINO", runtime["why_no_placement"])
        done = run("inspect", self.model, "--provider", "abacus")
        self.assertEqual(done.returncode, 2)
        self.assertIn("abacus", done.stderr)

    def test_hostile_models_are_refused_in_one_line(self):
        for name, bytes_, says in (("external", onnx.external("../secret.bin"), "external"), ("custom", onnx.unknown_operator(), "evil"),
                                   ("loop", onnx.endless_loop(), "Loop"), ("bomb", onnx.allocation_bomb(), "ConstantOfShape"),
                                   ("long", onnx.long_chain(200_000), "20000"), ("cut", network()[:-40], "cut")):
            path = self.dir / f"{name}.onnx"
            path.write_bytes(bytes_)
            begin = time.monotonic()
            done = run("inspect", path)
            self.assertEqual(done.returncode, 2, (name, done.stdout))
            self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
            self.assertIn(f"{name}.onnx", done.stderr)
            self.assertIn(says, done.stderr)
            self.assertLess(time.monotonic() - begin, 30)

    def test_a_model_that_fails_its_trial_is_shown_and_not_loaded(self):
        path = self.dir / "nan.onnx"
        path.write_bytes(onnx.model(onnx.graph([onnx.node("Log", ["x"], ["y"])], [onnx.value_info("x", onnx.FLOAT, [4])],
                                               [onnx.value_info("y", onnx.FLOAT, [4])])))
        found = self.found(path)
        self.assertFalse(found["runtime"]["loaded"])
        self.assertIn("'y'", found["runtime"]["why"])
        self.assertEqual(found["operators"], {"Log": 1})


if __name__ == "__main__":
    unittest.main(verbosity=2)
