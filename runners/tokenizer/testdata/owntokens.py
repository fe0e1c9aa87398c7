"""Writes owntokens.json: what transformers' AutoTokenizer makes of tokens that tokenizer_config.json and special_tokens_map.json name
beside those of tokenizer.json. `pip install transformers`, then `python owntokens.py`. Recorded with transformers 5.24, tokenizers 0.23."""

import json
import pathlib
import tempfile

from transformers import AutoTokenizer

TEXTS = ["ab<m>  ab", "a <m>b</s> [PAD]b", "<m><s>ab"]


def token(content, **settings):
    return dict(dict(content=content, lstrip=False, normalized=False, rstrip=False, single_word=False, special=True), **settings)


def file(added):
    vocab = {c: i for i, c in enumerate("ab <>/ms[]PAD")} | {"ab": 13, "</s>": 14}
    return dict(version="1.0", truncation=None, padding=None, added_tokens=added, normalizer=None, pre_tokenizer=None, post_processor=None,
                decoder=dict(type="Fuse"), model=dict(type="BPE", dropout=None, unk_token=None, continuing_subword_prefix=None,
                                                     end_of_word_suffix=None, fuse_unk=False, byte_fallback=False, vocab=vocab, merges=["a b"]))


S, M, PLAIN = dict(token("<s>"), id=15), dict(token("<m>"), id=16), dict(token("<m>", special=False), id=16)
CASES = [
    ([S], {}, {}),
    ([S], dict(added_tokens_decoder={"16": token("<m>")}), {}), ([S], dict(added_tokens_decoder={"16": token("<m>", special=False)}), {}),
    ([S, PLAIN], dict(added_tokens_decoder={"16": token("<m>")}), {}), ([S, M], dict(added_tokens_decoder={"16": token("<m>", special=False)}), {}),
    ([S, M], dict(added_tokens_decoder={"16": token("<m>", lstrip=True, rstrip=True)}), {}),
    ([S, PLAIN], dict(additional_special_tokens=["<m>"]), {}), ([S], dict(additional_special_tokens=["<m>"]), {}),
    ([S], {}, dict(additional_special_tokens=["<m>"])), ([S, PLAIN], dict(extra_special_tokens=dict(m_token="<m>")), {}),
    ([S], dict(extra_special_tokens=["<m>", "[PAD]"]), {}), ([S], dict(eos_token="</s>"), {}), ([S], {}, dict(eos_token="</s>")),
    ([S], dict(pad_token="[PAD]"), {}), ([S], dict(pad_token=dict(token("[PAD]", lstrip=True), __type="AddedToken")), {}),
    ([S], dict(bos_token="<s>", eos_token="</s>", pad_token="[PAD]", unk_token="<m>"), {}),
]
cases = []
for added, config, specials in CASES:
    config = dict(tokenizer_class="PreTrainedTokenizerFast", **config)
    files = {"tokenizer.json": file(added), "tokenizer_config.json": config, "special_tokens_map.json": specials}
    with tempfile.TemporaryDirectory() as d:
        for name, content in files.items():
            (pathlib.Path(d) / name).write_text(json.dumps(content))
        t = AutoTokenizer.from_pretrained(d)
    ids = [t(text)["input_ids"] for text in TEXTS]
    cases.append(dict(files=files, texts=TEXTS, ids=ids, decoded=[t.decode(i) for i in ids], without=[t.decode(i, skip_special_tokens=True) for i in ids]))
pathlib.Path(__file__).with_suffix(".json").write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
print(len(cases), "cases")
