# SPDX-License-Identifier: Apache-2.0
"""A TUF repository as another program writes it: JSON by Python, a canonical form written anew, keys and signatures by the
openssl program. And the server that offers it, and notes what it was asked."""
import copy, datetime, hashlib, http.server, json, pathlib, subprocess, threading, urllib.parse

ROLES = ("root", "timestamp", "snapshot", "targets")


def canonical(value):
    if isinstance(value, dict):
        return "{" + ",".join(canonical(key) + ":" + canonical(value[key]) for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    return str(int(value))


def days_from_now(days):
    time = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


class Key:
    """On P-256, RSA for PSS, or Ed25519: which openssl program is asked for."""

    def __init__(self, folder, name, kind="ecdsa"):
        self.file = folder / f"{name}.pem"
        self.kind = kind
        algorithm = {"ecdsa": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
                     "ed25519": ["ED25519"]}[kind]
        subprocess.run(["openssl", "genpkey", "-algorithm", *algorithm, "-out", self.file], check=True, capture_output=True)
        form = ["-outform", "DER"] if kind == "ed25519" else []
        public = subprocess.run(["openssl", "pkey", "-in", self.file, "-pubout", *form], check=True, capture_output=True).stdout
        scheme = {"ecdsa": "ecdsa-sha2-nistp256", "rsa": "rsassa-pss-sha256", "ed25519": "ed25519"}[kind]
        value = public[-32:].hex() if kind == "ed25519" else public.decode()
        self.public = {"keytype": kind, "scheme": scheme, "keyval": {"public": value}, "x-owner": "Müller \"7\""}
        self.id = hashlib.sha256(canonical(self.public).encode()).hexdigest()

    def sign(self, text):
        message = self.file.with_suffix(".msg")
        message.write_bytes(text.encode())
        pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:-1"] if self.kind == "rsa" else []
        if self.kind == "ed25519":
            command = ["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", self.file, "-in", message]
        else:
            command = ["openssl", "dgst", "-sha256", "-sign", self.file, *pss, message]
        return subprocess.run(command, check=True, capture_output=True).stdout.hex()


class Repository:
    def __init__(self, folder, kinds=None):
        self.folder = folder
        self.files, self.targets, self.asked = {}, {}, []
        self.keys = {role: [Key(folder, role, (kinds or {}).get(role, "ecdsa"))] for role in ROLES}
        self.body = {role: {"_type": role, "spec_version": "1.0.31", "version": 0, "expires": days_from_now(30)} for role in ROLES}
        self.body["root"].update(consistent_snapshot=True, keys={}, roles={})
        self.body["timestamp"]["meta"] = {}
        self.body["snapshot"]["meta"] = {}
        self.body["targets"]["targets"] = {}
        for role in ROLES:
            self.trust(role)
        self.publish(*("targets", "snapshot", "timestamp", "root"))

    def trust(self, role):
        root = self.body["root"]
        root["keys"].update({key.id: key.public for key in self.keys[role]})
        root["roles"][role] = {"keyids": [key.id for key in self.keys[role]], "threshold": len(self.keys[role])}

    def delegate(self, name, delegator="targets", paths=("*",), key=None, terminating=False):
        key = key or Key(self.folder, hashlib.sha256(name.encode()).hexdigest()[:8])
        self.keys[name] = [key]
        delegations = self.body[delegator].setdefault("delegations", {"keys": {}, "roles": []})
        delegations["keys"][key.id] = key.public
        delegations["roles"].append({"name": name, "keyids": [key.id], "threshold": 1, "terminating": terminating, "paths": list(paths)})
        self.body.setdefault(name, dict(copy.deepcopy(self.body["targets"]), version=0, targets={}))
        self.body[name].pop("delegations", None) if self.body[name]["version"] == 0 else None

    def add(self, name, data, role="targets"):
        digest = hashlib.sha256(data).hexdigest()
        self.body[role]["targets"][name] = {"length": len(data), "hashes": {"sha256": digest}}
        folder, _, base = name.rpartition("/")
        self.targets[(folder + "/" if folder else "") + digest + "." + base] = data

    def publish(self, *roles, bump=True, keys=None):
        for role in roles:
            body = self.body[role]
            body["version"] += 1 if bump else 0
            text = canonical(body)
            signatures = [{"keyid": key.id, "sig": key.sign(text)} for key in (keys or self.keys[role])]
            data = json.dumps({"signatures": signatures, "signed": body}, indent=1).encode()
            quoted = urllib.parse.quote(role, "")
            self.files[quoted + ".json" if role == "timestamp" else f"{body['version']}.{quoted}.json"] = data
            if role == "snapshot":
                self.body["timestamp"]["meta"]["snapshot.json"] = {"version": body["version"]}
            elif role not in ROLES or role == "targets":
                self.body["snapshot"]["meta"][role + ".json"] = {
                    "version": body["version"], "length": len(data), "hashes": {"sha512": hashlib.sha512(data).hexdigest()}}

    def serve(self):
        repository = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                kind, _, path = self.path.lstrip("/").partition("/")
                repository.asked.append(path)
                found = (repository.files if kind == "metadata" else repository.targets).get(path)
                if found is None and kind == "targets":
                    found = repository.targets.get(urllib.parse.unquote(path))
                if callable(found):
                    return found(self)
                if found is None:
                    return self.send_error(404)
                self.send_response(200)
                self.send_header("Content-Length", str(len(found)))
                self.end_headers()
                self.wfile.write(found)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server
