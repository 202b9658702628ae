#!/usr/bin/env python3
"""Checks that every relative link in the project's Markdown files leads to a file: one line a dead link, exit status 1."""

import os
import re
import sys
from pathlib import Path

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def documents(root):
    for folder, inner, files in os.walk(root):
        inner[:] = sorted(name for name in inner if not name.startswith(".") and Path(folder, name) != root / "build")
        yield from (Path(folder, name) for name in sorted(files) if name.endswith(".md"))


def main():
    root = Path(__file__).resolve().parent.parent
    dead = []
    for page in documents(root):
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
            for link in LINK.findall(line):
                target = link.partition("#")[0]
                if "://" not in link and target and not (page.parent / target).exists():
                    dead.append(f"{page.relative_to(root)}:{number}: {link} leads nowhere")
    print("\n".join(dead), end="\n" if dead else "")
    return 1 if dead else 0


if __name__ == "__main__":
    sys.exit(main())
