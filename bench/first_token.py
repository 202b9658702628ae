#!/usr/bin/env python3
"""The first token of a question about a video in transformers, for the row video64 of bench/compare and `vl3 bench`.

  bench/first_token.py MODEL_DIR [--frames 64] [--side 392] [--kept 0.25] [--runs 1] [--threads 2]

Frames come as patches that are drawn at random: neither decoding nor resizing is counted here, as they are in `vl3 bench`. --kept is the share
of visual tokens that pruning leaves; `vl3 bench --json` says which it was there. Needs torch and transformers.
"""
import argparse
import resource
import statistics
import time

import torch
from transformers import VideoLlama3ForConditionalGeneration

PATCH, MERGE = 14, 2


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--side", type=int, default=392)
    parser.add_argument("--kept", type=float, default=0.25)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = VideoLlama3ForConditionalGeneration.from_pretrained(options.model, dtype=torch.bfloat16, attn_implementation="sdpa").eval()
    side = options.side // PATCH
    patches, tokens = options.frames * side * side, options.frames * (side // MERGE) ** 2
    torch.manual_seed(0)
    mask = torch.zeros(tokens, dtype=torch.bool)
    mask[torch.randperm(tokens)[: round(tokens * options.kept)]] = True
    kept = int(mask.sum())
    video = model.config.video_token_id
    text = torch.randint(0, min(600, video), (24,))
    ids = torch.cat([text[:12], torch.full((kept,), video), text[12:]])[None]
    seconds = []
    with torch.inference_mode():
        for _ in range(options.runs):
            pixels = torch.randn(patches, 3 * PATCH * PATCH).to(torch.bfloat16)
            start = time.perf_counter()
            output = model(input_ids=ids, pixel_values_videos=pixels, video_grid_thw=torch.tensor([[options.frames, side, side]]),
                           video_merge_sizes=torch.tensor([MERGE]), video_compression_mask=mask, use_cache=True, logits_to_keep=1)
            output.logits[0, -1].argmax().item()
            seconds.append(time.perf_counter() - start)
    rate = options.frames / statistics.median(seconds)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1048576
    print(f"video{options.frames}: frames/s median {rate:.3f} ({statistics.median(seconds):.1f} s to the first token, {kept} of {tokens} tokens kept; "
          f"{len(seconds)} runs), peak RSS {peak:.2f} GiB")


if __name__ == "__main__":
    main()
