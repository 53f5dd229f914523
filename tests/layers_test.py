#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the rules of the house that a script can check.

usage: layers_test.py [--root FOLDER] [--agent PROGRAM]     exit 1 with one line for each violation
       layers_test.py --self-test                           plants each violation and expects it to be caught

arrows   a room includes only rooms below it (ARROWS)
vendors  a vendor's header appears in its room only (VENDORS); bench/ and tests/ may compare with anything
spdx     sources, scripts and build files name their licence in the first line (the second behind #!)
size     a function's body has at most 60 lines, a file 400 (LONG_FILES: exceptions, each with its reason)
agent    the edge program holds nothing of the lab or the hub, and needs none of HEAVY_LIBRARIES at start
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

BELOW_INFERENCE = {"model", "onnx", "signal", "base"}
BELOW_PROGRAMS = {"inference", "recording", "net", "metrics"} | BELOW_INFERENCE
ARROWS = {
    "base": set(),
    "signal": {"base"},
    "onnx": {"base"},
    "recording": {"base"},
    "model": {"onnx", "signal", "base"},
    "inference": BELOW_INFERENCE,
    "net": BELOW_INFERENCE,
    "metrics": BELOW_INFERENCE,
    "lab": BELOW_PROGRAMS - {"net", "metrics"},
    "edge": BELOW_PROGRAMS,
    "hub": BELOW_PROGRAMS - {"recording"},
    "apps": {"lab", "edge", "hub"} | BELOW_PROGRAMS,
}

# Includes by their beginning, and where they may stand (beginnings of paths; "" is everywhere). The first row that
# fits decides; an include that fits none is a violation, so that a new vendor is a decision.
TESTS = r".*(_test|_bench|_fuzz)\.cc|.*_fixture\.h"
VENDORS = [
    (r"openssl/", r"src/base/digest\.cc|src/net/.*"),
    (r"libav", r"src/signal/.*"),
    (r"(sndfile|matio|png|turbojpeg)\.h", r"src/recording/.*"),
    (r"google/protobuf/|.*\.pb\.h", r"src/onnx/.*"),
    (r"onnxruntime", r"src/inference/.*"),
    (r"toml\+\+/", r"src/edge/.*"),
    (r"CLI/", r"src/apps/.*"),
    (r"Eigen/", r"src/lab/.*"),
    (r"torch/|ATen/|c10/", r"src/lab/.*"),
    (r"(boost/|mosquitto|curl/)", r"src/net/.*"),
    (r"(sqlite3|SQLiteCpp/|soci/)", r"src/(hub|edge)/.*"),
    (r"modbus/", r"src/edge/plc/.*"),
    (r"nlohmann/json_fwd\.hpp", r""),
    (r"nlohmann/", r".*\.cc"),  # heavy to compile: never in a header
    (r"(fmt|spdlog)/", r""),
    (r"(gtest|gmock|rapidcheck|benchmark)/", TESTS),
    # The C++ library, and what Linux and its C library give.
    (r"[a-z_0-9]+$", r""),
    (r"(sys|linux|net|netinet|arpa|bits|asm)/", r""),
    (r"(dlfcn|errno|fcntl|grp|ifaddrs|limits|malloc|netdb|poll|pthread|pwd|sched|signal|spawn|stdio|stdlib|string|"
     r"syslog|termios|time|ucontext|unistd|immintrin|sanitizer/[a-z_]+)\.h$", r""),
]

MAX_FUNCTION_LINES = 60
MAX_FILE_LINES = 400
LONG_FILES = {}  # path: reason
HEAVY_LIBRARIES = ("torch", "c10", "matio", "hdf5", "libpython")
OTHER_PROGRAMS = ("millwright::lab::", "millwright::hub::", "torch::", "at::")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
LICENSED = re.compile(r".*\.(cc|h|c|py|sh|cmake|ts|js|css|proto|toml)|(.*/)?(CMakeLists\.txt|Makefile)|\.ci/run")
SPDX = "SPDX-License-Identifier: Apache-2.0"


def files_of(root):
    """Paths of what is, or could be, committed, relative to the root."""
    if (root / ".git").exists():
        command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, capture_output=True, check=True).stdout.decode().split("\0")
        return sorted({name for name in listed if name and (root / name).is_file()})
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [f for f in folders if not f.startswith("build") and f not in (".git", ".deps", "node_modules")]
        found += [os.path.relpath(os.path.join(folder, name), root) for name in names]
    return sorted(found)


