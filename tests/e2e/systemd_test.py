# SPDX-License-Identifier: Apache-2.0
"""The agent as systemd sees it: ready after the warm-up, alive only while every stroke loop is, and content with what the
unit of deploy/systemd leaves it.

usage: systemd_test.py BIN_FOLDER DEPLOY_SYSTEMD_FOLDER"""
import ctypes, os, pathlib, re, shutil, signal, socket, subprocess, sys, tempfile, time, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from press import trained_bundle  # noqa: E402

BIN = pathlib.Path(sys.argv[1]).resolve()
UNIT = pathlib.Path(sys.argv[2]).resolve() / "millwright-agent.service"
del sys.argv[1:3]
WAIT_S = 60
WATCHDOG_S = 2.0
MOST_EXPOSED = 15  # tenths: systemd calls up to 20 "OK"

ASSET = """
[[asset]]
id = "{id}"
{bundle}
deadline_ms = 2000
window = {{ channels = 1, length = 2000, rate_hz = 10000.0 }}
trigger = {{ kind = "external" }}
source = {{ kind = "simulated-press", strokes_per_minute = 180.0 }}
output = {{ kind = "none", on_no_verdict = "hold", on_start = "stop", on_death = "stop" }}
"""
AGENT = """
[agent]
device_id = "box-1"
factory_id = "plant"
line_id = "line"
state = "{state}"
[http]
enabled = false
"""
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000


class Hung:
    """One thread of a process, stopped by a debugger: the others go on."""

    def __init__(self, thread):
        self.libc, self.thread = ctypes.CDLL(None, use_errno=True), thread

    def ask(self, what):
        if self.libc.ptrace(what, self.thread, None, None) != 0:
            raise OSError(ctypes.get_errno(), f"ptrace {what:#x}")

    def __enter__(self):
        self.ask(PTRACE_SEIZE)
        self.ask(PTRACE_INTERRUPT)
        os.waitpid(self.thread, WALL)

    def __exit__(self, *_):
        self.ask(PTRACE_DETACH)


