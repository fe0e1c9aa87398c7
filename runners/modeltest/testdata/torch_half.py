#!/usr/bin/env python3
"""How far plain bfloat16 and float16 in torch lie from the float32 vectors.

Reads reference checkpoints (a folder each: config.json, model.safetensors,
golden.json, golden.safetensors), runs each in transformers on the CPU with
weights, activations, keys and values of the half type, and writes for every
recorded quantity [relative error, largest difference, median row's relative
error] against the float32 vectors. Relative is |out - ref| / |ref| in 2-norms,
over the whole tensor and, for the third, over its last axis:

  hidden.L, q.L, k.L, v.L, logits    the prompt's pass
  VARIANT.scores                     the pooled scores of all layers from the half
                                     type's q and k, scores and softmax in that type
                                     as SnapKV's code has them (torch.softmax with
                                     dtype float32, then cast), against those from
                                     the float32 vectors' q and k
  VARIANT.decode_logits              12 steps from the recorded positions, fed the
                                     recorded tokens

Attention is written out: products, softmax in float32, a cast, products, which
is transformers' "eager"; with soft caps and sinks as Gemma 2's and gpt-oss's have
them, in the half type. Layers that slide beside full ones keep their last positions
and have no scores. The script runs float32 first and stops where that is
not within 1e-4 of every vector: then the passes are not the recorded ones.

  python3 torch_half.py GOLDENS FAMILIES torch_half.json
"""

import json
import pathlib
import re
import sys
import warnings

import torch
import torch.nn.functional as F
import transformers
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM
from transformers.cache_utils import DynamicCache
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

seen = {}  # layer -> (q, k, v) of the last pass, rotated
ends = {}  # layer that keeps the last positions whatever the variant -> how many


def softmax(scores, sinks):
    """In float32, but with sinks, (heads): then in the type of the scores, whose last column, the sink's, is dropped."""
    if sinks is None:
        return F.softmax(scores, -1, dtype=torch.float32).to(scores.dtype)
    scores = torch.cat([scores, sinks.to(scores.dtype)[:, None, None].expand(*scores.shape[:-1], 1)], -1)
    return F.softmax(scores - scores.max(-1, keepdim=True).values, -1, dtype=scores.dtype)[..., :-1]


def capped(scores, softcap):
    return scores if softcap is None else torch.tanh(scores / softcap) * softcap


def attend(module, query, key, value, mask, scaling, dropout=0.0, sliding_window=None, softcap=None, s_aux=None, **_):
    """Attention written out, for any number of key heads that divides the query heads."""
    seen[module.layer_idx] = (query[0], key[0], value[0])
    share = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(share, 1), value.repeat_interleave(share, 1)
    n, m = key.shape[2], query.shape[2]
    scores = capped(query @ key.transpose(2, 3) * scaling, softcap)
    if m == 1 and module.layer_idx in ends:  # the cache holds what a window of an earlier token shows, in its order
        scores[..., : max(0, n - sliding_window)] = torch.finfo(scores.dtype).min
    if m > 1:  # decoding sees all that is in the cache
        i, j = torch.arange(n - m, n)[:, None], torch.arange(n)[None]
        hidden = j > i
        if sliding_window:
            hidden = hidden | (j <= i - sliding_window)
        scores = scores.masked_fill(hidden, torch.finfo(scores.dtype).min)
    weights = softmax(scores, s_aux)
    return (weights @ value).transpose(1, 2).contiguous(), weights


ALL_ATTENTION_FUNCTIONS["written_out"] = attend


class Held(DynamicCache):
    """Keys and values (1, heads, kept, d) by layer, of chosen positions; a token's own are appended to every copy."""

    def __init__(self, layers):
        super().__init__()
        self.held = list(layers)

    def update(self, key, value, layer, *_, **__):
        k, v = self.held[layer]
        share = k.shape[1] // key.shape[1]
        self.held[layer] = (torch.cat([k, key.repeat_interleave(share, 1)], 2), torch.cat([v, value.repeat_interleave(share, 1)], 2))
        return self.held[layer]