def room_of(path):
    parts = path.split("/")
    return parts[1] if len(parts) > 2 and parts[0] == "src" else None


def check_arrows(path, text):
    room = room_of(path)
    if room is None:
        return
    if room not in ARROWS:
        yield f"{path}: arrows: room {room} has no row in ARROWS"
        return
    for kind, name in INCLUDE.findall(text):
        other = name.split("/")[0]
        if kind == "<" and other not in ARROWS:
            continue
        if "/" not in name:
            yield f"{path}: arrows: {name} is included without its room"
        elif other not in ARROWS:
            yield f"{path}: arrows: {name} is of no known room"
        elif other != room and other not in ARROWS[room]:
            yield f"{path}: arrows: {room} may not include {name}"


def check_vendors(path, text):
    if room_of(path) is None:
        return
    for kind, name in INCLUDE.findall(text):
        generated = name.endswith(".pb.h")
        if kind == '"' and not generated:
            continue
        row = next((where for what, where in VENDORS if re.match(what, name)), None)
        if row is None:
            yield f"{path}: vendors: {name} has no row in VENDORS"
        elif row and not re.fullmatch(row, path):
            yield f"{path}: vendors: {name} may be included by {row} only"


def check_spdx(path, text):
    if not LICENSED.fullmatch(path):
        return
    lines = text.split("\n", 2)
    line = lines[1] if lines[0].startswith("#!") and len(lines) > 1 else lines[0]
    if SPDX not in line:
        yield f"{path}: spdx: the first line lacks '{SPDX}'"


