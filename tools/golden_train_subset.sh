#!/usr/bin/env bash
# Copies the project's own small part of a full training set to tests/data/golden_train (at most 4 MB):
# golden_train_subset.sh SET. The second model (extra_model_path) is the one of tests/data/golden.
set -euo pipefail
set_dir=$(realpath "$1")
out=$(dirname "$(realpath "$0")")/../tests/data/golden_train
# Every sample of a run's pool, and one each of the folder, uneven stream and cut kinds.
samples=(image_one two_images image_folder video_folder video_mp4 grounding text_only text_system text_multi multi_turn
         stream_even stream_uneven trunc_answer trunc_no_label trunc_multi
         image_one.im2 two_images.im2 multi_turn.im2)
gradients=(mb1_three.pruned)   # of the others only batch and loss
runs=(stage1_large_clip stage3_large)
rm -rf "$out"
mkdir -p "$out/samples" "$out/micro_batches" "$out/runs"
cp -r "$set_dir"/{README.md,manifest.json,noise.json,param_groups.json,model,data,frames,lora} "$out/"
for name in "${samples[@]}"; do
  cp "$set_dir/samples/$name.json" "$set_dir/samples/$name.safetensors" "$out/samples/"
done
cp "$set_dir"/micro_batches/*.batch.safetensors "$set_dir/micro_batches/micro_batches.json" "$out/micro_batches/"
for name in "${gradients[@]}"; do
  cp "$set_dir/micro_batches/$name.safetensors" "$out/micro_batches/"
done
cp "$set_dir/runs/schedule.json" "$out/runs/"
for name in "${runs[@]}"; do
  cp "$set_dir/runs/$name.json" "$set_dir/runs/$name.safetensors" "$out/runs/"
done
chmod -R u+w "$out"
python3 - "$out" <<'PY'
import json, sys
from pathlib import Path
out = Path(sys.argv[1])

def edit(path, change):
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

def keep_samples(manifest):
    manifest["samples"] = [s for s in manifest["samples"] if (out / "samples" / f"{s}.json").exists()]

def drop_missing(batches):
    for key in list(batches):
        if not all((out / "samples" / f"{s}.json").exists() for s in batches[key]["samples"]):
            del batches[key]
            (out / "micro_batches" / f"{key}.batch.safetensors").unlink()
    for batch in batches.values():
        if batch["gradients"] and not (out / batch["gradients"]).exists():
            batch["gradients"] = None

edit(out / "manifest.json", keep_samples)
edit(out / "micro_batches" / "micro_batches.json", drop_missing)
PY
du -sk --apparent-size "$out"
