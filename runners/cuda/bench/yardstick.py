"""What PyTorch and transformers do on the same card, to set beside this package's figures.

    python3 runners/cuda/bench/yardstick.py                      # all, about two minutes on an H100
    python3 runners/cuda/bench/yardstick.py attention decoding   # some
    python3 runners/cuda/bench/yardstick.py --tiny               # the same work, small, on a processor too: does it run?
    go test ./runners/cuda -run XXX -bench . -benchtime 9x

Run both on one card, one after the other: cards and clocks differ. Medians of nine after a warm-up,
device time, bf16, random weights:

    attention     causal attention of 16K tokens, 32 heads of 128, by PyTorch's own flash backend and by cuDNN
    product, copy a square product; a copy counted as bytes read and written
    products      those of one decoding step of Llama-2-7B's shape as a CUDA graph
    decoding      a whole step written by hand over a static cache, compiled around attention and captured in a CUDA
                  graph, Llama-2-7B's and Mistral-7B's shape, 16K and 1024 rows
    transformers  prefill of 16K tokens and a step behind it and behind 1024, as the library runs a model (SDPA)
    families      prefill of 16K tokens and a step behind it of newer models' shapes, as the library runs them in bfloat16
    kvpress       where it is named (it wants transformers before 5.3): Llama-3-8B's shape, 2K to 32K tokens read, and read
                  and cut to 1024 by its SnapKV, and steps behind both
"""

import argparse
import time

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

SHAPES = {  # layers, width, feed-forward, query and KV heads of 128, vocabulary
    "llama-2-7b": (32, 4096, 11008, 32, 32, 32000),
    "mistral-7b": (32, 4096, 14336, 32, 8, 32000),
}
LLAMA3 = (32, 4096, 14336, 32, 8, 128256)
PROMPT, KEPT, SIZE = 16384, 1024, 128


def random(*shape):
    return torch.randn(*shape, device=DEVICE, dtype=torch.bfloat16) * 0.02


def median(f, repeats=9):
    """Milliseconds of f."""
    for _ in range(3):
        f()
    times = []
    for _ in range(repeats):
        if DEVICE == "cpu":
            start = time.perf_counter()
            f()
            times.append(1000 * (time.perf_counter() - start))
            continue
        start, stop = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        f()
        stop.record()
        stop.synchronize()
        times.append(start.elapsed_time(stop))
    return sorted(times)[len(times) // 2]


def captured(f):
    """f as a CUDA graph."""
    for _ in range(3):  # compiles, and takes the libraries' memory
        f()
    if DEVICE == "cpu":
        return f
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        f()
    return graph.replay


def attention():
    heads = SHAPES["llama-2-7b"][3]
    q, k, v = (random(1, heads, PROMPT, SIZE) for _ in range(3))
    for name, backend in (("flash", SDPBackend.FLASH_ATTENTION), ("cudnn", SDPBackend.CUDNN_ATTENTION)):
        try:
            with sdpa_kernel(backend):
                ms = median(lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True))
        except RuntimeError as e:
            print(f"attention {name}: {str(e).splitlines()[0]}")
            continue
        print(f"attention {name}: {ms:.3f} ms, {2 * PROMPT * PROMPT * SIZE * heads / ms / 1e9:.0f} TFLOP/s")


def product():
    n = PROMPT // 2
    a, b = random(n, n), random(n, n)
    ms = median(lambda: a @ b.T)
    print(f"product {n}: {ms:.3f} ms, {2 * n**3 / ms / 1e9:.0f} TFLOP/s")


def copy():
    a = torch.empty(PROMPT << 18, device=DEVICE, dtype=torch.uint8)
    b = torch.empty_like(a)
    ms = median(lambda: b.copy_(a))
    print(f"copy: {2 * a.numel() / ms / 1e6:.0f} GB/s")


def products():
    layers, width, ff, _, _, vocab = SHAPES["llama-2-7b"]
    shapes = [(3 * width, width), (width, width), (2 * ff, width), (width, ff)] * layers + [(vocab, width)]
    weights = [random(*s) for s in shapes]
    inputs = {c: random(1, c) for c in (width, ff)}

    def run():
        for w in weights:
            F.linear(inputs[w.shape[1]], w)

    ms = median(captured(run))
    print(f"products of a step: {ms:.3f} ms, {sum(w.numel() for w in weights) * 2 / ms / 1e6:.0f} GB/s")


def norm(x, g):
    y = x.float()
    return (y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + 1e-5) * g).to(x.dtype)


