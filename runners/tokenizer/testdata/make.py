"""Makes pipelines.json: small tokenizers, and what the Rust library gives for some texts.

    pip install tokenizers==0.23.3 && python make.py

To add a case, add a pipeline or a text below and run it again.
"""
import json
import random

from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers)

CORPUS = [
    "The measure of a cache is what it can forget. Keep the heads that matter, drop the rest, and read on.",
    "Numbers such as 7, 42, 2048 and 31415926 stand in the way; it's the reader who'll find them, isn't it?",
    "def keep(scores, budget):\n    return sorted(scores)[:budget]\n\n\tprint('done')  # 100%\r\n",
    "Über den Wolken; déjà vu, naïve café. 世界 和平 你好 世界。 Привет, мир! 😀😀 👍🏽",
] * 3
FRAGMENTS = ["the", " the", "The", "keep", " ", "  ", "   ", "\n", "\n\n", "\r\n", "\t", "'s", "'LL", "1", "22", "4096", "½",
             "世", "界", "世界", "é", "e\u0301", "😀", "👍🏽", "▁", "Ġ", ".", "...", "!?", "_", "<s>", "</s>", "<|im_end|>",
             "[MASK]", "<sep>", "word", "<0x41>", "\u00a0", "\u2028", "\u0000", "ſ", "K", "がぎ", "x", "zq"]
TEXTS = ["", " ", "a", "The cache", "  two  spaces ", "don't DON'T 'sit 're", "x = 2048 + 31415926;", "世界和平 déjà vu 😀",
         "line\r\n\r\n  next\n \tend\n", " <s> hello </s>  world<s>", "say [MASK] now", "a <sep>  b<sep>", "word words sword word",
         "<|im_end|><|im_end|>keep", "e\u0301a cafe\u0301"]


def texts():
    r = random.Random(7)
    return TEXTS + ["".join(r.choice(FRAGMENTS) for _ in range(r.randint(2, 9))) for _ in range(15)]


def train(t, specials=("<unk>", "<s>", "</s>"), alphabet=None, size=330):
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(specials), initial_alphabet=alphabet or [], show_progress=False))
    return t


def byte_level(pre, normalizer=None, decoder=None, **model):
    t = Tokenizer(models.BPE(**model))
    if normalizer:
        t.normalizer = normalizer
    t.pre_tokenizer = pre
    t.decoder = decoder or decoders.ByteLevel()
    return train(t, ["<s>", "</s>"], pre_tokenizers.ByteLevel.alphabet())


def template(t, single):
    t.post_processor = processors.TemplateProcessing(
        single=single, special_tokens=[(s, t.token_to_id(s)) for s in ("<s>", "</s>") if s in single])
    return t


BYTES = [f"<0x{i:02X}>" for i in range(256)]
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def split(expr, behavior, invert=False):
    return pre_tokenizers.Split(Regex(expr), behavior, invert)


