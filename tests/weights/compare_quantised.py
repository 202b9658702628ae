"""compare_quantised.py FOLDER INPUTS: what transformers with compressed-tensors makes of a folder of `vl3 quantize`.

INPUTS is a safetensors file with "ids" (text around 24 image places), "pixels" (4 x 6 patches) and our logits:
"exact" with the weights' rounding alone, "as_run" with inputs rounded, too, and "original" of the float model. Exit
status 77, with a word, where a package is missing."""
import json
import shutil
import sys
import tempfile
from pathlib import Path

try:
    import compressed_tensors
    import torch
    import transformers
    from safetensors.torch import load_file

    if not hasattr(transformers, "VideoLlama3ForConditionalGeneration"):
        raise ImportError(f"transformers {transformers.__version__} has no VideoLlama3")
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)


def expect(condition, what):
    if not condition:
        print(f"FAILED: {what}")
        sys.exit(1)


def logits(folder, given):
    model, info = transformers.VideoLlama3ForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, output_loading_info=True)
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        expect(not info[kind], f"{folder}: {kind} {info[kind]}")
    ids = given["ids"][None]
    with torch.inference_mode():
        return model.eval()(input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values=given["pixels"],
                            image_grid_thw=torch.tensor([[1, 4, 6]]),
                            image_merge_sizes=torch.tensor([1])).logits[0]


def main(folder, inputs):
    given = load_file(inputs)
    with tempfile.TemporaryDirectory() as weights_only:
        # The same folder without rounding of inputs.
        for file in Path(folder).iterdir():
            shutil.copy(file, weights_only)
        config = json.loads((Path(folder) / "config.json").read_text())
        for group in config["quantization_config"]["config_groups"].values():
            group["input_activations"] = None
        (Path(weights_only) / "config.json").write_text(json.dumps(config))
        exact = (logits(weights_only, given) - given["exact"]).abs().max().item()
    scale = given["exact"].abs().max().item()
    expect(exact < 1e-4 * max(1, scale), f"with exact inputs logits differ by {exact} of {scale}")
    theirs = logits(folder, given)
    ours = (given["as_run"] - given["original"]).norm().item()
    apart = (theirs - given["as_run"]).norm().item()
    # They round inputs to 255 steps, we to 254, and leave those of 4-bit weights as they are: as far apart as
    # two roundings are.
    expect(apart < 1.5 * ours, f"with rounded inputs logits are {apart} apart, ours {ours} from the original's")
    return (f"compressed-tensors {compressed_tensors.__version__}: exact inputs differ by {exact:.1e} of {scale:.1f}, "
            f"rounded ones by {apart:.3f}, the loss itself is {ours:.3f}")


transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
print(main(*sys.argv[1:]))