class Systemd(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.dir = pathlib.Path(cls.temporary.name)
        bundle = f'bundle = "{trained_bundle(BIN, cls.dir)}"'
        cls.config = cls.dir / "agent.toml"
        cls.config.write_text(AGENT.format(state=cls.dir / "state")
                              + "".join(ASSET.format(id=f"press-{i}", bundle=bundle) for i in (1, 2)))

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def start(self, name):
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.manager.close)
        self.manager.bind("\0" + name[1:] if name.startswith("@") else name)
        self.manager.settimeout(0.2)
        self.log = open(self.dir / "log", "ab")
        self.addCleanup(self.log.close)
        self.agent = subprocess.Popen([BIN / "millwright-agent", "--config", self.config], stderr=self.log,
                                      env=dict(os.environ, NOTIFY_SOCKET=name, WATCHDOG_USEC=str(int(WATCHDOG_S * 1e6))))
        self.addCleanup(self.agent.wait)
        self.addCleanup(self.agent.kill)

    def heard(self, seconds):
        """All lines that come within so many seconds, in their order."""
        lines, end = [], time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                lines += self.manager.recv(4096).decode().splitlines()
            except TimeoutError:
                pass
        return lines

    def until(self, wanted):
        lines, end = [], time.monotonic() + WAIT_S
        while time.monotonic() < end and wanted not in lines:
            lines += self.heard(0.2)
        self.assertIn(wanted, lines, (self.dir / "log").read_text()[-2000:])
        return lines

    def thread(self, name):
        for task in pathlib.Path(f"/proc/{self.agent.pid}/task").iterdir():
            if (task / "comm").read_text().strip() == name:
                return int(task.name)
        self.fail(f"no thread {name}")

    def records(self):
        return sum(file.stat().st_size for file in (self.dir / "state" / "press-1" / "records").iterdir())

    def events(self):
        return (self.dir / "log").read_text()

    def test_ready_comes_after_the_models_and_a_hung_loop_starves_the_watchdog(self):
        for name in (f"@millwright-{os.getpid()}", str(self.dir / "notify")):
            with self.subTest(name[0]):
                self.start(name)
                told = self.until("READY=1")
                self.assertGreaterEqual(self.events().count("model_loaded"), 2)
                lines = self.heard(3 * WATCHDOG_S)
                self.assertGreaterEqual(lines.count("WATCHDOG=1"), 6)
                self.assertIn("STATUS=2 assets watched", told + lines)

                with Hung(self.thread("press-2")):
                    self.heard(0.5)  # the round in which it was still there
                    before = self.records()
                    self.assertNotIn("WATCHDOG=1", self.heard(2 * WATCHDOG_S))
                    self.assertEqual(self.agent.poll(), None)
                self.until("WATCHDOG=1")

                self.agent.send_signal(signal.SIGHUP)
                told = self.until("RELOADING=1") + self.heard(5)
                self.assertIn("READY=1", told)
                self.agent.send_signal(signal.SIGTERM)
                self.until("STOPPING=1")
                self.assertEqual(self.agent.wait(30), 0)
                self.assertGreaterEqual(self.records(), before)

    @unittest.skipUnless(shutil.which("systemd-analyze"), "no systemd here: the unit is not checked")
    def test_the_unit_is_valid_and_leaves_little(self):
        unit = self.dir / UNIT.name
        # Programs are looked for where they are here.
        unit.write_text(UNIT.read_text().replace("/usr/bin/millwright-agent", str(BIN / "millwright-agent")))
        checked = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True)
        self.assertEqual((checked.returncode, [line for line in checked.stderr.splitlines() if UNIT.name in line]), (0, []))
        exposed = subprocess.run(["systemd-analyze", "security", "--offline=yes", f"--threshold={MOST_EXPOSED}", unit], capture_output=True, text=True)
        self.assertEqual(exposed.returncode, 0, exposed.stdout[-2000:])
        broken = self.dir / "broken.service"
        broken.write_text(re.sub(r"^(ProtectSystem|CapabilityBoundingSet|SystemCallFilter|PrivateDevices)=.*\n", "", unit.read_text(), flags=re.M))
        self.assertNotEqual(subprocess.run(["systemd-analyze", "security", "--offline=yes", f"--threshold={MOST_EXPOSED}", broken],
                                           capture_output=True).returncode, 0, "a unit that leaves more is told apart")

    def allowed_calls(self):
        """What the unit's SystemCallFilter lines let through, groups resolved."""
        def calls(name):
            if not name.startswith("@"):
                return {name}
            listed = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True).stdout
            names = [line.split("#")[0].strip() for line in listed.splitlines()[1:]]
            return set().union(*(calls(one) for one in names if one))

        allowed = set()
        for filter in re.findall(r"^SystemCallFilter=(.*)$", UNIT.read_text(), re.M):
            named = set().union(*(calls(name) for name in filter.lstrip("~").split()))
            allowed = allowed - named if filter.startswith("~") else allowed | named
        return allowed

    @unittest.skipUnless(shutil.which("systemd-analyze") and shutil.which("strace"), "no systemd or no strace here: the filter is not checked")
    def test_the_unit_allows_every_call_that_the_agent_makes(self):
        trace = self.dir / "trace"
        # Leaks cannot be looked for in a process that is traced.
        agent = subprocess.Popen(["strace", "-f", "-qq", "-o", trace, BIN / "millwright-agent", "--config", self.config], stderr=subprocess.DEVNULL,
                                 env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
        self.addCleanup(agent.wait)
        self.addCleanup(agent.kill)
        end = time.monotonic() + WAIT_S
        status = self.dir / "state" / "status.json"
        status.unlink(missing_ok=True)
        while time.monotonic() < end and not status.exists():
            time.sleep(0.2)
        time.sleep(3)
        pid = int(re.search(r'"pid": (\d+)', status.read_text()).group(1))
        os.kill(pid, signal.SIGTERM)
        self.assertEqual(agent.wait(60), 0)
        made = set(re.findall(r"^\d+\s+(\w+)\(", trace.read_text(errors="replace"), re.M))
        self.assertIn("fdatasync", made)
        self.assertEqual(made - self.allowed_calls(), set())


if __name__ == "__main__":
    unittest.main(verbosity=2)
