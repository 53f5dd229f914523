# SPDX-License-Identifier: Apache-2.0
"""Lists the sources that clang-tidy has to read again, as FILE:STAMP lines. usage: lint_todo.py BUILD_FOLDER FILE...

The stamp's name is a digest of the rules, the file and every header of ours in its include tree, so that a change of one
header costs only the files that see it."""
import hashlib, json, os, pathlib, re, sys

build, root = pathlib.Path(sys.argv[1]), pathlib.Path.cwd()
include = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
texts = {}


def text(path):
    if path not in texts:
        texts[path] = path.read_text(errors="replace")
    return texts[path]


def tree(path, seen):
    seen.add(path)
    for name in include.findall(text(path)):
        for folder in (path.parent, root / "src", root / "tests"):
            header = (folder / name).resolve()
            if header.is_file():
                if header not in seen:
                    tree(header, seen)
                break
    return seen


commands = json.loads((build / "compile_commands.json").read_text())
compiled = {pathlib.Path(c["file"]).resolve(): re.sub(r"-[oM]\S*\s+\S+", "", c["command"]) for c in commands}
with_tests = os.environ.get("LINT_TESTS") == "1"
for name in sys.argv[2:]:
    path = pathlib.Path(name).resolve()
    only_checks = re.search(r"_(test|fuzz|bench)\.cc$", name) or name.startswith(("tests/", "bench/"))
    if path not in compiled or (only_checks and not with_tests):
        continue
    digest = hashlib.sha256((text(root / ".clang-tidy") + compiled[path]).encode())
    for source in sorted(tree(path, set())):
        digest.update(text(source).encode())
    stamp = build / "lint" / digest.hexdigest()[:32]
    if not stamp.exists():
        print(f"{name}:{stamp}")
