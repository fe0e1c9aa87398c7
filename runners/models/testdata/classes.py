"""Writes classes.json: what transformers' classes make of config.json files, with keys missing, null, unusual or in two places.

Each case is the forward pass of a small model with random weights: the frequencies of its rotation and what cosines and sines are
multiplied by, how many positions each layer's last token sees, and what decides the shapes. `pip install torch transformers`, then
`python classes.py`. Recorded with transformers 5.24 and torch 2.15.
"""

import json
import pathlib

import torch
from transformers import AutoConfig, AutoModelForCausalLM
import tempfile

N = 48
BASE = dict(hidden_size=64, num_attention_heads=4, num_key_value_heads=2, head_dim=16, intermediate_size=96, vocab_size=128,
            num_hidden_layers=4, max_position_embeddings=512, rms_norm_eps=1e-5, rope_theta=1e4, tie_word_embeddings=False)
MOE = dict(num_experts=4, num_experts_per_tok=2, moe_intermediate_size=32)
FAMILIES = {
    "llama": {}, "mistral": dict(sliding_window=20), "mixtral": dict(num_local_experts=4, num_experts_per_tok=2, sliding_window=None),
    "qwen2": {}, "qwen3": {}, "qwen3_moe": MOE, "gemma2": dict(sliding_window=20), "gemma3_text": dict(sliding_window=20, sliding_window_pattern=2),
    "gpt_oss": dict(num_local_experts=4, num_experts_per_tok=2, sliding_window=20), "phi3": dict(pad_token_id=0),
}
SHORT, LONG = [1 + i / 8 for i in range(8)], [2.0 + i for i in range(8)]
yarn = dict(rope_type="yarn", factor=4.0)
llama3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0)
longrope = dict(rope_type="longrope", short_factor=SHORT, long_factor=LONG)
linear = dict(rope_type="linear", factor=2.0)
own = dict(original_max_position_embeddings=128)
GONE = "gone"
slides = dict(use_sliding_window=True, sliding_window=20, max_window_layers=2)
half = ["sliding_attention", "full_attention"] * 2

CASES = [(family, {}) for family in FAMILIES]
CASES += [(family, {key: GONE}) for family in FAMILIES for key in ("num_key_value_heads", "head_dim", "rms_norm_eps", "rope_theta")
          if (family, key) not in {("qwen2", "num_key_value_heads"), ("qwen3", "num_key_value_heads"), ("gpt_oss", "num_key_value_heads"),
                                   ("mistral", "num_key_value_heads"), ("mixtral", "num_key_value_heads")}]
CASES += [(family, dict(num_key_value_heads=GONE, num_attention_heads=heads)) for family, heads in
          (("mistral", 16), ("mixtral", 16), ("gpt_oss", 16), ("qwen2", 32), ("qwen3", 32))]
