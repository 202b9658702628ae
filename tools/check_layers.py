#!/usr/bin/env python3
"""Checks the direction of the #include lines under src/ and include/: one line a violation, exit status 1.

1. A folder includes itself and what stands before it in LADDER; PEERS never include one another.
2. Nothing in a TORCH_FREE folder reaches a libtorch header, directly or through another file.
3. Public headers (include/vl3) need nothing but the standard library and each other.
4. Loops run through ops/parallel.h: at::parallel_for, compiled without OpenMP, silently runs on one thread.

usage: check_layers.py [ROOT]     ROOT is the repository (default: the one this file is in)
"""

import re
import sys
from pathlib import Path

LADDER = """core ops weights nn net hub text media preprocess vision projector fuse lm sampling engine
            synth data train eval curate quantize serve cli""".split()
PEERS = {"train", "eval", "curate", "serve"}
TORCH_FREE = ["core", "net", "hub", "text", "media", "preprocess", "sampling", "data", "eval", "synth", "weights", "serve/http",
              "serve/media", "serve/openai", "serve/queue"]
TORCH = re.compile(r"(torch|ATen|c10|caffe2)/")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
SUFFIXES = {".h", ".cpp", ".cu", ".cuh", ".inc"}


def includes_of(path):
    """[(line number, "<" or '"', name)] of a source file."""
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        match = INCLUDE.match(line)
        if match:
            found.append((number, match[1], match[2]))
    return found


class Tree:
    def __init__(self, root):
        self.root = root
        self.files = {}  # path relative to the root -> its includes
        for top in ("src", "include"):
            for path in sorted((root / top).rglob("*")):
                if path.suffix in SUFFIXES:
                    self.files[path.relative_to(root).as_posix()] = includes_of(path)
        self._torch_chain = {}

    def resolve(self, name):
        """The tree's own file that `#include "name"` means, or None."""
        return next((top + name for top in ("src/", "include/") if top + name in self.files), None)

    def torch_chain(self, file):
        """The names on the way from `file` to the first libtorch header, or None."""
        if file not in self._torch_chain:
            self._torch_chain[file] = None  # ends a circle of includes
            for _, _, name in self.files[file]:
                own = self.resolve(name)
                if own is None:
                    chain = [name] if TORCH.match(name) else None
                else:
                    chain = self.torch_chain(own)
                    chain = chain and [name, *chain]
                if chain:
                    self._torch_chain[file] = chain
                    break
        return self._torch_chain[file]


def check_direction(tree, file, folder, includes):
    if folder not in LADDER:
        yield f"{file}:1: src/{folder} has no place in LADDER of tools/check_layers.py"
        return
    for number, quote, name in includes:
        target, _, _ = name.partition("/")
        where = f'{file}:{number}: #include "{name}"'
        if quote != '"' or target == "vl3":
            continue
        if f"{Path(file).parent.as_posix()}/{name}" in tree.files:
            yield f"{where}: write the path from src/"
        elif target not in LADDER:
            continue  # another library's header
        elif LADDER.index(target) > LADDER.index(folder):
            yield f"{where}: {target} stands after {folder}"
        elif target != folder and {target, folder} <= PEERS:
            yield f"{where}: {folder} and {target} may not know each other"


def check_public(file, includes):
    for number, quote, name in includes:
        own = quote == '"' and name.startswith("vl3/")
        if not own and (quote == '"' or "/" in name or name.endswith((".h", ".hpp"))):
            yield f"{file}:{number}: {name}: a public header includes only the standard library and vl3/ headers"


def check_loops(root, file):
    for number, line in enumerate((root / file).read_text(encoding="utf-8").splitlines(), start=1):
        if "at::parallel_for(" in line:
            yield f"{file}:{number}: at::parallel_for runs on one thread here: use ops::parallel_for"


def violations(root):
    tree = Tree(root)
    if not tree.files:
        yield f"{root}: no sources under src/ or include/"
    for file, includes in tree.files.items():
        yield from check_loops(root, file)
        top, _, rest = file.partition("/")
        if top == "include":
            yield from check_public(file, includes)
            continue
        folder = rest.partition("/")[0]
        yield from check_direction(tree, file, folder, includes)
        if any(rest.startswith(free + "/") for free in TORCH_FREE):
            chain = tree.torch_chain(file)
            if chain:
                yield f"{file}:1: {folder} is free of libtorch, but includes {' -> '.join(chain)}"


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    found = list(violations(root))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
