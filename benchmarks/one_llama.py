"""`python -m benchmarks.one_llama`: one `Llama` object that answers in turn, for the engine benchmark.

Reads lines of JSON, `{"prompts": [[token, ...], ...], "new": n, "seed": n}`, and answers each with one line, `{"first":
[s, ...], "last": [s, ...]}`, counted from the reading of the line. The object keeps the beginning that a prompt shares
with the one before it. End tokens are ignored.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import llama_cpp

from benchmarks.engine_contenders import MIN_P, TEMPERATURE, TOP_K, TOP_P


def main() -> None:
    """Load the model, then serve standard input until it ends."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.one_llama")
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--context", type=int, required=True)
    options = parser.parse_args()
    llama = llama_cpp.Llama(
        options.model, n_ctx=options.context, n_threads=options.threads, n_threads_batch=options.threads,
        n_gpu_layers=-1, flash_attn=True, verbose=False,
    )  # fmt: skip
    print("ready", flush=True)
    for line in sys.stdin:
        begin = time.perf_counter()
        asked = json.loads(line)
        first, last = [], []
        for number, prompt in enumerate(asked["prompts"]):
            llama.set_seed(asked["seed"] + number)
            written = llama.generate(prompt, top_k=TOP_K, top_p=TOP_P, min_p=MIN_P, temp=TEMPERATURE)
            for count, _ in enumerate(written, 1):
                if count == 1:
                    first.append(time.perf_counter() - begin)
                if count == asked["new"]:
                    break
            last.append(time.perf_counter() - begin)
        print(json.dumps({"first": first, "last": last}), flush=True)


if __name__ == "__main__":
    main()
