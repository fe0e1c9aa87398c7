"""Writes blocks.safetensors: random blocks of every quantised type, as stored
(TYPE.raw, one row of blocks) and as gguf-py dequantises them (TYPE.values).

    pip install gguf && python blocks.py

The scales are finite halves of every size, subnormal and negative ones among
them; all other bits are random.
"""
import json
import pathlib
import struct

import gguf
import numpy as np

T = gguf.GGMLQuantizationType
HALVES = {  # where the half-precision numbers of a block lie
    T.Q8_0: [0], T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2],
    T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208], T.MXFP4: [],
}
rng = np.random.default_rng(1)
tensors = {}
for kind, halves in HALVES.items():
    size, width = gguf.GGML_QUANT_SIZES[kind]
    n = 3 if size == 256 else 8
    blocks = rng.integers(0, 256, (n, width), dtype=np.uint8)
    for at in halves:
        h = rng.integers(0, 0x7C00, n, dtype=np.uint16) | (rng.integers(0, 2, n, dtype=np.uint16) << 15)
        h[0] = 0x0203  # subnormal
        blocks[:, at:at + 2] = h.astype("<u2").view(np.uint8).reshape(n, 2)
    if kind == T.MXFP4:  # a power of two instead; 6 · 2^(252-127) is the last that is finite
        blocks[:, 0] = rng.integers(0, 253, n)
        blocks[:3, 0] = 0, 1, 252
    raw = blocks.reshape(1, -1)
    tensors[kind.name + ".raw"] = ("U8", raw.shape, raw.tobytes())
    values = gguf.dequantize(raw, kind).astype("<f4")
    assert np.isfinite(values).all()
    tensors[kind.name + ".values"] = ("F32", values.shape, values.tobytes())

header, data = {"__metadata__": {"made_by": "gguf-py " + __import__("importlib.metadata").metadata.version("gguf")}}, b""
for name, (dtype, shape, raw) in tensors.items():
    header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
    data += raw
head = json.dumps(header).encode()
pathlib.Path(__file__).with_name("blocks.safetensors").write_bytes(struct.pack("<Q", len(head)) + head + data)
