#!/usr/bin/env python3
"""Runs vl3_train_bench and eager.py in alternation and prints the best of each: tokens/s, peak memory, ratios.

usage: compare.py BENCH_PROGRAM PYTHON WORK_DIR SHAPE[,SHAPE…] [ROUNDS] [STEPS]
"""
import json
import subprocess
import sys
from pathlib import Path

# our dtype and checkpointing -> the eager variants it is compared with
PAIRS = {"float32": ["float32"], "bfloat16": ["bfloat16", "autocast"]}


def run(command):
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return json.loads(lines[-1])


def main():
    program, python, work, shapes = sys.argv[1:5]
    rounds = int(sys.argv[5]) if len(sys.argv) > 5 else 3
    steps = sys.argv[6] if len(sys.argv) > 6 else "3"
    eager = str(Path(__file__).with_name("eager.py"))
    for shape in shapes.split(","):
        model = f"{work}/{shape}"
        for dtype, others in PAIRS.items():
            found = {}
            for _ in range(rounds):
                for name, command in (
                    [(f"vl3 {dtype}", [program, model, shape, dtype, steps, "0"]),
                     (f"vl3 {dtype} recompute", [program, model, shape, dtype, steps, "1"])]
                    + [(f"eager {other}", [python, eager, model, shape, other, steps]) for other in others]
                ):
                    result = run(command)
                    if name not in found or result["seconds"] < found[name]["seconds"]:
                        found[name] = result
            for name, result in found.items():
                ratios = ", ".join(
                    f"{result['tokens_per_s'] / found[f'eager {o}']['tokens_per_s']:.2f}x speed {result['peak_mib'] / found[f'eager {o}']['peak_mib']:.2f}x peak "
                    f"{result['own_mib'] / found[f'eager {o}']['own_mib']:.2f}x own of eager {o}" for o in others)
                print(f"{shape} {name}: {result['tokens_per_s']:.0f} tokens/s, peak {result['peak_mib']:.0f} MiB "
                      f"({result['own_mib']:.0f} beyond libraries); {ratios}", flush=True)


if __name__ == "__main__":
    main()
