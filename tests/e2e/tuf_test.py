# SPDX-License-Identifier: Apache-2.0
"""millwright tuf against a repository that another program wrote and signed, over real HTTP.

usage: tuf_test.py BIN_FOLDER"""
import json, pathlib, subprocess, sys, tempfile, unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from tuf_repository import Key, Repository, days_from_now  # noqa: E402

BIN = pathlib.Path(sys.argv.pop(1)).resolve()
TOP = ["root.json", "snapshot.json", "targets.json", "timestamp.json"]


class Tuf(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        folder = pathlib.Path(temporary.name)
        (folder / "keys").mkdir()
        self.metadata, self.targets = folder / "metadata", folder / "targets"
        self.repository = Repository(folder / "keys", {"root": "ed25519", "targets": "rsa"})
        self.server = self.repository.serve()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.base = f"http://127.0.0.1:{self.server.server_port}"
        self.root = folder / "initial.json"
        self.root.write_bytes(self.repository.files["1.root.json"])

    def run_tuf(self, *arguments):
        self.repository.asked.clear()
        self.said = subprocess.run([BIN / "millwright", "tuf", "--metadata-dir", self.metadata, *arguments], capture_output=True,
                                   text=True, timeout=60)
        self.assertIn(self.said.returncode, (0, 1), self.said.stderr)
        self.assertLessEqual(self.said.stderr.count("\n"), 2, self.said.stderr)
        return self.said.returncode

    def init(self):
        self.assertEqual(self.run_tuf("init", self.root), 0, self.said.stderr if hasattr(self, "said") else "")

    def refresh(self):
        return self.run_tuf("--metadata-url", self.base + "/metadata/", "refresh")

    def download(self, *names, url=None):
        wanted = [word for name in names for word in ("--target-name", name)]
        return self.run_tuf("--metadata-url", url or self.base + "/metadata", *wanted, "--target-base-url", self.base + "/targets/",
                            "--target-dir", self.targets, "download")

    def kept(self):
        return sorted(file.name for file in self.metadata.glob("*.json"))

    def version(self, role):
        return json.loads((self.metadata / f"{role}.json").read_bytes())["signed"]["version"]

    def publish_all(self, *roles):
        self.repository.publish(*roles, "targets", "snapshot", "timestamp")

    def test_init_and_refresh(self):
        self.init()
        self.assertEqual(self.repository.asked, [])
        self.assertEqual(self.refresh(), 0, self.said.stderr)
        self.assertEqual(self.repository.asked, ["2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"])
        self.assertEqual(self.kept(), TOP)
        for role in ("root", "snapshot", "targets"):
            self.assertEqual((self.metadata / f"{role}.json").read_bytes(), self.repository.files[f"1.{role}.json"])
        self.assertEqual((self.metadata / "timestamp.json").read_bytes(), self.repository.files["timestamp.json"])
        self.assertEqual(self.refresh(), 0)
        self.assertEqual(self.repository.asked, ["2.root.json", "timestamp.json"])

    def test_a_bad_first_root(self):
        root = json.loads(self.root.read_bytes())
        del root["signed"]["version"]
        self.root.write_text(json.dumps(root))
        self.assertEqual(self.run_tuf("init", self.root), 1)
        self.assertEqual(self.refresh(), 1)
        self.assertEqual(self.repository.asked, [])

    def test_unsigned_roles_end_the_update_where_they_stand(self):
        stranger = [Key(self.repository.folder, "stranger")]
        for role, kept in (("targets", ["root.json", "snapshot.json", "timestamp.json"]), ("snapshot", ["root.json", "timestamp.json"]),
                           ("timestamp", ["root.json"])):
            for file in self.metadata.glob("*"):
                file.unlink()
            self.init()
            for one in ("targets", "snapshot", "timestamp"):
                self.repository.publish(one, keys=stranger if one == role else None)
            self.assertEqual(self.refresh(), 1)
            self.assertIn("arbitrary software: " + role, self.said.stderr)
            self.assertEqual(self.kept(), kept)

    def test_rotation_rollback_and_freeze(self):
        self.init()
        self.publish_all()
        self.assertEqual(self.refresh(), 0, self.said.stderr)
        old = self.repository.files["timestamp.json"]
        self.repository.publish("timestamp")
        self.assertEqual(self.refresh(), 0)
        self.repository.files["timestamp.json"] = old
        self.assertEqual(self.refresh(), 1)
        self.assertIn("rollback", self.said.stderr)
        self.assertEqual(self.version("timestamp"), 3)
        # Another key for timestamp, and an older number with it: recovery from a fast-forward.
        self.repository.keys["timestamp"] = [Key(self.repository.folder, "timestamp-2", "ed25519")]
        self.repository.trust("timestamp")
        self.repository.body["timestamp"]["version"] = 0
        self.repository.publish("root", "timestamp")
        self.assertEqual(self.refresh(), 0, self.said.stderr)
        self.assertEqual(self.version("timestamp"), 1)
        self.assertEqual(self.version("root"), 2)
        self.repository.body["timestamp"]["expires"] = days_from_now(-1)
        self.repository.publish("timestamp")
        self.assertEqual(self.refresh(), 1)
        self.assertIn("freeze: timestamp version 2", self.said.stderr)
        self.assertEqual(self.version("timestamp"), 1)

    def test_targets_are_fetched_once_and_only_as_signed(self):
        self.init()
        self.repository.add("line 1/press.bundle", b"model one")
        self.repository.add("other", b"model two")
        self.publish_all()
        self.assertEqual(self.download("line 1/press.bundle"), 0, self.said.stderr)
        file = self.targets / "line%201%2Fpress.bundle"
        self.assertEqual(file.read_bytes(), b"model one")
        self.assertEqual(self.download("line 1/press.bundle"), 0)
        self.assertEqual(self.repository.asked, ["2.root.json", "timestamp.json"])
        for name in list(self.repository.targets):
            self.repository.targets[name] = b"malicious"
        self.assertEqual(self.download("other", "line 1/press.bundle"), 1)
        self.assertIn("wrong software", self.said.stderr)
        self.assertEqual([f.name for f in self.targets.iterdir()], [file.name], "nothing else is left, one failure keeps nobody back")
        self.assertEqual(self.download("missing"), 1)
        self.assertIn("no role that may speak of target missing knows it", self.said.stderr)

    def test_strange_role_names_and_delegations(self):
        self.init()
        names = ["?", "#", "/delegatedrole", "../delegatedrole", "."]
        for name in names:
            self.repository.delegate(name)
        self.repository.add("deep", b"deep model", "../delegatedrole")
        self.publish_all(*names)
        self.assertEqual(self.download("deep"), 0, self.said.stderr)
        self.assertEqual(self.repository.asked[4:8], ["1.%3F.json", "1.%23.json", "1.%2Fdelegatedrole.json", "1...%2Fdelegatedrole.json"])
        self.assertEqual(len(self.kept()), 8)
        self.assertEqual([f.name for f in self.metadata.parent.iterdir() if f.suffix == ".json"], ["initial.json"])
        self.assertEqual(self.download("nowhere"), 1)
        self.assertEqual(self.repository.asked[2:], ["1...json"])

    def test_one_name_two_delegators(self):
        """C as A knows it; B gives the name to another key: what was kept from A must not do for B."""
        self.init()
        for name, paths in (("A", ["a/*"]), ("B", ["b/*"])):
            self.repository.delegate(name, paths=paths)
        self.repository.delegate("C", "B", ["b/*"])
        self.repository.delegate("C", "A", ["a/*"])
        self.repository.add("a/1", b"from a", "C")
        self.repository.add("b/1", b"from b", "C")
        self.publish_all("A", "B", "C")
        self.assertEqual(self.download("a/1"), 0, self.said.stderr)
        self.assertEqual(self.download("a/1", "b/1"), 1)
        self.assertIn("arbitrary software: C version 1", self.said.stderr)
        self.assertEqual([f.name for f in self.targets.iterdir()], ["a%2F1"])

    def test_a_server_that_lies(self):
        self.init()

        def endless(handler):
            handler.send_response(200)
            handler.end_headers()
            try:
                for _ in range(1000):
                    handler.wfile.write(b" " * 65536)
            except OSError:
                pass

        def elsewhere(handler):
            handler.send_response(302)
            handler.send_header("Location", "/metadata/1.root.json")
            handler.end_headers()

        good = self.repository.files["timestamp.json"]
        for offered, words in ((endless, "endless data"), (elsewhere, "redirects are not followed"), (b"", "JSON"), (good[:-40], "JSON")):
            self.repository.files["timestamp.json"] = offered
            self.assertEqual(self.refresh(), 1)
            self.assertIn(words, self.said.stderr)
            self.assertEqual(self.kept(), ["root.json"])
        self.repository.files["timestamp.json"] = good
        self.repository.files["2.root.json"] = lambda handler: handler.send_error(503)
        self.assertEqual(self.refresh(), 1)
        self.assertIn("answers 503", self.said.stderr)
        self.assertEqual(self.repository.asked, ["2.root.json"])

    def test_plain_http_stays_on_this_machine(self):
        self.init()
        for url in ("http://192.0.2.1/metadata", "http://127.0.0.1.example/", "http://user@127.0.0.1/", "ftp://127.0.0.1/", "file:///etc/", "x"):
            self.assertEqual(self.run_tuf("--metadata-url", url, "refresh"), 1, url)
            self.assertRegex(self.said.stderr, "this machine only|not an address")
        self.assertEqual(self.run_tuf("--metadata-url", self.base.replace("http:", "https:"), "refresh"), 1)
        self.assertEqual(self.run_tuf("refresh"), 1)
        self.assertIn("--metadata-url is missing", self.said.stderr)


if __name__ == "__main__":
    unittest.main()
