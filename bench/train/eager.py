#!/usr/bin/env python3
"""The step of train_bench.cpp in PyTorch eager: transformers' video_llama_3 in train mode with torch's AdamW.

usage: eager.py MODEL_DIR SHAPE DTYPE STEPS     DTYPE: float32, bfloat16 (weights and optimizer in bfloat16), autocast
                                                (float32 weights and optimizer, products in bfloat16)
"""
import contextlib
import json
import sys
import time

import torch
from transformers import VideoLlama3ForConditionalGeneration

SHAPES = {"tiny": (16, 8, 56, 20, 4096), "0.1b": (2, 20, 600, 300, 16384)}


def memory_kib(key):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(key))


def main():
    folder, shape, dtype, steps = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    samples, grid, text, labelled, vocab = SHAPES[shape]
    before = memory_kib("VmRSS:")
    model = VideoLlama3ForConditionalGeneration.from_pretrained(
        folder, dtype=torch.bfloat16 if dtype == "bfloat16" else torch.float32).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.0)
    torch.manual_seed(1)
    ids = torch.cat([torch.full((samples, grid * grid), model.config.image_token_id),
                     torch.randint(10, vocab, (samples, text))], 1)
    labels = ids.clone()
    labels[:, :-labelled] = -100
    pixels = torch.rand(samples * grid * grid, 588) * 2 - 1
    grids, merges = torch.tensor([[1, grid, grid]] * samples), torch.ones(samples, dtype=torch.long)
    context = torch.autocast("cpu", torch.bfloat16) if dtype == "autocast" else contextlib.nullcontext()
    best = 1e30
    for i in range(steps + 1):
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        with context:
            loss = model(input_ids=ids, pixel_values=pixels.to(model.dtype), image_grid_thw=grids, image_merge_sizes=merges,
                         labels=labels, use_cache=False).loss
        loss.backward()
        optimizer.step()
        loss = float(loss.detach())
        if i:
            best = min(best, time.perf_counter() - start)
    print(json.dumps({"tokens": ids.numel(), "seconds": round(best, 4), "tokens_per_s": round(ids.numel() / best, 1),
                      "peak_mib": round(memory_kib("VmHWM:") / 1024), "own_mib": round((memory_kib("VmHWM:") - before) / 1024),
                      "loss": round(loss, 5)}))


if __name__ == "__main__":
    main()