def before(x, g, qkv, kv, cos, sin):
    """A token's query, key and value, turned, (1, heads, 1, SIZE)."""
    heads = qkv.shape[0] // SIZE - 2 * kv
    q, k, v = F.linear(norm(x, g), qkv).view(1, -1, 1, SIZE).split((heads, kv, kv), 1)

    def rotate(y):
        a, b = y.float().chunk(2, -1)
        return torch.cat((a * cos - b * sin, b * cos + a * sin), -1).to(y.dtype)

    return rotate(q), rotate(k), v


def after(x, a, g, out, gate_up, down):
    x = x + F.linear(a.view(1, -1), out)
    gate, up = F.linear(norm(x, g), gate_up).chunk(2, -1)
    return x + F.linear(F.silu(gate) * up, down)


@torch.no_grad()
def decoding():
    start, end = (f if DEVICE == "cpu" else torch.compile(f, dynamic=False) for f in (before, after))
    for name, (layers, width, ff, heads, kv, vocab) in SHAPES.items():
        table, output = random(vocab, width), random(vocab, width)
        weights = [(random((heads + 2 * kv) * SIZE, width), random(width, heads * SIZE), random(2 * ff, width), random(width, ff))
                   for _ in range(layers)]
        norms = torch.ones(2, width, device=DEVICE)
        cos, sin = torch.rand(2, SIZE // 2, device=DEVICE)
        for rows in (PROMPT, KEPT):
            caches = [(random(1, kv, rows, SIZE), random(1, kv, rows, SIZE)) for _ in range(layers)]
            ids = torch.zeros(1, device=DEVICE, dtype=torch.int64)

            def run():
                x = table[ids]
                for (qkv, *rest), (keys, values) in zip(weights, caches):
                    q, keys[:, :, -1:], values[:, :, -1:] = start(x, norms[0], qkv, kv, cos, sin)
                    x = end(x, F.scaled_dot_product_attention(q, keys, values, enable_gqa=heads != kv), norms[1], *rest)
                ids.copy_(F.linear(norm(x, norms[0]), output).float().argmax(-1))

            print(f"decoding {name}, {rows} rows: {median(captured(run)):.3f} ms", flush=True)
            del caches


def llama(layers, width, ff, heads, kv, vocab):
    """The library's model of a shape, with random weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(vocab_size=vocab, hidden_size=width, intermediate_size=ff, num_hidden_layers=layers, num_attention_heads=heads,
                         num_key_value_heads=kv, head_dim=SIZE, max_position_embeddings=4 * PROMPT, attn_implementation="sdpa")
    torch.set_default_dtype(torch.bfloat16)
    with torch.device(DEVICE):
        model = LlamaForCausalLM(config).eval()
    torch.set_default_dtype(torch.float32)
    return model


@torch.no_grad()
def transformers():
    from transformers import DynamicCache

    for name, (layers, width, ff, heads, kv, vocab) in SHAPES.items():
        model = llama(layers, width, ff, heads, kv, vocab)
        for rows in (PROMPT, KEPT):
            prompt = torch.randint(0, vocab, (1, rows), device=DEVICE)
            cache = DynamicCache()
            model(prompt, past_key_values=cache, logits_to_keep=1)

            def step():
                model(prompt[:, :1], past_key_values=cache, logits_to_keep=1)
                cache.crop(-1)

            print(f"transformers {name}, {rows} rows: a step {median(step):.2f} ms", flush=True)
            if rows == PROMPT:
                ms = median(lambda: model(prompt, past_key_values=DynamicCache(), logits_to_keep=1), 5)
                print(f"transformers {name}: prefill of {rows} {ms / 1000:.3f} s", flush=True)
            del cache
        del model


FAMILIES = {  # as runners/models/shapeconfigs.go has them
    "qwen3-30b-a3b": ("Qwen3Moe", dict(hidden_size=2048, num_hidden_layers=48, num_attention_heads=32, num_key_value_heads=4, head_dim=128,
                                       intermediate_size=6144, moe_intermediate_size=768, num_experts=128, num_experts_per_tok=8,
                                       norm_topk_prob=True, vocab_size=151936, max_position_embeddings=40960)),
    "gpt-oss-20b": ("GptOss", dict(hidden_size=2880, num_hidden_layers=24, num_attention_heads=64, num_key_value_heads=8, head_dim=64,
                                   intermediate_size=2880, num_local_experts=32, num_experts_per_tok=4, vocab_size=201088)),
    "qwen3-8b": ("Qwen3", dict(hidden_size=4096, num_hidden_layers=36, num_attention_heads=32, num_key_value_heads=8, head_dim=128,
                               intermediate_size=12288, vocab_size=151936, max_position_embeddings=40960)),
    "gemma-3-12b": ("Gemma3", dict(hidden_size=3840, num_hidden_layers=48, num_attention_heads=16, num_key_value_heads=8, head_dim=256,
                                   intermediate_size=15360, vocab_size=262208, sliding_window=1024, query_pre_attn_scalar=256)),
}


@torch.no_grad()
def families():
    import transformers
    from transformers.initialization import no_init_weights

    for name, (family, sizes) in FAMILIES.items():
        kind = "TextConfig" if family == "Gemma3" else "Config"
        config = getattr(transformers, family + kind)(**sizes)
        if family != "GptOss":  # whose sinks it computes in its own way
            config._attn_implementation = "sdpa"
        try:
            torch.set_default_dtype(torch.bfloat16)
            with torch.device(DEVICE), no_init_weights():
                model = getattr(transformers, family + "ForCausalLM")(config).eval()
            torch.set_default_dtype(torch.float32)
            for p in model.parameters():
                p.normal_(0, 0.02)
            prompt = torch.randint(0, sizes["vocab_size"], (1, PROMPT), device=DEVICE)
            caches = []

            def read():
                caches[:] = [transformers.DynamicCache(config=config)]
                model(prompt, past_key_values=caches[0], logits_to_keep=1)

            def step():  # the cache grows by a token
                model(prompt[:, :1], past_key_values=caches[0], logits_to_keep=1)

            prefill = median(read, 3)
            print(f"families (transformers {transformers.__version__}) {name}: prefill of {PROMPT} {prefill / 1000:.3f} s, a step {median(step):.2f} ms", flush=True)
        except Exception as e:  # one that does not run leaves the others
            print(f"families {name}: {type(e).__name__}: {str(e).splitlines()[0][:200]}", flush=True)
        torch.set_default_dtype(torch.float32)
        model = None
        caches = []
        if DEVICE == "cuda":
            torch.cuda.empty_cache()


@torch.no_grad()
def kvpress():
    from kvpress import SnapKVPress
    from transformers import DynamicCache, __version__

    vocab = LLAMA3[-1]
    model = llama(*LLAMA3)
    for n in (PROMPT // 8, PROMPT // 2, PROMPT, 2 * PROMPT):
        prompt = torch.randint(0, vocab, (1, n), device=DEVICE)
        for name, kept in (("full", n), ("snapkv", KEPT)):
            press = SnapKVPress(compression_ratio=1 - kept / n, window_size=32, kernel_size=7)

            def read():
                cache = DynamicCache()
                if kept == n:
                    model.model(prompt, past_key_values=cache)
                else:
                    with press(model):
                        model.model(prompt, past_key_values=cache)
                return cache

            cache = read()
            if cache.get_seq_length() != kept:
                raise SystemExit(f"kvpress: {cache.get_seq_length()} positions are kept of {n}, not {kept}")
            position = torch.full((1, 1), n, device=DEVICE)

            def step():
                model(prompt[:, :1], past_key_values=cache, position_ids=position, logits_to_keep=1)
                cache.crop(-1)

            print(f"kvpress (transformers {__version__}), {n} tokens, {name}: a step of one row {median(step):.2f} ms, read in {median(read, 3) / 1000:.3f} s", flush=True)
            del cache


def main():
    global DEVICE, SHAPES, LLAMA3, PROMPT, KEPT, SIZE
    all_ = {f.__name__: f for f in (attention, product, copy, products, decoding, transformers, families, kvpress)}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", help=f"of {', '.join(all_)}; all but kvpress where nothing is named")
    parser.add_argument("--tiny", action="store_true", help="small shapes: whether everything runs")
    a = parser.parse_args()
    for name in a.what:
        if name not in all_:
            parser.error(f"unknown {name!r}: have {', '.join(all_)}")
    DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
    if a.tiny:
        SHAPES = {"llama-2-7b": (2, 128, 192, 4, 4, 256), "mistral-7b": (2, 128, 256, 4, 2, 256)}
        LLAMA3 = SHAPES["mistral-7b"]
        small = dict(hidden_size=64, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2, head_dim=16, intermediate_size=64,
                     moe_intermediate_size=32, vocab_size=256)
        for _, sizes in FAMILIES.values():
            sizes.update({k: v for k, v in small.items() if k in sizes})
        PROMPT, KEPT, SIZE = 1024, 64, 32
    elif DEVICE == "cpu":
        parser.error("no GPU: --tiny tries the script on a processor")
    print(torch.cuda.get_device_name() if DEVICE == "cuda" else "cpu", "torch", torch.__version__)
    for name in a.what or [name for name in all_ if name != "kvpress"]:
        all_[name]()
        if DEVICE == "cuda":
            torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
