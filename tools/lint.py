#!/usr/bin/env python3
"""clang-tidy, with the checks of .clang-tidy, over the named sources or all that BUILD_DIR compiles.

A source is skipped when it passed before with the same text, own headers, checks and compile command.
usage: lint.py BUILD_DIR JOBS [FILE…]     BUILD_DIR: configured without precompiled headers (preset `lint`)
"""

import hashlib
import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OWN = ("src/", "tests/", "bench/", "examples/")
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)


def closure(path, found):
    """Adds the text of a file, and of every header of ours that it reaches, to `found`."""
    if path not in found:
        found[path] = path.read_bytes()
        for name in INCLUDE.findall(found[path].decode("utf-8")):
            for folder in (ROOT / "src", ROOT / "include", ROOT / "tests", path.parent):
                if (folder / name).is_file():
                    closure(folder / name, found)
                    break
    return found


def key_of(path, command):
    digest = hashlib.sha256((ROOT / ".clang-tidy").read_bytes() + command.encode())
    for _, text in sorted(closure(path, {}).items()):
        digest.update(text)
    return digest.hexdigest()


def lint(name, command, build):
    """Whether a file passes; prints what clang-tidy says about one that does not."""
    stamp = build / "passed" / key_of(ROOT / name, command)
    if stamp.exists():
        return True
    # GCC's own warning options are unknown to clang, and the compiler has judged them already.
    done = subprocess.run(["clang-tidy", "--quiet", "-p", str(build), "--extra-arg=-Wno-unknown-warning-option", name],
                          cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        stamp.touch()
        return True
    print(f"{done.stdout or done.stderr}lint: {name} failed", flush=True)
    return False


def main():
    build, jobs, wanted = Path(sys.argv[1]).resolve(), int(sys.argv[2]), sys.argv[3:]
    commands = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        name = Path(entry["directory"], entry["file"])
        if name.is_relative_to(ROOT) and str(name.relative_to(ROOT)).startswith(OWN):
            commands[str(name.relative_to(ROOT))] = entry["command"]
    unknown = [name for name in wanted if name not in commands]
    if unknown:
        print(f"lint: not compiled in {build}: {' '.join(unknown)}")
        return 1
    (build / "passed").mkdir(exist_ok=True)
    with ThreadPoolExecutor(jobs) as pool:
        passed = list(pool.map(lambda name: lint(name, commands[name], build), wanted or sorted(commands)))
    print(f"lint: {sum(passed)} of {len(passed)} sources pass")
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
