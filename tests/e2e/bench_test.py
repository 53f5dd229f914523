# SPDX-License-Identifier: Apache-2.0
"""millwright bench: one model or several on one or more providers, in one run; text, JSON and a page that say the same.

usage: bench_test.py BIN_FOLDER"""
import json, os, pathlib, re, subprocess, sys, tempfile, unittest
import xml.etree.ElementTree as xml

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import files, tiny_onnx as onnx  # noqa: E402

BIN = pathlib.Path(sys.argv.pop(1)).resolve()
FIGURES = ["mean_ms", "p50_ms", "p95_ms", "p99_ms", "p999_ms", "max_ms", "throughput_per_s", "empty_loop_p50_ms", "empty_loop_p99_ms",
           "empty_loop_max_ms", "ratio_p50"]


def run(*arguments):
    return subprocess.run([str(a) for a in (BIN / "millwright", *arguments)], capture_output=True, text=True, timeout=120)


class Bench(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.dir = pathlib.Path(self.folder.name)
        self.small = self.dir / "small.onnx"
        self.small.write_bytes(onnx.identity())
        self.large = self.dir / "large.onnx"
        self.large.write_bytes(onnx.identity(dims=("batch", 400_000)))

    def found(self, *arguments, status=0):
        done = run("bench", *arguments, "--json")
        self.assertEqual(done.returncode, status, done.stderr)
        return json.loads(done.stdout)

    def refused(self, *arguments, says):
        done = run("bench", *arguments)
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        for word in says:
            self.assertIn(word, done.stderr)

    def check_row(self, row, n):
        for key in FIGURES:
            self.assertGreater(row[key], 0.0, key)
        order = [row[k] for k in ("p50_ms", "p95_ms", "p99_ms", "p999_ms", "max_ms")]
        self.assertEqual(order, sorted(order))
        self.assertEqual((row["n"], row["p999_proven"], row["provider"]), (n, False, "CPUExecutionProvider"))

    def test_one_model_has_its_figures_at_the_top(self):
        found = self.found(self.small, "--iterations", 200, "--budget-ms", 1000)
        self.check_row(found, 200)
        self.assertEqual((found["budget_ms"], found["in_budget"], found["threads"], found["warmup"]), (1000.0, True, 1, 20))
        self.assertNotIn("models", found)
        for when in ("before", "after"):
            self.assertEqual(sorted(found["machine"][when]), ["clock_mhz", "temperature_celsius", "thermal_throttles"])

    def test_several_models_on_several_providers_with_the_budget_that_decides(self):
        found = self.found(self.large, self.small, "--provider", "cpu", "--provider", "cpu", "--iterations", 100, "--budget-ms", 1e-5, status=1)
        rows = found["models"]
        self.assertEqual([pathlib.Path(r["file"]).name for r in rows], ["large.onnx"] * 2 + ["small.onnx"] * 2)
        for row in rows:
            self.check_row(row, 100)
            self.assertEqual((row["budget_ms"], row["in_budget"]), (1e-5, False))
            self.assertAlmostEqual(row["ratio_p50"], rows[0]["p50_ms"] / row["p50_ms"])
        self.assertGreater(rows[2]["ratio_p50"], 2.0)  # 400,000 values against 64
        self.assertEqual((found["budget_ms"], found["in_budget"]), (1e-5, False))
        without = self.found(self.large, self.small, "--iterations", 20)
        self.assertNotIn("in_budget", without)

    def test_text_has_every_figure_of_every_model(self):
        done = run("bench", self.large, self.small, "--iterations", 100, "--budget-ms", 1000)
        self.assertEqual(done.returncode, 0, done.stderr)
        for word, times in (("P99.9", 2), ("unproven below 100,000", 2), ("an empty loop", 2), ("held", 2), ("a second", 2), ("times as fast", 2),
                            ("temperature", 1), ("clock", 1)):
            self.assertEqual(done.stdout.count(word), times, (word, done.stdout))

    def test_a_bundle_beside_a_model(self):
        normal = self.dir / "normal.npy"
        files.write_npy(normal, files.strokes(240), (240, 2000))
        bundle = self.dir / "press.bundle"
        made = run("train", "--recordings", normal, "--rate", 10000, "--out", bundle)
        self.assertEqual(made.returncode, 0, made.stderr)
        rows = self.found(bundle, self.small, "--iterations", 20)["models"]
        self.assertEqual(len(rows), 2)
        self.check_row(rows[0], 20)

    def test_pinned_and_with_threads(self):
        cpu = sorted(os.sched_getaffinity(0))[-1]
        found = self.found(self.small, "--iterations", 20, "--pin", cpu, "--threads", 2)
        self.assertEqual((found["machine"]["cpus"], found["machine"]["pinned"], found["threads"]), (str(cpu), True, 2))
        self.assertFalse(self.found(self.small, "--iterations", 20)["machine"]["pinned"])

    def test_the_page_is_complete_and_says_what_the_json_says(self):
        page = self.dir / "page.html"
        odd = self.dir / "a&b<i>.onnx"
        odd.write_bytes(self.small.read_bytes())
        found = self.found(self.large, odd, "--iterations", 300, "--budget-ms", 1000, "--html", page)
        text = page.read_text()
        for foreign in ("<script", "src=", "href", "url(", "@import", "://"):
            self.assertNotIn(foreign, text)
        self.assertNotIn("<i>", text)
        self.assertIn("a&amp;b&lt;i&gt;.onnx", text)
        for row in found["models"]:
            for key in ("mean_ms", "p50_ms", "p95_ms", "p99_ms", "p999_ms", "max_ms"):
                self.assertIn(f"{row[key]:.4f}", text, key)
        pictures = [xml.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL)]
        self.assertEqual(len(pictures), 2)
        for picture in pictures:
            bars = [r for r in picture.iter("rect")]
            self.assertGreater(len(bars), 0)
            for bar in bars:
                self.assertGreaterEqual(float(bar.get("x")), 0.0)
                self.assertLessEqual(float(bar.get("x")) + float(bar.get("width")), 760.0)
                self.assertGreater(float(bar.get("height")), 0.0)
            numbers = [float(t.get("x")) for t in picture.iter("text") if t.text.endswith(" ms")]
            self.assertGreaterEqual(len(numbers), 2)
            for left, right in zip(numbers, numbers[1:]):
                self.assertGreater(right - left, 50.0, "numbers of the axis run together")
        centre = lambda p: sum(float(r.get("x")) for r in p.iter("rect")) / len(list(p.iter("rect")))  # noqa: E731
        self.assertGreater(centre(pictures[0]), centre(pictures[1]))

    def test_wrong_usage_is_said_in_one_line(self):
        self.refused(self.small, "--provider", "openvino", says=["OpenVINO"])
        self.refused(self.small, "--provider", "abacus", says=["abacus"])
        self.refused(self.small, "--pin", 100_000, says=["100000", "may run on"])
        self.refused(self.small, "--threads", 0, says=["--threads 0"])
        self.refused(self.small, "--iterations", 0, says=["0 runs"])
        self.refused(says=["FILE.onnx"])
        bad = self.dir / "bad.onnx"
        bad.write_bytes(onnx.endless_loop())
        self.refused(self.small, bad, says=["bad.onnx", "Loop"])
        done = run("bench", self.small, "--iterations", 5, "--html", self.dir / "none" / "page.html")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("page.html", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
