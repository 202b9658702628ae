"""bfloat16 error of vl3 beside transformers' own, on the native cases of a golden set (logits against the float32 goldens).

  python bench/bf16_error.py GOLDEN_DIR build/release/bin/vl3       needs torch, transformers, safetensors
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file
from transformers import VideoLlama3ForConditionalGeneration

golden, vl3 = pathlib.Path(sys.argv[1]), sys.argv[2]
manifest = json.load(open(golden / "manifest.json"))
models = {}


def hf_logits(case, tensors):
    if case["model"] not in models:
        models[case["model"]] = VideoLlama3ForConditionalGeneration.from_pretrained(
            golden / "models" / case["model"] / "native", dtype=torch.bfloat16).eval()
    pixels = tensors["patches_u8"].float() / 127.5 - 1.0 if "patches_u8" in tensors else None
    inputs, row = {"input_ids": tensors["llm_input_ids"][None].long()}, 0
    for kind, name in (("image", "pixel_values"), ("video", "pixel_values_videos")):
        grids = case.get(f"{kind}_grid_thw") or []
        if not grids:
            continue
        rows = sum(t * h * w for t, h, w in grids)
        inputs[name] = pixels[row:row + rows].bfloat16()
        inputs[f"{kind}_grid_thw"] = torch.tensor(grids)
        inputs[f"{kind}_merge_sizes"] = torch.tensor(case[f"{kind}_merge_sizes"])
        row += rows
    if case.get("video_grid_thw"):
        inputs["video_compression_mask"] = tensors["compression_mask"].bool()
    with torch.inference_mode():
        return models[case["model"]](**inputs).logits[0, case["logits_positions"]].float()


total = {"vl3": [], "transformers": []}
for name in manifest["cases"]:
    if not name.endswith(".native") or not (golden / (name + ".json")).exists():
        continue
    case, tensors = json.load(open(golden / (name + ".json"))), load_file(golden / (name + ".safetensors"))
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "t.safetensors"
        subprocess.run([vl3, "trace", "--model", golden / "models" / case["model"] / "native", "--dtype", "bfloat16",
                        "--case", golden / (name + ".json"), "--media-root", golden, "--out", out], check=True)
        ours = (load_file(out)["logits"] - tensors["logits"]).abs()
    theirs = (hf_logits(case, tensors) - tensors["logits"]).abs()
    total["vl3"].append(ours.flatten())
    total["transformers"].append(theirs.flatten())
    print(f"{name:40} vl3 mean {ours.mean():.5f} max {ours.max():.4f}   "
          f"transformers mean {theirs.mean():.5f} max {theirs.max():.4f}")
for who, errors in total.items():
    errors = torch.cat(errors)
    print(f"{who:12} bfloat16 logits against float32: mean |error| {errors.mean():.5f}, max {errors.max():.4f}")
