"""load_in_transformers.py FOLDER REFERENCE MODE: loads what vl3 wrote with transformers.

MODE "equal": FOLDER and REFERENCE (both native) must give the same logits for text, an image and a video, and have
equal tokenizers, processors and generation settings. "loads": the model only has to run. "tokenizer": FOLDER is
remote; only its tokenizer is loaded. Exit status 77, with a word, where a package is missing."""
import json
import sys
from pathlib import Path

try:
    import torch
    import transformers
    from transformers import AutoConfig, AutoTokenizer, GenerationConfig, Qwen2TokenizerFast

    if not hasattr(transformers, "VideoLlama3ForConditionalGeneration"):
        raise ImportError(f"transformers {transformers.__version__} has no VideoLlama3")
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

TEXT = "<|im_start|>user\nTime 1.0s: the cat moves left.\n你好 <|im_end|>\n"


def expect(condition, what):
    if not condition:
        print(f"FAILED: {what}")
        sys.exit(1)


def load_model(folder):
    model, info = transformers.VideoLlama3ForConditionalGeneration.from_pretrained(
        folder, dtype="auto", output_loading_info=True)
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        expect(not info[kind], f"{folder}: {kind} {info[kind]}")
    return model.eval()


def inputs(config, dtype, seed=0):
    """One image of 4x6 patches and one video of 2 frames of 4x4 patches, merged 2x2, around some text."""
    random = torch.Generator().manual_seed(seed)
    image, video = config.image_token_id, config.video_token_id
    words = torch.randint(0, 300, (7,), generator=random).tolist()
    ids = words + [image] * 24 + words[:2] + [video] * 8 + words[::-1]
    width = 3 * config.vision_config.patch_size**2
    patches = lambda n: (torch.rand(n, width, generator=random) * 2 - 1).to(dtype)
    return {
        "input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids), dtype=torch.long),
        "pixel_values": patches(24), "image_grid_thw": torch.tensor([[1, 4, 6]]),
        "image_merge_sizes": torch.tensor([1]),
        "pixel_values_videos": patches(32), "video_grid_thw": torch.tensor([[2, 4, 4]]),
        "video_merge_sizes": torch.tensor([2]), "video_compression_mask": torch.ones(8, dtype=torch.bool),
    }


def logits(model):
    with torch.inference_mode():
        return model(**inputs(model.config, model.dtype)).logits


def compare_processors(folder, reference):
    try:
        import torchvision  # noqa: F401  the video processor needs it
    except ImportError:
        return "processor not compared (no torchvision)"
    from transformers import AutoProcessor

    # max_frames is a setting of the source; the remote golden's own default differs from the native one's.
    ours, theirs = (AutoProcessor.from_pretrained(place) for place in (folder, reference))
    expect(type(ours).__name__ == "VideoLlama3Processor", f"AutoProcessor gave {type(ours).__name__}")
    expect(ours.image_processor.to_dict() == theirs.image_processor.to_dict(), "image processors differ")
    skip = {"max_frames"}
    a, b = ({k: v for k, v in p.video_processor.to_dict().items() if k not in skip} for p in (ours, theirs))
    expect(a == b, f"video processors differ: {a} {b}")
    parts = [{"type": "image"}, {"type": "video"}, {"type": "text", "text": "what?"}]
    chat = [{"role": "user", "content": parts}]
    texts = [p.apply_chat_template(chat, add_generation_prompt=True, tokenize=False) for p in (ours, theirs)]
    expect(texts[0] == texts[1], f"templates differ: {texts}")
    return "processor equal"


def main(folder, reference, mode):
    if mode == "tokenizer":
        config = json.loads((Path(folder) / "config.json").read_text())
        tokenizer = Qwen2TokenizerFast.from_pretrained(folder)
        ids = tokenizer("<image><|stream_start|>x<|stream_end|>", add_special_tokens=False)["input_ids"]
        first = config["image_token_index"]
        expect([ids[0], ids[1], ids[-1]] == [first, first + 1, first + 2], f"added tokens give {ids}")
        expect(tokenizer.decode(ids, skip_special_tokens=True) == "x", "added tokens are not special")
        return "tokenizer loads"
    expect(type(AutoConfig.from_pretrained(folder)).__name__ == "VideoLlama3Config", "AutoConfig")
    ours = load_model(folder)
    result = logits(ours)
    expect(bool(torch.isfinite(result).all()), "logits are not finite")
    if mode == "loads":
        return f"runs in {ours.dtype}"
    difference = (result - logits(load_model(reference))).abs().max().item()
    expect(difference == 0, f"logits differ by {difference}")
    tokenizers = [AutoTokenizer.from_pretrained(place) for place in (folder, reference)]
    encoded = [t(TEXT)["input_ids"] for t in tokenizers]
    expect(encoded[0] == encoded[1], f"token ids differ: {encoded}")
    for token, id in (("<|image_pad|>", ours.config.image_token_id), ("<|video_pad|>", ours.config.video_token_id)):
        expect(tokenizers[0].convert_tokens_to_ids(token) == id, f"id of {token}")
    generation = [GenerationConfig.from_pretrained(place).to_dict() for place in (folder, reference)]
    expect(generation[0] == generation[1], f"generation settings differ: {generation}")
    chat = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "what?"}]}]
    texts = [t.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) for t in tokenizers]
    expect(texts[0] == texts[1], f"templates differ: {texts}")
    return f"logits equal, tokenizer equal, {compare_processors(folder, reference)}"


transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
print(main(*sys.argv[1:]))
