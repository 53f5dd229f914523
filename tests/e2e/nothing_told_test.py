# SPDX-License-Identifier: Apache-2.0
"""Programs that run models write nothing into the home folder and open no connection that nobody asked for: the official
builds of ONNX Runtime do both unless they are kept from it.

usage: nothing_told_test.py BIN_FOLDER"""
import os, pathlib, subprocess, sys, tempfile, time, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import files  # noqa: E402

LISTENS = "0A"  # as /proc/net/tcp has it: the page that a person may open
BIN = pathlib.Path(sys.argv.pop(1)).resolve()
CONFIG = """
[agent]
device_id = "box"
factory_id = "plant"
line_id = "line"
state = "{folder}/state"

[[asset]]
id = "press"
bundle = "{folder}/press.bundle"
deadline_ms = 1500
window = {{ channels = 1, length = 2000, rate_hz = 10000.0 }}
trigger = {{ kind = "external" }}
source = {{ kind = "recording", paths = ["{folder}/normal.npy"], strokes_per_minute = 600.0 }}
output = {{ kind = "none", on_no_verdict = "hold", on_start = "stop", on_death = "stop" }}
"""


def sockets(pid):
    """Of the internet, that the process holds and that lead somewhere: it asked for none."""
    mine = set()
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(fd)
        except OSError:
            continue
        if target.startswith("socket:["):
            mine.add(target[8:-1])
    found = []
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in pathlib.Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            if line.split()[9] in mine and line.split()[3] != LISTENS:
                found.append((table, line.split()[2]))
    return found


class NothingTold(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.dir = pathlib.Path(self.folder.name)
        self.home = self.dir / "home"
        self.home.mkdir()
        # Without what a build server sets, which the runtime takes as a reason to be silent.
        self.environment = {"HOME": str(self.home), "PATH": os.environ["PATH"], "TMPDIR": str(self.dir)}
        files.write_npy(self.dir / "normal.npy", files.strokes(240), (240, 2000))

    def run_tool(self, *arguments):
        done = subprocess.run([BIN / "millwright", *map(str, arguments)], env=self.environment, capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_the_home_folder_stays_empty_and_no_connection_is_made(self):
        self.run_tool("train", "--recordings", self.dir / "normal.npy", "--rate", 10000, "--seed", 1, "--out", self.dir / "press.bundle")
        self.run_tool("bench", self.dir / "press.bundle", "--iterations", 20)
        config = self.dir / "agent.toml"
        config.write_text(CONFIG.format(folder=self.dir))
        agent = subprocess.Popen([BIN / "millwright-agent", "--config", config], env=self.environment, stderr=subprocess.DEVNULL)
        try:
            end = time.monotonic() + 10
            records = self.dir / "state/press/records"
            while time.monotonic() < end and not (records.exists() and any(f.stat().st_size for f in records.iterdir())):
                self.assertIsNone(agent.poll())
                time.sleep(0.1)
            self.assertEqual(sockets(agent.pid), [])
        finally:
            agent.terminate()
            agent.wait()
        self.assertEqual(sorted(self.home.rglob("*")), [])
        self.assertEqual([f.name for f in self.dir.iterdir() if f.name.startswith("mat-debug")], [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