def bytes_after(*steps):
    return pre_tokenizers.Sequence([*steps, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def pipelines():
    yield "gpt2", byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False))
    yield "gpt2 prefix space", template(byte_level(pre_tokenizers.ByteLevel(add_prefix_space=True)), "<s> $A </s>")
    yield "digits", byte_level(pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]))
    yield "digit runs", byte_level(pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=False), pre_tokenizers.ByteLevel(add_prefix_space=False)]))
    yield "nfc ignore_merges llama3", template(
        byte_level(bytes_after(split(LLAMA3, "isolated")), normalizers.NFC(), ignore_merges=True), "<s> $A")
    yield "o200k", byte_level(bytes_after(split(O200K, "isolated")))
    for behavior in ("removed", "isolated", "contiguous", "merged_with_previous", "merged_with_next"):
        for invert in (False, True):
            yield f"split {behavior} {invert}", byte_level(bytes_after(split(r"\s|[.,]", behavior, invert)))
    yield "split literal", byte_level(bytes_after(pre_tokenizers.Split(" ", "merged_with_next")))

    t = byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False), normalizers.NFC())
    t.add_special_tokens([AddedToken("[MASK]", lstrip=True, normalized=False), AddedToken("<|im_end|>", normalized=False)])
    t.add_tokens([AddedToken("<sep>", lstrip=True, rstrip=True, normalized=True), AddedToken("word", single_word=True),
                  AddedToken("wor", normalized=True), AddedToken("e\u0301a", normalized=True)])
    yield "added tokens", template(t, "<s> $A </s>")

    def sentencepiece(normalizer, pre, decoder, fallback=True, fuse=True, unk="<unk>"):
        t = Tokenizer(models.BPE(unk_token=unk, byte_fallback=fallback, fuse_unk=fuse))
        if normalizer:
            t.normalizer = normalizer
        if pre:
            t.pre_tokenizer = pre
        t.decoder = decoder
        # Words must not be whole lines while training.
        kept, t.pre_tokenizer = t.pre_tokenizer, pre_tokenizers.Metaspace()
        train(t, ["<unk>", "<s>", "</s>"] + (BYTES if fallback else []), size=480 if fallback else 160)
        if kept is None:
            j = json.loads(t.to_str())
            j["pre_tokenizer"] = None
            t = Tokenizer.from_str(json.dumps(j))
        else:
            t.pre_tokenizer = kept
        if fallback:  # byte tokens are part of the vocabulary, but no text is one
            j = json.loads(t.to_str())
            j["added_tokens"] = j["added_tokens"][:3]
            t = Tokenizer.from_str(json.dumps(j))
        return t

    prepend = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    fallback = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    yield "llama2", template(sentencepiece(prepend, None, fallback), "<s> $A")
    yield "metaspace always", sentencepiece(None, pre_tokenizers.Metaspace(), decoders.Metaspace())
    yield "metaspace first", template(sentencepiece(
        None, pre_tokenizers.Metaspace(prepend_scheme="first", split=False),
        decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])), "<s> $A </s>")
    yield "metaspace never", sentencepiece(
        None, pre_tokenizers.Metaspace(prepend_scheme="never"), decoders.Metaspace(prepend_scheme="never"))
    yield "unknown fused", sentencepiece(prepend, None, fallback, fallback=False, fuse=True)
    yield "unknown single", sentencepiece(prepend, None, fallback, fallback=False, fuse=False)
    yield "replace by pattern", sentencepiece(
        normalizers.Sequence([normalizers.Replace(Regex(r"\s+"), "▁"), normalizers.NFKC()]), None,
        decoders.Sequence([decoders.Fuse(), decoders.Replace("▁", " "), decoders.Strip(" ", 2, 0)]))


    def without(t, gone, **model):
        """t with some symbols taken out of its vocabulary: what they stand for is dropped."""
        j = json.loads(t.to_str())
        keep = lambda s: s in ("<s>", "</s>", "<unk>") or not any(c in s for c in gone)
        vocab = [s for s, _ in sorted(j["model"]["vocab"].items(), key=lambda e: e[1]) if keep(s)]
        merges = [m for m in j["model"]["merges"] if keep("".join(m))]
        j["model"] |= {"vocab": {s: i for i, s in enumerate(vocab)}, "merges": merges} | model
        for a in j["added_tokens"]:
            a["id"] = vocab.index(a["content"])
        return Tokenizer.from_str(json.dumps(j))

    # Bytes 0x00, 0x20 (a space), 0x65 (e) and 0x96, which 世 has in its middle.
    yield "bytes missing", without(byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False)), "\u0100\u0120e\u0138")
    yield "bytes missing ignore_merges", without(
        byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False)), "\u0100\u0120e\u0138", ignore_merges=True)
    yield "characters missing", without(
        sentencepiece(prepend, None, fallback, fallback=False), "e世\n", unk_token=None)
    yield "bytes and characters missing", without(
        sentencepiece(prepend, None, fallback, fallback=True), ["e", "界", "<0x0A>", "<0x65>", "<0xE7>"], unk_token=None)


def main():
    out = []
    for name, t in pipelines():
        cases = []
        for text in texts():
            plain = t.encode(text, add_special_tokens=False).ids
            cases.append({
                "text": text,
                "ids": t.encode(text).ids,
                "ids_without_special": plain,
                "decoded": t.decode(plain, skip_special_tokens=False),
                "decoded_skip_special": t.decode(plain, skip_special_tokens=True),
            })
        out.append({"name": name, "tokenizer": json.loads(t.to_str()), "cases": cases})
    with open("pipelines.json", "w", encoding="utf-8") as f:
        f.write("[\n" + ",\n".join(json.dumps(p, ensure_ascii=False, separators=(",", ":")) for p in out) + "\n]\n")


if __name__ == "__main__":
    main()
