# SPDX-License-Identifier: Apache-2.0
"""Bad input: each ends in one line that names file and place, exit status 2, and nothing written.

usage: bad_input_test.py BIN_FOLDER"""
import pathlib, socket, subprocess, sys, tempfile, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import files, tiny_onnx  # noqa: E402

BIN = pathlib.Path(sys.argv.pop(1)).resolve()


def run(*arguments, timeout=60):
    return subprocess.run([str(a) for a in arguments], capture_output=True, text=True, timeout=timeout)


class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.dir = pathlib.Path(cls.folder.name)
        cls.normal = cls.dir / "normal.npy"
        files.write_npy(cls.normal, files.strokes(240), (240, 2000))
        cls.bundle = cls.dir / "good.bundle"
        made = run(BIN / "millwright", "train", "--recordings", cls.normal, "--rate", 10000, "--out", cls.bundle)
        assert made.returncode == 0, made.stderr

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def refused(self, *arguments, says, out=None):
        before = sorted(self.dir.rglob("*"))
        done = run(*arguments)
        self.assertEqual(done.returncode, 2, (arguments, done.stdout, done.stderr))
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        self.assertEqual(len(lines), 1, done.stderr)
        for word in says:
            self.assertIn(str(word), lines[0])
        self.assertEqual(before, sorted(self.dir.rglob("*")), "nothing may be written")

    def train(self, path, says, *more):
        self.refused(BIN / "millwright", "train", "--recordings", path, "--out", self.dir / "x.bundle", *more, says=says)

    def test_empty_folder(self):
        empty = self.dir / "empty"
        empty.mkdir(exist_ok=True)
        self.train(empty, [empty])

    def test_mixed_rates(self):
        folder = self.dir / "mixed"
        folder.mkdir(exist_ok=True)
        files.write_wav(folder / "a.wav", 3, 10000)
        files.write_wav(folder / "b.wav", 3, 12000)
        self.train(folder, ["b.wav", "10000", "12000"], "--window", 2000)

    def test_too_few_windows(self):
        few = self.dir / "few.npy"
        files.write_npy(few, files.strokes(3), (3, 2000))
        self.train(few, ["few.npy", "3"], "--rate", 10000)

    def test_mat_without_the_variable(self):
        path = self.dir / "a.mat"
        files.write_mat(path, "DE_time", [float(i % 7) for i in range(4000)])
        self.refused(BIN / "millwright", "score", self.bundle, path, "--variable", "FE_time", says=["a.mat", "FE_time", "DE_time"])

    def test_nan_in_training_data(self):
        values = files.strokes(60)
        values[5 * 2000 + 17] = float("nan")
        path = self.dir / "nan.npy"
        files.write_npy(path, values, (60, 2000))
        self.train(path, ["nan.npy", "window 5", "17"], "--rate", 10000)

    def test_truncated_bundle(self):
        path = self.dir / "cut.bundle"
        path.write_bytes(self.bundle.read_bytes()[:-100])
        self.refused(BIN / "millwright", "score", path, self.normal, says=["cut.bundle", "truncated"])
        self.refused(BIN / "millwright", "inspect", path, says=["cut.bundle", "truncated"])

    def test_bundle_with_one_byte_changed(self):
        data = bytearray(self.bundle.read_bytes())
        data[-7] ^= 1
        path = self.dir / "flip.bundle"
        path.write_bytes(data)
        self.refused(BIN / "millwright", "score", path, self.normal, says=["flip.bundle", "digest"])

    def refused_model(self, name, data, says):
        path = self.dir / name
        path.write_bytes(data)
        self.refused(BIN / "millwright", "bench", path, "--iterations", 10, says=[name, *says])

    def test_hostile_models(self):
        (self.dir / "secret.bin").write_bytes(b"A" * 16)
        for location in ("../secret.bin", "secret.bin", "sub/../../secret.bin", "/etc/passwd"):
            self.refused_model("external.onnx", tiny_onnx.external(location), ["external", "W"])
        self.refused_model("unknown.onnx", tiny_onnx.unknown_operator(), ["domain 'evil'"])
        self.refused_model("loop.onnx", tiny_onnx.endless_loop(), ["Loop"])
        self.refused_model("bomb.onnx", tiny_onnx.allocation_bomb(), ["ConstantOfShape"])
        self.refused_model("long.onnx", tiny_onnx.long_chain(200_000), ["more than the limit of 20000 nodes"])
        self.refused_model("garbage.onnx", b"\x99" * 100, [])
        self.refused_model("empty.onnx", b"", [])

    def test_model_with_wrong_shape_or_type(self):
        windows = self.dir / "w.f32"
        windows.write_bytes(files.strokes(4).tobytes())
        for name, data in (("wide.onnx", tiny_onnx.identity(dims=("batch", 65))), ("ints.onnx", tiny_onnx.identity(kind=tiny_onnx.INT64))):
            path = self.dir / name
            path.write_bytes(data)
            self.refused(BIN / "millwright", "bench", "--windows", windows, "--model", path, "--features", "reference-64", says=[name])

    def test_unknown_detector_and_missing_file(self):
        self.train(self.normal, ["magic", "mahalanobis"], "--rate", 10000, "--detector", "magic")
        self.train(self.dir / "nowhere.npy", ["nowhere.npy"])

    def test_mistyped_command_and_a_window_of_nothing(self):
        self.refused(BIN / "millwright", "tran", says=["'tran'", "did you mean 'train'?"])
        self.refused(BIN / "millwright", "frobnicate", says=["'frobnicate'", "evaluate", "listen"])
        self.refused(BIN / "millwright", says=["--help"])
        self.train(self.normal, ["--window"], "--rate", 10000, "--window", 0)

    def agent(self, text, says, check_status=2, problems=1):
        """Run and --check: a file that cannot be read is status 2 in both; a check that finds the world unfit says no, 1."""
        path = self.dir / "agent.toml"
        path.write_text(text)
        for more, status in ([], 2), (["--check"], check_status):
            before = sorted(self.dir.rglob("*"))
            done = run(BIN / "millwright-agent", "--config", path, *more)
            self.assertEqual(done.returncode, status, (text, done.stdout, done.stderr))
            for word in says:
                self.assertIn(str(word), done.stdout + done.stderr)
            if not more:
                self.assertEqual(done.stderr.count("\n"), problems, done.stderr)
            self.assertEqual(before, sorted(self.dir.rglob("*")))

    def test_unknown_config_key_names_the_nearest(self):
        good = (pathlib.Path(__file__).parents[2] / "deploy/examples/simulated-press.toml").read_text()
        key = "deadline_ms"
        self.assertIn(key, good)
        line = next(i for i, text in enumerate(good.splitlines(), 1) if text.strip().startswith(key))
        self.agent(good.replace(key, "deadlin_ms"), ["agent.toml", f"{line}", "deadlin_ms", key], problems=2)

    def test_agent_says_every_problem_and_wrong_usage_in_one_line(self):
        good = (pathlib.Path(__file__).parents[2] / "deploy/examples/simulated-press.toml").read_text()
        self.agent(good.replace("deadline_ms", "deadlin_ms").replace("factory_id", "factor_id"), ["deadlin_ms", "factor_id"], problems=4)
        for arguments in ([], ["--config"], ["--nonsense"]):
            done = run(BIN / "millwright-agent", *arguments)
            self.assertEqual(done.returncode, 2)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)

    def test_port_in_use(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            self.agent(UDP_AGENT.format(state=self.dir / "state", port=port), [str(port), "in use"], check_status=1)


UDP_AGENT = """
[agent]
device_id = "box"
factory_id = "plant"
line_id = "line"
state = "{state}"

[[asset]]
id = "press"
deadline_ms = 1500
window = {{ channels = 1, length = 2000, rate_hz = 10000.0 }}
trigger = {{ kind = "external" }}
source = {{ kind = "udp", port = {port} }}
output = {{ kind = "none", on_no_verdict = "hold", on_start = "stop", on_death = "stop" }}
"""

if __name__ == "__main__":
    unittest.main(verbosity=2)