CASES += [
    ("llama", dict(num_key_value_heads=None)), ("mistral", dict(sliding_window=None)), ("mistral", dict(layer_types=half)),
    ("mixtral", dict(sliding_window=20)), ("phi3", dict(sliding_window=20)), ("qwen2", dict(sliding_window=20)),
    ("qwen2", slides), ("qwen2", dict(slides, layer_types=half)), ("qwen2", dict(slides, max_window_layers=GONE)),
    ("qwen3", slides), ("qwen3_moe", slides), ("qwen3_moe", dict(slides, max_window_layers=GONE)),
    ("gpt_oss", dict(attention_bias=False)), ("gpt_oss", dict(layer_types=half[::-1])), ("gpt_oss", dict(rope_scaling=None, rope_theta=GONE)),
    ("gpt_oss", dict(rope_scaling=dict(yarn, truncate=False, **own))), ("gpt_oss", dict(rope_parameters={}, rope_theta=GONE)),
    ("gpt_oss", dict(rope_parameters=dict(rope_type="default"), rope_theta=GONE)),
    ("llama", dict(rope_scaling=linear, rope_parameters=dict(rope_type="linear", factor=3.0))),
    ("llama", dict(rope_scaling={}, rope_parameters=dict(rope_type="linear", factor=3.0, rope_theta=55.0))),
    ("llama", dict(rope_scaling=dict(linear, rope_theta=333.0))), ("llama", dict(rope_scaling=dict(yarn, truncate=None, **own))),
    ("llama", dict(rope_scaling=dict(yarn, truncate=False, **own))), ("llama", dict(rope_scaling=dict(yarn, attention_factor=None, **own))),
    ("llama", dict(rope_scaling=dict(yarn, mscale=0.7, mscale_all_dim=0.5, **own))), ("qwen3", dict(rope_scaling=yarn)),
    ("llama", dict(rope_scaling=dict(llama3, **own), original_max_position_embeddings=64)),
    ("llama", dict(rope_scaling=llama3, original_max_position_embeddings=64)), ("llama", dict(rope_scaling=llama3)),
    ("qwen2", dict(rope_scaling=dict(yarn, **own), original_max_position_embeddings=16)),
    ("qwen3", dict(rope_scaling=dict(longrope, **own), original_max_position_embeddings=32)),
    ("phi3", dict(rope_scaling=dict(longrope, **own), original_max_position_embeddings=32)),
    ("phi3", dict(rope_scaling=dict(longrope, original_max_position_embeddings=32))), ("phi3", dict(rope_scaling=longrope)),
    ("phi3", dict(rope_scaling=dict(longrope, type="su", rope_type=GONE, **own), original_max_position_embeddings=32)),
    ("phi3", dict(rope_scaling=dict(longrope, rope_type="yarn", factor=4.0), original_max_position_embeddings=32)),
    ("phi3", dict(partial_rotary_factor=0.5)), ("gemma3_text", dict(rope_scaling=dict(rope_type="linear", factor=8.0))),
    ("gemma3_text", dict(rope_theta=GONE, rope_local_base_freq=77.0)), ("gemma3_text", dict(sliding_window_pattern=GONE, num_hidden_layers=7)),
    ("gemma3_text", dict(rope_theta=GONE, rope_parameters=dict(full_attention=dict(linear, rope_theta=333.0),
                                                              sliding_attention=dict(rope_type="default", rope_theta=77.0)))),
]


def drop(d):
    return {k: drop(v) if isinstance(v, dict) else v for k, v in d.items() if not isinstance(v, str) or v != GONE}


def record(family, change):
    config = drop({"model_type": family, **BASE, **FAMILIES[family], **change})
    with tempfile.TemporaryDirectory() as d:
        (pathlib.Path(d) / "config.json").write_text(json.dumps(config))
        cfg = AutoConfig.from_pretrained(d)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(cfg, attn_implementation="eager").float().eval()
    with torch.no_grad():
        out = model(torch.arange(N)[None] % 120 + 3, output_attentions=True)
    attention, rotary = model.model.layers[0].self_attn, model.model.rotary_emb
    case = dict(config=config, positions=N, visible=[int((a[0, 0, -1] > 0).sum()) for a in out.attentions], head_size=attention.head_dim,
                epsilon=getattr(model.model.norm, "variance_epsilon", None) or model.model.norm.eps,
                query_heads=cfg.num_attention_heads, kv_heads=cfg.num_key_value_heads)
    if hasattr(attention, "q_proj"):
        case["biases"] = [attention.q_proj.bias is not None, attention.o_proj.bias is not None]
    names = {"rope": ""} if hasattr(rotary, "inv_freq") else {"rope": "full_attention_", "sliding_rope": "sliding_attention_"}
    for key, prefix in names.items():
        case[key] = dict(frequencies=[float(f"{f:.9g}") for f in getattr(rotary, prefix + "inv_freq").tolist()], amplitude=float(getattr(rotary, prefix + "attention_scaling")))
    return case


cases = [record(*c) for c in CASES]
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
print(len(cases), "cases,", path.stat().st_size, "bytes")
