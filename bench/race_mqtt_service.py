#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The race with an MQTT service: a window of 8 KB in, features and verdict, answer out; the agent and a usual Python
service in turns, on the same broker with the same load. Prints one JSON line. Ratios of one interleaved run are what
counts; processor time per window, of service and broker apart, says what bounds them.

usage: race_mqtt_service.py PEER_DIR [--rounds 3] [--seconds 5] [--unanswered 32] [--seed 1] [--bin build/bin]
PEER_DIR: a folder to chroot into, with Python, NumPy, SciPy, paho, prometheus_client and /peers/mqtt_service.py."""
import argparse, array, json, os, pathlib, random, shutil, socket, statistics, subprocess, sys, tempfile, time

SAMPLES, RATE = 2048, 20480.0
HERE = pathlib.Path(__file__).resolve().parent

AGENT = """
[agent]
device_id = "box"
factory_id = "plant"
line_id = "line"
state = "{state}"
[http]
port = {http}
{mqtt}
[[asset]]
id = "p1"
bundle = "{bundle}"
deadline_ms = 5000
window = {{ channels = 1, length = {samples}, rate_hz = {rate} }}
trigger = {{ kind = "external" }}
source = {{ kind = "mqtt", topic = "in/p1", payload = "float32", host = "127.0.0.1", tls = false, port = {port} }}
output = {{ kind = "mqtt", topic = "out/p1", host = "127.0.0.1", tls = false, port = {port}, on_no_verdict = "hold", on_start = "pass", on_death = "stop" }}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cpu_seconds(pid):
    """User and system time of a process and those that it has waited for."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(fields[i]) for i in (11, 12)) / os.sysconf("SC_CLK_TCK")


class Race:
    def __init__(self, options):
        self.o = options
        self.bin = pathlib.Path(options.bin).resolve()
        self.peer = pathlib.Path(options.peer).resolve()
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="race.", dir=self.peer / "tmp"))
        self.log = open(self.work / "log", "ab")
        self.port = free_port()

    def start(self, *command, **more):
        return subprocess.Popen([str(part) for part in command], stdout=self.log, stderr=self.log, **more)

    def prepare(self):
        rng = random.Random(self.o.seed)
        with open(self.work / "windows.f32", "wb") as out:
            for _ in range(300):
                level = rng.uniform(0.8, 1.2)
                array.array("f", [level * rng.gauss(0.0, 1.0) for _ in range(SAMPLES)]).tofile(out)
        subprocess.run([self.bin / "millwright", "train", "--recordings", self.work / "windows.f32", "--rate", str(RATE),
                        "--window", str(SAMPLES), "--features", "vibration", "--detector", self.o.detector, "--out",
                        self.work / "p1.bundle"], check=True, stdout=self.log, stderr=self.log)
        script = (self.peer / "peers/mqtt_service.py").read_text()
        # Where paho is newer than the script, the client says which callbacks it wants; nothing else is changed.
        script = script.replace("m.Client('svc')", "(m.Client(m.CallbackAPIVersion.VERSION1,'svc') if hasattr(m,'CallbackAPIVersion') else m.Client('svc'))")
        script = script.replace("1883", str(self.port)).replace("8850", str(free_port()))
        (self.work / "usual.py").write_text(script)
        shutil.copy(HERE / "strong_mqtt_service.py", self.work / "strong.py")
        (self.work / "mosquitto.conf").write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 100000\nmax_inflight_messages 1000\nset_tcp_nodelay true\n"
            + ("user root\n" if os.getuid() == 0 else ""))
        self.broker = self.start("/usr/sbin/mosquitto", "-c", self.work / "mosquitto.conf")
        time.sleep(1)

    def service(self, kind):
        if kind in ("ours", "uplink"):
            config = self.work / f"{kind}.toml"
            mqtt = f'[mqtt]\nhost = "127.0.0.1"\ntls = false\nport = {self.port}\nalerts_leave_on = "puback"\n' if kind == "uplink" else ""
            config.write_text(AGENT.format(state=self.work / kind, http=free_port(), bundle=self.work / "p1.bundle", port=self.port,
                                           samples=SAMPLES, rate=RATE, mqtt=mqtt))
            return self.start(self.bin / "millwright-agent", "--config", config)
        inside = f"/tmp/{self.work.name}/{kind}.py"
        return self.start("chroot", self.peer, "python3", inside, str(self.port), env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})

    def turn(self, kind, unanswered):
        service = self.service(kind)
        # The processor time of its start does not count: the load says when it begins.
        load = subprocess.Popen([self.bin / "mqtt_load", str(self.port), "in/p1", "out/p1", self.work / "windows.f32", str(SAMPLES),
                                 str(unanswered), str(self.o.seconds), "1"], stdout=subprocess.PIPE, stderr=self.log, text=True)
        begun = load.stdout.readline()
        before = [cpu_seconds(service.pid), cpu_seconds(self.broker.pid)]
        answer = load.stdout.read()
        after = [cpu_seconds(service.pid), cpu_seconds(self.broker.pid)]
        service.terminate()
        service.wait(30)
        if load.wait() != 0 or begun != "begun\n":
            raise SystemExit(f"{kind}: {begun}{answer}\n{(self.work / 'log').read_text()[-3000:]}")
        out = json.loads(answer)
        # The load's warm-up second is in the processor time and not in `windows`.
        share = out["windows"] * (self.o.seconds + 1) / self.o.seconds
        out["service_us"] = (after[0] - before[0]) / share * 1e6
        out["broker_us"] = (after[1] - before[1]) / share * 1e6
        print(f"{kind} {unanswered}: {out}", file=sys.stderr)
        return out

    def run(self):
        self.prepare()
        kinds = ("ours", "usual", "strong", "uplink")
        results = {kind: [] for kind in kinds}
        single = {kind: [] for kind in kinds[:3]}
        for _ in range(self.o.rounds):
            for kind in kinds:
                results[kind].append(self.turn(kind, self.o.unanswered))
            for kind in single:
                single[kind].append(self.turn(kind, 1))
        middle = lambda rows, key: round(statistics.median(row[key] for row in rows), 3)
        ratios = lambda peer: sorted(a["windows_per_s"] / b["windows_per_s"] for a, b in zip(results["ours"], results[peer]))
        triple = lambda values: [round(values[0], 2), round(statistics.median(values), 2), round(values[-1], 2)]
        print(json.dumps({
            "name": "race-mqtt-service", "rounds": self.o.rounds, "seconds": self.o.seconds, "unanswered": self.o.unanswered,
            "seed": self.o.seed, "bytes": 4 * SAMPLES, "features": "vibration, 78; the peers compute 4",
            "ratio_usual": triple(ratios("usual")), "ratio_strong": triple(ratios("strong")),
            "one_at_a_time": {kind: {key: middle(rows, key) for key in ("windows_per_s", "p50_ms", "p99_ms")} for kind, rows in single.items()},
            **{kind: {key: middle(rows, key) for key in ("windows_per_s", "p50_ms", "p99_ms", "service_us", "broker_us")}
               for kind, rows in results.items()}}))

    def end(self):
        if hasattr(self, "broker"):
            self.broker.terminate()
            self.broker.wait()
        if not self.o.keep:
            shutil.rmtree(self.work)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--unanswered", type=int, default=32)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--detector", default="mahalanobis")
    parser.add_argument("--bin", default=HERE.parent / "build/bin")
    parser.add_argument("--keep", action="store_true")
    race = Race(parser.parse_args())
    try:
        race.run()
    except subprocess.CalledProcessError:
        sys.stderr.write((race.work / "log").read_text()[-2000:])
        raise
    finally:
        race.end()


if __name__ == "__main__":
    main()
