#!/usr/bin/env python3
"""Peak memory of selecting and writing, over synthetic score rows: it may not grow with them.

usage: memory.py VL3 FOLDER [--rows 10000 1000000]
Makes an input of so many lines and score files as scoring leaves them, then runs `vl3 curate --merge` under a clock: with 16 MiB
to sort in, and with the defaults (256 MiB, which a million rows are the first to fill).
"""
import argparse
import hashlib
import json
import os
import random
import shutil
import struct
import subprocess
import time
from pathlib import Path

SIZE, SHARD = 32, 1000  # numbers of a feature vector, items of a shard


def write_scores(work, rows):
    rng = random.Random(1)
    for begin in range(0, rows, SHARD):
        count = min(SHARD, rows - begin)
        name = f"{begin // SHARD:06}"
        with open(work / "scores" / f"{name}.jsonl", "w", encoding="utf-8") as out:
            for position in range(begin, begin + count):
                digest = hashlib.sha256(str(position if rng.random() > 0.05 else position // 50).encode()).hexdigest()
                out.write(json.dumps({
                    "position": position, "where": f"items.jsonl:{position + 1}", "media": f"{position}.jpg", "kind": "image",
                    "caption": f"picture {digest[:8]}", "content": digest[:32], "caption_key": digest[:16], "hash": digest,
                    "thumb": (digest * 3)[:192], "has_features": True,
                    "scores": {"width": 300, "height": 200, "aspect": rng.uniform(1, 3.2), "contrast": rng.uniform(3, 90),
                               "entropy": rng.uniform(1, 5), "blur": rng.uniform(0.1, 0.65), "sharpness": rng.uniform(10, 900),
                               "dark_share": 0.1, "bright_share": 0.1, "caption_chars": 16, "caption_repetition": 0,
                               "caption_symbols": 0, "caption_controls": 0}}) + "\n")
        with open(work / "features" / f"{name}.vl3f", "wb") as out:
            out.write(b"VL3F" + struct.pack("<I", SIZE))
            halves = [struct.pack("<f", rng.gauss(0, SIZE ** -0.5))[2:] for _ in range(count * SIZE)]
            out.write(b"".join(halves))


# What is measured: the search for near duplicates and the memory it may take.
SETTINGS = {"16 MiB, distance 15": ["duplicates.max_hash_distance=15", "duplicates.memory_bytes=16777216"],
            "16 MiB, distance 28": ["duplicates.memory_bytes=16777216"],
            "defaults": []}


def run(command):
    """The report of the run, with its peak memory and seconds."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, status
    report = json.loads(text)
    return {"peak_mib": round(usage.ru_maxrss / 1024, 1), "seconds": round(time.monotonic() - start, 1),
            "kept": report["kept"], "select_s": report["select_s"], "write_s": report["write_s"]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("vl3")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 1_000_000])
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    for rows in args.rows:
        items, out = args.folder / f"items-{rows}.jsonl", args.folder / f"out-{rows}"
        with open(items, "w", encoding="utf-8") as file:
            for position in range(rows):
                file.write(f'{{"image": "{position}.jpg", "caption": "picture {position}"}}\n')
        shutil.rmtree(out, ignore_errors=True)
        for name in ("scores", "features"):
            (out / "work" / name).mkdir(parents=True)
        write_scores(out / "work", rows)
        for name, settings in SETTINGS.items():
            command = [args.vl3, "curate", "--input", items, "--output", out, "--merge", "--json", "--quiet"]
            for setting in ["clusters.count=100", "clusters.sample_items=4000", f"clusters.target_items={rows // 10}",
                            "text.max_template_items=0", *settings]:
                command += ["--set", setting]
            print(json.dumps({"rows": rows, "settings": name, **run(command)}), flush=True)
        shutil.rmtree(out)
        items.unlink()


if __name__ == "__main__":
    main()
