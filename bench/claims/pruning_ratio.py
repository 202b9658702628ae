#!/usr/bin/env python3
"""Share of visual tokens that pruning keeps, over sensor noise, static background, codec and threshold (docs/claims.md, C3a).

usage: pruning_ratio.py VL3 MODEL WORK_DIR [CLIPS]     prints Markdown tables; the clips are generated, nothing is trained
"""
import json
import shutil
import subprocess
import sys
from pathlib import Path

THRESHOLDS = [0.1, 1, 4, 8, 16, 25.5]  # of 255 x the normalised difference: twice the difference in grey levels
SIDES = {"min_side": 140, "max_side": 196}


def clips(vl3, folder, count, options, codec):
    shutil.rmtree(folder, ignore_errors=True)
    file = folder.with_suffix(".json")
    file.write_text(json.dumps(SIDES | options))
    subprocess.run([vl3, "synth", "--out", folder, "--count", str(count), "--kinds", "video@f16", "--seed", "7", "--options", file,
                    "--video-codec", codec, "--file-fps", "1"], check=True)
    return sorted((folder / "media").iterdir())


def kept(vl3, model, clip, threshold):
    """Visual tokens before pruning, and those that are kept."""
    plan = subprocess.run([vl3, "plan", "--model", model, "--measure", "--json", "--prune-threshold", str(threshold), "--video", clip],
                          check=True, capture_output=True, text=True).stdout
    plan = json.loads(plan)
    return plan["visual_tokens"], plan["visual_tokens_kept"]


def table(title, rows, vl3, model, work, count):
    print(f"\n| {title} | " + " | ".join(f"{threshold:g}" for threshold in THRESHOLDS) + " |\n" + "|---" * (len(THRESHOLDS) + 1) + "|")
    for name, options, codec in rows:
        media = clips(vl3, work / "clips", count, options, codec)
        cells = []
        for threshold in THRESHOLDS:
            counts = [kept(vl3, model, clip, threshold) for clip in media]
            cells.append(f"{sum(k for _, k in counts) / sum(n for n, _ in counts):.2f}")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def main():
    vl3, model, work = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    count = int(sys.argv[4]) if len(sys.argv) > 4 else 10
    work.mkdir(parents=True, exist_ok=True)
    noise = [(f"{static:g}, {deviation:g}", {"codec": "raw", "static_share": static, "sensor_noise": deviation}, "png")
             for static in (1, 0.99, 0.9, 0.5, 0) for deviation in (0, 0.25, 1, 4)]
    table("static share, noise (grey levels)", noise, vl3, model, work, count)
    codecs = [(f"{static:g}, {name}", {"codec": damage, "static_share": static, "sensor_noise": 0}, container)
              for static in (1, 0.9) for name, damage, container in
              (("raw", "raw", "png"), ("JPEG a frame", "jpeg", "png"), ("H.264", "raw", "h264"))]
    table("static share, codec", codecs, vl3, model, work, count)


if __name__ == "__main__":
    main()