def pooled(q, k, g, scaling=None, softcap=None, sinks=None):
    """SnapKV's scores in the type of q and k, pooled, by cache head: (heads, n-w)."""
    w, n, share = g["window"], k.shape[1], q.shape[0] // k.shape[0]
    keys = k.repeat_interleave(share, 0)
    weights = q[:, n - w:] @ keys.transpose(1, 2)
    weights = capped(weights / q.shape[-1] ** 0.5 if scaling is None else weights * scaling, softcap)
    i, j = torch.arange(n - w, n)[:, None], torch.arange(n)[None]
    weights = weights.masked_fill(j > i, torch.finfo(weights.dtype).min)
    weights = softmax(weights, sinks)[:, :, : n - w]
    scores = weights.sum(1)
    how, grouped = g["gqa"], scores.view(k.shape[0], share, -1)
    if how in ("kv_head_mean", "kv_head_max"):
        scores = grouped.mean(1) if how == "kv_head_mean" else grouped.amax(1)
    kernel = g["kernel"]
    if g["pooling"] == "avgpool":
        scores = F.avg_pool1d(scores[None], kernel, 1, kernel // 2)[0]
    else:
        scores = F.max_pool1d(scores[None], kernel, 1, kernel // 2)[0]
    if how == "kvpress":
        scores = scores.view(k.shape[0], share, -1).mean(1)
    return scores


def error(out, ref):
    off, ref = out.double() - ref.double(), ref.double()
    rows = off.norm(dim=-1) / ref.norm(dim=-1)
    return [float(f"{float(e):.4g}") for e in (off.norm() / ref.norm(), off.abs().max(), rows.flatten().quantile(0.5))]


@torch.no_grad()
def measure(folder, dtype):
    golden = json.loads((folder / "golden.json").read_text())
    ref = load_file(folder / "golden.safetensors")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="written_out").eval()
    ids = ref["input_ids"].long()[None]
    n = ids.shape[1]
    seen.clear()
    ends.clear()
    if sliding := golden.get("sliding"):
        ends.update({l: sliding["window"] for l in sliding["layers"]})
    how = golden.get("scores", {})

    def scores(l, q, k, g):
        sinks = model.model.layers[l].self_attn.sinks if how.get("sink") else None
        return pooled(q, k, g, how.get("scaling"), how.get("softcap"), None if sinks is None else sinks.to(q.dtype))

    out = model(ids, use_cache=False, output_hidden_states=True)
    prompt = dict(seen)
    found = {"logits": error(out.logits[0], ref["logits"])}
    for layer, h in enumerate(out.hidden_states):
        found[f"hidden.{layer}"] = error(h[0], ref[f"hidden.{layer}"])
    for layer, qkv in prompt.items():
        for name, a in zip("qkv", qkv):
            found[f"{name}.{layer}"] = error(a, ref[f"{name}.{layer}"])
    for name, g in golden["variants"].items():
        scored = name != "full" and g["capacity"] < n
        if scored:
            found[f"{name}.scores"] = error(
                torch.cat([scores(l, *prompt[l][:2], g) for l in sorted(prompt) if l not in ends]),
                torch.cat([scores(l, ref[f"q.{l}"], ref[f"k.{l}"], g) for l in sorted(prompt) if l not in ends]))
        layers = []
        for l in sorted(prompt):
            _, k, v = prompt[l]
            if l in ends:
                k, v = k[:, -ends[l]:], v[:, -ends[l]:]
            if f"{name}.keep.{l}" in ref:
                keep = ref[f"{name}.keep.{l}"].long()
                at = keep[:, :, None].expand(-1, -1, k.shape[-1])
                share = keep.shape[0] // k.shape[0]
                k, v = k.repeat_interleave(share, 0).gather(1, at), v.repeat_interleave(share, 0).gather(1, at)
            layers.append((k[None], v[None]))
        cache, steps = Held(layers), []
        for i, token in enumerate(ref[f"{name}.decode_tokens"].tolist()):
            out = model(torch.tensor([[token]]), past_key_values=cache, position_ids=torch.tensor([[n + i]]))
            steps.append(out.logits[0, -1])
        found[f"{name}.decode_logits"] = error(torch.stack(steps), ref[f"{name}.decode_logits"])
    return found


def main(*arguments):
    *goldens, target = arguments
    warnings.simplefilter("ignore", FutureWarning)
    transformers.utils.logging.disable_progress_bar()
    result = {"torch": torch.__version__, "transformers": transformers.__version__, "checkpoints": {}}
    for folder in sorted(p.parent for g in goldens for p in pathlib.Path(g).glob("*/golden.safetensors")):
        if "linear" in json.loads((folder / "golden.json").read_text()) or "quantization_config" in json.loads((folder / "config.json").read_text()):
            continue  # linear attention has no queries and keys; packed weights would have to be unpacked first
        for what, e in measure(folder, torch.float32).items():
            if not e[1] <= 1e-4:
                sys.exit(f"{folder.name}: {what} in float32 is {e} from the vectors: not the recorded pass")
        result["checkpoints"][folder.name] = {str(t)[6:]: measure(folder, t) for t in (torch.bfloat16, torch.float16)}
        print(folder.name, file=sys.stderr)
    text = json.dumps(result, indent=1, sort_keys=True)
    text = re.sub(r"\[\s+(\S+)\s+(\S+)\s+(\S+)\s+\]", r"[\1 \2 \3]", text)  # a quantity a line
    pathlib.Path(target).write_text(text + "\n")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
