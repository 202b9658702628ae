"""compose_with_transformers.py make FOLDER: small random SigLIP models (siglip, siglip_vision) and a Qwen2 with a tokenizer
(lm), saved by transformers. check FOLDER TOWER OUT: transformers loads OUT, which vl3 composed of TOWER and lm, with
every weight of theirs. Exit status 77, with a word, where a package is missing."""
import json
import sys
from pathlib import Path

try:
    import torch
    import transformers
    from transformers import Qwen2Config, Qwen2ForCausalLM, SiglipConfig, SiglipModel, SiglipVisionConfig, SiglipVisionModel

    if not hasattr(transformers, "VideoLlama3ForConditionalGeneration"):
        raise ImportError(f"transformers {transformers.__version__} has no VideoLlama3")
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

VISION = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2, patch_size=14, image_size=56)


def make(folder):
    torch.manual_seed(0)
    vision = SiglipVisionConfig(**VISION)
    text = dict(vocab_size=50, hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=2,
                projection_size=32)
    SiglipModel(SiglipConfig(vision_config=vision.to_dict(), text_config=text)).save_pretrained(folder / "siglip")
    SiglipVisionModel(vision).save_pretrained(folder / "siglip_vision")
    config = Qwen2Config(vocab_size=300, hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=3,
                         num_key_value_heads=1, tie_word_embeddings=True, eos_token_id=257)
    Qwen2ForCausalLM(config).to(torch.bfloat16).save_pretrained(folder / "lm")
    vocab = {chr(0x100 + i): i for i in range(256)}
    added = ["<|im_start|>", "<|im_end|>", "<|image_pad|>", "<|video_pad|>"]
    tokenizer = {"version": "1.0", "model": {"type": "BPE", "vocab": vocab, "merges": []},
                 "added_tokens": [{"id": 256 + i, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
                                   "normalized": False, "special": True} for i, content in enumerate(added)]}
    (folder / "lm/tokenizer.json").write_text(json.dumps(tokenizer))


def check(folder, tower, out):
    model, info = transformers.VideoLlama3ForConditionalGeneration.from_pretrained(out, dtype="auto", output_loading_info=True)
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        assert not info[kind], (kind, info[kind])
    vision = (SiglipModel if tower == "siglip" else SiglipVisionModel).from_pretrained(folder / tower)
    lm = Qwen2ForCausalLM.from_pretrained(folder / "lm", dtype="auto")
    assert model.dtype == torch.bfloat16
    theirs = dict(lm.model.named_parameters())
    ours = dict(model.model.language_model.named_parameters())
    assert theirs.keys() == ours.keys()
    assert all(torch.equal(theirs[name], ours[name]) for name in theirs)
    vision = getattr(vision, "vision_model", vision)
    theirs = {name: value for name, value in vision.named_parameters() if "position_embedding" not in name and not name.startswith("head.")}
    ours = dict(model.model.vision_model.named_parameters())
    assert theirs.keys() == ours.keys(), theirs.keys() ^ ours.keys()
    assert all(torch.equal(theirs[name].to(torch.bfloat16), ours[name]) for name in theirs)
    config = model.config
    assert (config.image_token_id, config.video_token_id) == (258, 259), config
    print(f"loads, {len(ours)} tensors of the tower and {len(dict(lm.named_parameters()))} of the decoder equal")


if sys.argv[1] == "make":
    make(Path(sys.argv[2]))
else:
    check(Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
