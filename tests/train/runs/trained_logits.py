"""trained_logits.py FOLDER TRACE: transformers gives the checkpoint FOLDER (native layout) the logits that `vl3 trace` wrote to
TRACE.safetensors. Exit status 77, with a word, where a package is missing."""
import json
import sys

try:
    import torch
    import transformers
    from safetensors.torch import load_file

    if not hasattr(transformers, "VideoLlama3ForConditionalGeneration"):
        raise ImportError(f"transformers {transformers.__version__} has no VideoLlama3")
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
folder, trace = sys.argv[1:]
model, info = transformers.VideoLlama3ForConditionalGeneration.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
    if info[kind]:
        sys.exit(f"{kind}: {info[kind]}")
tensors, rest = load_file(trace + ".safetensors"), json.load(open(trace + ".json"))
ids = tensors["input_ids"].long()[None]
with torch.inference_mode():
    logits = model.eval()(input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values=tensors["pixel_values"],
                          image_grid_thw=torch.tensor(rest["image_grid_thw"]),
                          image_merge_sizes=torch.tensor(rest["image_merge_sizes"])).logits[0]
logits = logits[rest["logits_positions"]]
difference = (logits - tensors["logits"]).abs().max().item()
print(f"logits differ by {difference:.2g} at most, of {logits.abs().max().item():.3g}")
sys.exit(0 if logits.shape == tensors["logits"].shape and difference < 1e-4 else 1)