def without_texts(text):
    """C++ with comments, strings and characters blanked, line ends kept."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|R"(?P<tag>[^(\n]*)\(.*?\)(?P=tag)"|"(?:\\.|[^"\\\n])*"|'
                         r"(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'|^[ \t]*#(?:\\\n|[^\n])*", re.DOTALL | re.MULTILINE)
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def is_function_head(header):
    """Whether a brace after this text opens a function, rather than a table: `= {` outside of parentheses."""
    bare = re.sub(r"\btemplate\s*<[^()]*?>", "", header)
    before = None
    while bare != before:
        before, bare = bare, re.sub(r"\([^()]*\)", " @ ", bare)
    return "@" in bare and re.search(r"(?<!operator)(?<!operator[=!<>+*/-])=(?!=)", bare) is None


def functions_of(text):
    """(first line, lines of the body) of every function that stands in a file, namespace or class."""
    text = without_texts(text)
    scopes = []  # True: namespace or class, False: a function, a table, or what is inside of them
    header, line, opened, begin, is_function, kept = "", 1, 0, 0, False, ""
    for character in text:
        if character == "\n":
            line += 1
        if not all(scopes):  # inside a function: only its end matters
            if character == "{":
                scopes.append(False)
            elif character == "}":
                scopes.pop()
                if all(scopes):
                    if is_function:
                        yield begin, line - opened
                    header = kept
        elif character == "{":
            scopes.append("(" not in header and re.search(r"\b(namespace|class|struct|union|extern)\b", header) is not None)
            # A member's initialiser, `S() : a_{1} {`, has no space before its brace and does not end the head.
            kept = header if re.search(r"\)\s*(noexcept\s*)?:[^:].*[\w>]$", header, re.DOTALL) else ""
            is_function = not kept and is_function_head(header)
            opened, begin, header = line, line, ""
        elif character in ";}":
            if character == "}" and scopes:
                scopes.pop()
            header = ""
        else:
            header += character


def check_size(path, text):
    lines = text.count("\n")
    if path.endswith((".cc", ".h", ".py", ".sh", ".ts")) and lines > MAX_FILE_LINES and path not in LONG_FILES:
        yield f"{path}: size: {lines} lines, above {MAX_FILE_LINES}; cut it, or give the reason in LONG_FILES"
    if path.endswith((".cc", ".h")):
        for begin, length in functions_of(text):
            if length > MAX_FUNCTION_LINES:
                yield f"{path}:{begin}: size: a function of {length} lines, above {MAX_FUNCTION_LINES}"


def check_tree(root):
    violations = []
    paths = files_of(root)
    for path in paths:
        if not LICENSED.fullmatch(path):
            continue
        text = (root / path).read_text(encoding="utf-8", errors="replace")
        for check in (check_arrows, check_vendors, check_spdx, check_size):
            violations += check(path, text)
    violations += [f"{path}: size: listed in LONG_FILES and not there" for path in LONG_FILES if path not in paths]
    return violations, len(paths)


def check_agent_texts(libraries, symbols):
    for name in HEAVY_LIBRARIES:
        if re.search(rf"^\s*(lib)?{name}", libraries, re.MULTILINE):
            yield f"agent: links {name}"
    for name in OTHER_PROGRAMS:
        found = re.search(rf"(?:^|[\s(<,&*]){re.escape(name)}[^\n]*", symbols, re.MULTILINE)
        if found:
            yield f"agent: holds {found.group().strip()[:100]}"


def check_agent(agent):
    libraries = subprocess.run(["ldd", str(agent)], capture_output=True, text=True, check=True).stdout
    symbols = subprocess.run(["nm", "-C", str(agent)], capture_output=True, text=True, check=True).stdout
    if "millwright::" not in symbols:
        return ["agent: it has no symbols, so that nothing can be said about it"]
    return list(check_agent_texts(libraries, symbols))


CLEAN = {
    "src/base/a.h": f"// {SPDX}\n#include <vector>\n#include <sys/stat.h>\ninline int f() {{\n  return 1;\n}}\n",
    "src/model/b.cc": f'// {SPDX}\n#include "base/a.h"\n#include <nlohmann/json.hpp>\n',
    "src/onnx/c.cc": f'// {SPDX}\n#include "onnx/wire.pb.h"\n',
    "src/lab/d_test.cc": f'// {SPDX}\n#include <gtest/gtest.h>\nTEST(A, B) {{ int x[] = {{1}}; }}\n',
    "src/lab/table.cc": f"// {SPDX}\nconst int kTable[f(3)] = {{\n" + "  1,\n" * 61 + "};\n",
    "tools/e.sh": f"#!/bin/sh\n# {SPDX}\n",
}


def long_function(head):
    return f"// {SPDX}\nnamespace n {{\n{head} {{\n" + "  g();\n" * 61 + "}\n}\n"


# What is planted, and what the line that catches it must say.
PLANTED = [
    ("src/base/x.cc", f'// {SPDX}\n#include "model/b.h"\n', "arrows: base may not include model/b.h"),
    ("src/signal/x.cc", f'// {SPDX}\n#include "onnx/c.h"\n', "arrows: signal may not include onnx/c.h"),
    ("src/recording/x.cc", f'// {SPDX}\n#include "signal/c.h"\n', "arrows: recording may not include signal/c.h"),
    ("src/inference/x.cc", f'// {SPDX}\n  #  include "lab/c.h"\n', "arrows: inference may not include lab/c.h"),
    ("src/edge/x.cc", f'// {SPDX}\n#include "lab/c.h"\n', "arrows: edge may not include lab/c.h"),
    ("src/edge/y.cc", f'// {SPDX}\n#include <lab/c.h>\n', "arrows: edge may not include lab/c.h"),
    ("src/lab/x.cc", f'// {SPDX}\n#include "edge/c.h"\n', "arrows: lab may not include edge/c.h"),
    ("src/hub/x.cc", f'// {SPDX}\n#include "edge/c.h"\n', "arrows: hub may not include edge/c.h"),
    ("src/model/x.cc", f'// {SPDX}\n#include "a.h"\n', "arrows: a.h is included without its room"),
    ("src/model/y.cc", f'// {SPDX}\n#include "utility/a.h"\n', "arrows: utility/a.h is of no known room"),
    ("src/cellar/x.cc", f"// {SPDX}\n", "arrows: room cellar has no row"),
    ("src/base/files.cc", f"// {SPDX}\n#include <openssl/evp.h>\n", "vendors: openssl/evp.h"),
    ("src/lab/x.cc", f"// {SPDX}\n#include <libavutil/tx.h>\n", "vendors: libavutil/tx.h"),
    ("src/lab/x.cc", f"// {SPDX}\n#include <sndfile.h>\n", "vendors: sndfile.h"),
    ("src/edge/x.cc", f"// {SPDX}\n#include <matio.h>\n", "vendors: matio.h"),
    ("src/model/x.cc", f'// {SPDX}\n#include "onnx/wire.pb.h"\n', "vendors: onnx/wire.pb.h"),
    ("src/model/x.cc", f"// {SPDX}\n#include <google/protobuf/message.h>\n", "vendors: google/protobuf/message.h"),
    ("src/edge/x.cc", f"// {SPDX}\n#include <onnxruntime_c_api.h>\n", "vendors: onnxruntime_c_api.h"),
    ("src/lab/x.cc", f"// {SPDX}\n#include <toml++/toml.h>\n", "vendors: toml++/toml.h"),
    ("src/edge/x.cc", f"// {SPDX}\n#include <CLI/CLI.hpp>\n", "vendors: CLI/CLI.hpp"),
    ("src/signal/x.cc", f"// {SPDX}\n#include <Eigen/Core>\n", "vendors: Eigen/Core"),
    ("src/model/x.h", f"// {SPDX}\n#include <nlohmann/json.hpp>\n", "vendors: nlohmann/json.hpp"),
    ("src/edge/x.cc", f"// {SPDX}\n#include <mosquitto.h>\n", "vendors: mosquitto.h"),
    ("src/edge/x.cc", f"// {SPDX}\n#include <torch/torch.h>\n", "vendors: torch/torch.h"),
    ("src/edge/x.cc", f"// {SPDX}\n#include <gtest/gtest.h>\n", "vendors: gtest/gtest.h"),
    ("src/edge/x.cc", f"// {SPDX}\n#include <modbus.h>\n", "vendors: modbus.h has no row"),
    ("src/edge/x.cc", f"// {SPDX}\n#include <modbus/modbus.h>\n", "vendors: modbus/modbus.h"),
    ("src/edge/x.cc", "int x;\n", "spdx:"),
    ("cmake/x.cmake", "set(X 1)\n", "spdx:"),
    ("tools/x.sh", f"#!/bin/sh\necho\n# {SPDX}\n", "spdx:"),
    ("tools/x.py", "#!/usr/bin/env python3\n", "spdx:"),
    ("src/edge/x.cc", f"// {SPDX}\n" + "\n" * 401, "size: 402 lines"),
    ("src/edge/x.cc", long_function("int f()"), "size: a function of 62 lines"),
    ("src/edge/x.cc", long_function("X& operator=(X&& x) noexcept"), "size: a function of 62 lines"),
    ("src/edge/x.cc", long_function("template <int N = 3>\nint f(int a = g(1), int b = 2) const"), "size: a function of 62"),
    ("src/edge/x.cc", long_function("TEST(A, B)"), "size: a function of 62 lines"),
    ("src/edge/x.h", long_function("struct S {\n S() : a_{1}"), "size: a function of 62 lines"),
    ("src/edge/x.cc", long_function("const char* f(char c = '{')"), "size: a function of 62 lines"),
]


def write(root, path, text):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text, encoding="utf-8")


def self_test():
    failures = []
    LONG_FILES.clear()
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for path, text in CLEAN.items():
            write(root, path, text)
        failures += [f"a clean tree is refused: {line}" for line in check_tree(root)[0]]
        for path, text, expected in PLANTED:
            write(root, path, text)
            caught = [line for line in check_tree(root)[0] if line.startswith(path) and expected in line]
            if not caught:
                failures.append(f"not caught: {path}: {expected}")
            (root / path).unlink()
    clean = "00 T millwright::edge::run()\n00 T millwright::model::Bundle::read(std::format::x)\n"
    if list(check_agent_texts("\tlibc.so.6 => x\n\tlibonnxruntime.so.1 => y\n", clean)):
        failures.append("a clean agent is refused")
    for libraries, symbols in (("\tlibtorch_cpu.so => x\n", clean), ("\tlibmatio.so.11 => x\n", clean),
                               ("", clean + "00 T millwright::lab::train()\n"),
                               ("", clean + "00 W std::vector<millwright::hub::Box>::push()\n")):
        if not list(check_agent_texts(libraries, symbols)):
            failures.append(f"not caught in an agent: {libraries}{symbols}")
    for failure in failures:
        print(f"layers: self-test: {failure}")
    print(f"layers: self-test: {len(PLANTED) + 4} violations planted, {len(failures)} failures")
    return 1 if failures else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    parser.add_argument("--agent", type=pathlib.Path)
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    if options.self_test:
        return self_test()
    violations, count = check_tree(options.root)
    if options.agent and options.agent.exists():
        violations += check_agent(options.agent)
    elif options.agent:
        print(f"layers: {options.agent} is not built: what it links was not checked")
    for violation in violations:
        print(violation)
    print(f"layers: {count} files, {len(violations)} violations")
    return 1 if violations else 0


sys.exit(main())
