"""What PyTorch does on the same card, to set beside this package's benchmarks.

    python3 runners/cuda/bench/yardstick.py
    go test ./runners/cuda -run XXX -bench . -benchtime 9x

Run both in one session: cards and clocks differ. Medians of nine after a warm-up,
device time: causal attention of 16K tokens, 32 heads of 128, bf16, by PyTorch's own
flash backend and by cuDNN; a square product; a copy counted as bytes read and
written; the products of one decoding step of Llama-2-7B's shape as a CUDA graph.
"""

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel


def median(f, repeats=9):
    for _ in range(3):
        f()
    times = []
    for _ in range(repeats):
        start, stop = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        f()
        stop.record()
        stop.synchronize()
        times.append(start.elapsed_time(stop))
    return sorted(times)[len(times) // 2]


def attention(n=16384, heads=32, size=128):
    q, k, v = (torch.randn(1, heads, n, size, device="cuda", dtype=torch.bfloat16) for _ in range(3))
    for name, backend in (("flash", SDPBackend.FLASH_ATTENTION), ("cudnn", SDPBackend.CUDNN_ATTENTION)):
        try:
            with sdpa_kernel(backend):
                ms = median(lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True))
        except RuntimeError as e:
            print(f"attention {name}: {str(e).splitlines()[0]}")
            continue
        print(f"attention {name}: {ms:.3f} ms, {2 * n * n * size * heads / ms / 1e9:.0f} TFLOP/s")


def product(n=8192):
    a, b = (torch.randn(n, n, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    ms = median(lambda: a @ b.T)
    print(f"product {n}: {ms:.3f} ms, {2 * n**3 / ms / 1e9:.0f} TFLOP/s")


def copy(gib=4):
    a = torch.empty(gib << 30, device="cuda", dtype=torch.uint8)
    b = torch.empty_like(a)
    ms = median(lambda: b.copy_(a))
    print(f"copy: {2 * a.numel() / ms / 1e6:.0f} GB/s")


def step(layers=32, width=4096, ff=11008, vocab=32000):
    shapes = [(3 * width, width), (width, width), (2 * ff, width), (width, ff)] * layers + [(vocab, width)]
    weights = [torch.randn(s, device="cuda", dtype=torch.bfloat16) for s in shapes]
    inputs = {c: torch.randn(1, c, device="cuda", dtype=torch.bfloat16) for c in (width, ff)}

    def run():
        for w in weights:
            F.linear(inputs[w.shape[1]], w)

    run()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    ms = median(graph.replay)
    print(f"products of a step: {ms:.3f} ms, {sum(w.numel() for w in weights) * 2 / ms / 1e6:.0f} GB/s")


if __name__ == "__main__":
    print(torch.cuda.get_device_name(), "torch", torch.__version__)
    attention()
    product()
    copy()
    step()
