#!/usr/bin/env python3
"""Trains the model that ships inside the binary: a small Llama that finds needles.

    python3 train.py tokenizer --out ..                  # byte-level BPE, 4096 entries, a minute on one core
    python3 train.py train --model .. --out RUN --steps 7000 --limit 570   # one H200, about 7.5 minutes
    python3 train.py eval  --model .. --device cpu       # scores of what was shipped
    python3 train.py check --model ..                    # the data path alone: decodes samples of every task

Needs Python 3.10, torch 2.4, numpy and tokenizers; nothing is downloaded. Training is reproducible bit for bit on the same
kind of card with the same torch: the schedule follows steps and not the clock, batch s depends on --seed and s alone
(not on --workers), and the arithmetic is deterministic. A self-test at the start stops with exit status 5 where it is not. The
log has a fingerprint of the weights every --every steps, by which two runs can be compared, and the file's SHA-256 at the end.

What is trained. A Llama (pre-norm, RoPE theta 1e6, grouped-query attention, SwiGLU, tied embeddings) on prose with
sentences that state facts ("One of the special magic numbers for KEY is: VALUE.") and, at the end, questions about
them. The loss is the cross-entropy on the answers plus half that on all tokens, and a multi-token loss (Gloeckle et
al. 2024, arXiv 2404.19737): from every position of an answer the next eight of its tokens are predicted, through
heads that are dropped after training. Without it a model of this size reads an answer strictly one token at a time, so
the observation window looks at the value's first token only, and whether SnapKV keeps the rest depends on the pooling
kernel alone: recall is all or nothing. The multi-token loss makes the window look ahead along the value, less and less,
as larger models do by themselves. Its weight is steered during training by the recall under SnapKV (see Steer).
"""
import argparse, copy, gzip, hashlib, json, lzma, math, os, random, re, shutil, sys, threading, time
from pathlib import Path

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read by torch: cuBLAS is deterministic with a fixed workspace

import numpy as np
import torch
import torch.multiprocessing as mp
import torch.nn as nn
import torch.nn.functional as F

HERE = Path(__file__).resolve().parent
TRAIN_TEXT = ["moby-dick", "essays", "the-adventures-of-sherlock-holmes", "the-voyage-of-the-beagle", "walden"]
EVAL_TEXT = ["austen"]  # the haystack of the needle tasks; never trained on
EOS = 0  # "<|endoftext|>", the only special token; nothing is put before a prompt

CONFIG = dict(vocab_size=4096, hidden_size=256, intermediate_size=768, num_hidden_layers=6, num_attention_heads=8,
              num_key_value_heads=4, head_dim=32, rope_theta=1e6, rms_norm_eps=1e-5, max_position_embeddings=16384)
HORIZON = 8  # tokens the multi-token loss looks ahead


# ---------------------------------------------------------------- text and tokenizer

def read_text(name):
    if name == "austen":
        with gzip.open(HERE.parents[3] / "datasets" / "haystack" / "austen.txt.gz", "rt", encoding="utf-8") as f:
            return f.read()
    with lzma.open(HERE / "text" / f"{name}.txt.xz", "rt", encoding="utf-8") as f:
        return f.read()


def train_tokenizer(out):
    """Byte-level BPE with digits one by one, over the training books and samples of every task's wording."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    tok.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=CONFIG["vocab_size"], special_tokens=["<|endoftext|>"], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    texts = [read_text(n) for n in TRAIN_TEXT]
    texts = [t for t in texts] + [t.replace("\n", " ") for t in texts]
    rng, words = random.Random(1), Words(texts[:len(TRAIN_TEXT)])
    wording = []
    for _ in range(6000):
        form = rng.choice(FORMS)
        s, q, p = form.text(rng, words.key(rng, form.keys), words.value(rng, form.values))
        wording.append(f" {s}\n{q} {p}")
    wording += [NOISE] * 400 + INTROS * 40
    tok.train_from_iterator(texts + wording, trainer)
    tok.save(str(Path(out) / "tokenizer.json"))
    Path(out, "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|endoftext|>",
        "model_max_length": CONFIG["max_position_embeddings"], "clean_up_tokenization_spaces": False,
        "add_bos_token": False, "add_eos_token": False}, indent=2) + "\n")
    print("vocabulary", tok.get_vocab_size())


# ---------------------------------------------------------------- the task maker

NOISE = "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again."
INTROS = [
    "Read the following text and answer the question at the end.\n",
    "There is an important info hidden inside a lot of irrelevant text. Find it and memorize them. I will quiz you about the important information there.\n",
    "You are a helpful AI bot that answers questions for a user. Keep your response short and direct.\n",
    "Memorize and track the chain(s) of variable assignment hidden in the following text.\n\n",
    "Below is a record of lines I want you to remember. Now the record start:\n\n",
]
ACTIONS = ("eat a sandwich|sit in the park|watch the boats|walk along the river|climb the old tower|visit the market|listen to the bells|"
           "feed the pigeons|drink a cup of tea|ride the tram|look at the paintings|buy fresh bread|count the bridges|swim in the lake|"
           "read a book|talk to the fishermen|follow the canal|taste the cheese|hear the organ|sail to the island").split("|")
WHEN = "on a sunny day|in the early morning|after dark|before breakfast|with a friend|on a rainy afternoon|in the month of May|when the wind is low".split("|")
SYLLABLES = "ba be bo da de di do fa fe ga go ha he jo ka ke ko la le li lo ma me mi mo na ne no pa pe po ra re ri ro sa se so ta te ti to va ve vo wa wi za zo".split()


class Words:
    """Keys and values. One word in eight never occurs in training and makes the keys of the evaluation."""

    def __init__(self, texts):
        count = {}
        for t in texts:
            for w in re.findall(r"\b[a-z]{3,12}\b", t):
                count[w] = count.get(w, 0) + 1
        words = sorted(w for w, c in count.items() if c >= 2)
        random.Random(5).shuffle(words)
        cut = len(words) // 8
        self.held_out, self.train = words[:cut], words[cut:]
        self.words = self.train

    def word(self, rng):
        if rng.random() < 0.08:
            return "".join(rng.choice(SYLLABLES) for _ in range(rng.randint(2, 4)))
        return rng.choice(self.words)

    def key(self, rng, kinds, like=None):
        """A key; with like, one that shares a part with it."""
        kind = rng.choice(kinds)
        if like is not None:
            parts = re.split(r"([- ])", like)
            if len(parts) >= 3 and like[0].isalpha():
                i = rng.choice([0, len(parts) - 1])
                w = self.word(rng)
                parts[i] = w.capitalize() if parts[i][:1].isupper() else w
                return "".join(parts)
        w = self.word
        if kind == "pair":
            return f"{w(rng)}-{w(rng)}"
        if kind == "word":
            return w(rng)
        if kind == "triple":
            return f"{w(rng)}-{w(rng)}-{w(rng)}"
        if kind == "spaced":
            return f"{w(rng)} {w(rng)}"
        if kind == "place":
            return " ".join(w(rng).capitalize() for _ in range(rng.randint(1, 2)))
        if kind == "number":
            return str(rng.randint(1, 10 ** rng.randint(2, 5)))
        if kind == "upper":
            return "".join(rng.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(5))
        if kind == "uuid":
            return self.uuid(rng)
        if kind == "none":
            return ""
        raise ValueError(kind)

    @staticmethod
    def uuid(rng):
        h = f"{rng.getrandbits(128):032x}"
        return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-{rng.choice('89ab')}{h[17:20]}-{h[20:]}"

    def value(self, rng, kinds):
        kind = rng.choice(kinds)
        if kind == "seven":
            return str(rng.randint(1000000, 9999999))
        if kind == "number":
            d = rng.randint(1, 12)
            return str(rng.randint(10 ** (d - 1), 10 ** d - 1))
        if kind == "words":
            return " ".join(self.word(rng) for _ in range(rng.randint(1, 4)))
        if kind == "pair":
            return "-".join(self.word(rng) for _ in range(rng.choice([1, 2, 2, 2, 3, 4])))
        if kind == "action":
            s = rng.choice(ACTIONS)
            if rng.random() < 0.5:
                s += " and " + rng.choice(ACTIONS)
            return s + (" " + rng.choice(WHEN) if rng.random() < 0.4 else "")
        if kind == "uuid":
            return self.uuid(rng)
        raise ValueError(kind)


class Form:
    """One wording: the sentence that states the fact, the question, and the answer that is begun for the model.
    {k} key, {v} value, {t} what it is called."""

    def __init__(self, sentence, question, prefix, keys=("pair",), values=("seven",), names=("",)):
        self.sentence, self.question, self.prefix = sentence, question, prefix
        self.keys, self.values, self.names = keys, values, names

    def text(self, rng, k, v, t=None):
        t = rng.choice(self.names) if t is None else t
        return (self.sentence.format(k=k, v=v, t=t), self.question.format(k=k, t=t), self.prefix.format(k=k, t=t))


NUM = ("seven", "seven", "number")
ANY = ("seven", "number", "words", "words", "pair")
KEYS = ("pair", "pair", "pair", "word", "triple", "spaced")
RULER = [
    Form("One of the special magic numbers for {k} is: {v}.", "What is the special magic number for {k} mentioned in the provided text?",
         "The special magic number for {k} mentioned in the provided text is", KEYS, NUM),
    Form("One of the special magic {t}s for {k} is: {v}.", "What is the special magic {t} for {k} mentioned in the provided text?",
         "The special magic {t} for {k} mentioned in the provided text is", KEYS, ("words", "pair", "words", "number"),
         ("word", "name", "code", "phrase", "number")),
    Form("One of the special magic uuids for {k} is: {v}.", "What is the special magic uuid for {k} mentioned in the provided text?",
         "The special magic uuid for {k} mentioned in the provided text is", ("pair", "pair", "uuid"), ("uuid",)),
]
PARA = [
    Form("The secret {t} of {k} is {v}.", "What is the secret {t} of {k}?", "The secret {t} of {k} is", KEYS, ANY, ("code", "number", "word", "name")),
    Form("{v} is the secret {t} of {k}.", "What is the secret {t} of {k}?", "The secret {t} of {k} is", KEYS, ANY, ("code", "number", "word", "name")),
    Form("Remember that the password for {k} is {v}.", "What is the password for {k}?", "The password for {k} is", KEYS, ANY),
    Form("They say that {v} opens the gate of {k}.", "What opens the gate of {k}?", "The gate of {k} is opened by", KEYS, ANY),
    Form("In the old ledger {k} is listed under {v}.", "Under what is {k} listed in the old ledger?", "In the old ledger {k} is listed under", KEYS, ANY),
    Form("The clerk wrote {v} beside the name {k}.", "What did the clerk write beside the name {k}?", "Beside the name {k} the clerk wrote", ("place", "pair"), ANY),
    Form("The best thing to do in {k} is {v}.", "What is the best thing to do in {k}?", "The best thing to do in {k} is", ("place",), ("action",)),
    Form("The best thing to do in {k} is to {v}.", "What is the best thing to do in {k}?", "The best thing to do in {k} is to", ("place",), ("action",)),
    Form("The magic number of the day for {k} was {v}, nobody knew why.", "Which was the magic number of the day for {k}?", "The magic number of the day for {k} was", KEYS, NUM),
    Form("The pass key is {v}. Remember it. {v} is the pass key.", "What is the pass key?", "The pass key is", ("none",), ("number", "number", "seven", "words")),
    Form("line {k}: REGISTER_CONTENT is <{v}>", "Now the record is over. Tell me what is the <REGISTER_CONTENT> in line {k}? I need the number.",
         "The <REGISTER_CONTENT> in line {k} is", ("pair", "number", "word"), ("number",)),
]
FORMS = RULER * 3 + PARA


class Haystack:
    """Tokens of books, once with line ends and once with spaces, and where sentences begin with a space."""

    def __init__(self, names, encode):
        self.parts = []
        for flat in (False, True):
            for name in names:
                text = read_text(name)
                if flat:
                    text = text.replace("\n", " ")
                pieces = re.split(r"(?<=[.!?])(?=\s)|(?<=[.!?][\"'])(?=\s)", text)
                ids, starts, at = [], [], 0
                for p, e in zip(pieces, encode(pieces)):
                    if p[:1].isspace():
                        starts.append(at)
                    ids.append(e)
                    at += len(e)
                self.parts.append((np.concatenate(ids), np.asarray(starts)))
        self.weights = [len(p[0]) for p in self.parts]

    def slice(self, rng, n, cut_front):
        """n tokens that begin (or, with cut_front, end) at a sentence, and the inner positions where sentences begin."""
        ids, starts = rng.choices(self.parts, self.weights)[0]
        while len(ids) < n + 1000:
            ids, starts = np.concatenate([ids, ids]), np.concatenate([starts, starts + len(ids)])
        if cut_front:
            i = int(np.searchsorted(starts, n)) + rng.randrange(max(1, int(len(starts) - np.searchsorted(starts, n))))
            b = int(starts[min(i, len(starts) - 1)])
            a = b - n
        else:
            hi = int(np.searchsorted(starts, len(ids) - n, "right"))
            a = int(starts[rng.randrange(hi)])
            b = a + n
        inner = starts[np.searchsorted(starts, a):np.searchsorted(starts, b)] - a
        return ids[a:b], inner


class Maker:
    """Sequences of exactly T tokens with a mask over the answers' tokens. Pieces are tokenized one by one; they meet only
    where the tokenizer's expression splits in any case (before a space that begins a word, around line ends and digits)."""

    def __init__(self, tokenizer, names=TRAIN_TEXT):
        self.tok, self.cache = tokenizer, {}
        self.words = Words([read_text(n) for n in TRAIN_TEXT])
        self.hay = Haystack(names, lambda ps: [np.asarray(e.ids, np.uint16) for e in tokenizer.encode_batch(ps)])
        self.noise = [self.enc(" " + s + ".") for s in NOISE.rstrip(".").split(". ")]
        self.noise_line = np.concatenate(self.noise)

    def enc(self, s):
        return np.asarray(self.tok.encode(s).ids, np.uint16)

    # -- one context of facts, and the questions about it
    def facts(self, rng, T):
        """Facts (key, values, form, name) and questions (text, answer)."""
        room = T * 0.6
        form = rng.choice(RULER[:1] * 6 + RULER[1:2] * 3 + RULER[2:3]) if rng.random() < 0.6 else rng.choice(PARA)
        if "uuid" in form.values:
            room *= 0.8
        n = min(int(math.exp(rng.uniform(0, math.log(25 if T >= 2048 else 13)))), max(1, int(room / 75)))
        mixed, similar = rng.random() < 0.35, rng.random() < 0.4
        facts, used = [], set()
        for i in range(n):
            f = form if i == 0 or not mixed else rng.choice(FORMS)
            if "none" in f.keys and any("none" in g[2].keys for g in facts):
                f = PARA[0]
            like = facts[-1][0] if facts and similar and rng.random() < 0.7 and "place" not in f.keys else None
            k = self.words.key(rng, f.keys, like)
            if k in used:
                continue
            used.add(k)
            t = rng.choice(f.names)
            facts.append((k, [self.words.value(rng, f.values)], f, t))
        # several values for one key, or several keys in one question: RULER's wording only
        questions = []
        order = list(range(len(facts)))
        rng.shuffle(order)
        multi = form is RULER[0] and not mixed and rng.random() < 0.25
        if multi and rng.random() < 0.6:
            k, vals, f, t = facts[order[0]]
            vals.extend(self.words.value(rng, f.values) for _ in range(rng.randint(1, 3)))
            questions.append(("values", [order[0]]))
            order = order[1:]
        elif multi and len(facts) >= 2:
            m = rng.randint(2, min(4, len(facts)))
            questions.append(("keys", order[:m]))
            order = order[m:] + order[:1]
        questions += [("one", [i]) for i in order]
        questions = questions[:16 if T >= 2048 else 8]
        rng.shuffle(questions)
        if len(questions) > 1 and rng.random() < 0.15:
            questions = questions[:1]
        return facts, questions

    def question(self, rng, facts, kind, idx, position):
        """Question with the begun answer, and the answer. position: where each (fact, value) stands in the text."""
        if kind == "one":
            k, vals, f, t = facts[idx[0]]
            _, q, p = f.text(rng, k, vals[0], t)
            return f"{q} {p}", f" {vals[0]}"
        if kind == "values":
            i = idx[0]
            k, vals, f, t = facts[i]
            vals = [v for _, v in sorted((position[i, j], v) for j, v in enumerate(vals))]
        else:
            k = ", ".join(facts[i][0] for i in idx[:-1]) + ", and " + facts[idx[-1]][0]
            vals = [facts[i][1][0] for i in idx]
        return (f"What are all the special magic numbers for {k} mentioned in the provided text? "
                f"The special magic numbers for {k} mentioned in the provided text are"), " " + ", ".join(vals)

    def place(self, rng, hay, inner, needles, even):
        """Puts needles (token arrays) at sentence starts; returns the text and each needle's position."""
        inner = inner if len(inner) else np.asarray([0])
        if even:
            depth = [rng.random() for _ in needles]
        else:
            depth = [rng.choice([0, 0.25, 0.5, 0.75, 1.0]) for _ in needles]
        at = [int(inner[min(int(d * len(inner)), len(inner) - 1)]) if d < 1 else len(hay) for d in depth]
        order = sorted(range(len(needles)), key=lambda i: (at[i], rng.random()))
        out, pos, last, total = [], {}, 0, 0
        for i in order:
            out.append(hay[last:at[i]])
            total += at[i] - last
            pos[i] = total
            out.append(needles[i])
            total += len(needles[i])
            last = at[i]
        out.append(hay[last:])
        return np.concatenate(out), pos

    def assemble(self, T, head, context, qas):
        ids, mask = [head, context], [np.zeros(len(head) + len(context), np.uint8)]
        for q, a in qas:
            a = np.append(a, np.uint16(EOS))
            ids += [q, a]
            mask += [np.zeros(len(q), np.uint8), np.ones(len(a), np.uint8)]
        ids, mask = np.concatenate(ids).astype(np.uint16), np.concatenate(mask)
        assert len(ids) == T, (len(ids), T)
        return ids, mask

    def intro(self, rng, form, kind):
        if form in RULER and rng.random() < 0.8:
            t = "numbers"
            if form is RULER[2]:
                t = "uuids"
            elif form is RULER[1]:
                t = rng.choice(["numbers", "words"])
            if kind == "one" and rng.random() < 0.8:
                return f"A special magic {t[:-1]} is hidden within the following text. Make sure to memorize it. I will quiz you about the {t[:-1]} afterwards.\n"
            return f"Some special magic {t} are hidden within the following text. Make sure to memorize it. I will quiz you about the {t} afterwards.\n"
        return rng.choice(["", ""] + INTROS[:3])

    def needles(self, rng, T, kind="prose"):
        """The main task. kind: prose, noise (the repeated line) or needle (every line a needle)."""
        facts, questions = self.facts(rng, T)
        book = facts[0][2] in PARA and questions[0][0] == "one" and rng.random() < 0.25
        if book:
            questions = questions[:1]
        head = self.enc("This is a very long story book: <book>" if book else self.intro(rng, facts[0][2], questions[0][0]))
        gap = rng.choice(["\n", "\n", "\n\n", " "])
        needles, which, texts = [], [], []
        for i, (k, vals, f, t) in enumerate(facts):
            for j, v in enumerate(vals):
                s = f.text(rng, k, v, t)[0]
                if "line" in s[:4]:
                    s = "\n" + s + "\n"
                else:
                    s = " " + s[0].upper() + s[1:] if not f.sentence.startswith("{v}") else " " + s
                needles.append(self.enc(s))
                which.append((i, j))
        # the answers' lengths do not depend on the order of values, so the haystack's length is known now
        def qas(position):
            if book:
                k, vals, f, t = facts[questions[0][1][0]]
                q = f.text(rng, k, vals[0], t)[1]
                return [(self.enc(f" </book>.\n Based on the content of the book, Question: {q}\nAnswer:"), self.enc(f" {vals[0]}"))]
            return [(self.enc((gap if n == 0 else rng_gap) + q), self.enc(a)) for n, (q, a) in
                    enumerate(self.question(qrng_, facts, kd, idx, position) for kd, idx in questions)]
        qseed, rng_gap = rng.getrandbits(32), rng.choice(["\n", "\n", " "])
        qrng_ = random.Random(qseed)
        dummy = {w: n for n, w in enumerate(which)}
        cost = len(head) + sum(map(len, needles))
        while True:
            tail = qas(dummy)
            rest = T - cost - sum(len(q) + len(a) + 1 for q, a in tail)
            if rest >= 8 or len(questions) == 1:
                break
            questions.pop()
        if rest < 8:
            return self.needles(rng, T, kind)
        if kind == "prose":
            hay, inner = self.hay.slice(rng, rest, rng.random() < 0.5)
        else:
            hay, inner = self.noise_hay(rest)
        context, pos = self.place(rng, hay, inner, needles, rng.random() < 0.7)
        position = {w: pos[n] for n, w in enumerate(which)}
        return self.assemble(T, head, context, qas(position))

    def noise_hay(self, n):
        reps = n // len(self.noise_line) + 1
        line = len(self.noise_line)
        starts = np.arange(reps) * line
        return np.tile(self.noise_line, reps)[:n], starts[starts < n]

    def lines(self, rng, T):
        """A haystack of needles alone: RULER's multikey_2 and LongEval's lines."""
        f = rng.choice([RULER[0], RULER[0], PARA[10]])
        qn = 1 if T < 400 else rng.randint(2, 8 if T >= 1024 else 3)
        keys, facts, needles = set(), [], []
        head = self.enc(self.intro(rng, f, "one") if f is RULER[0] else INTROS[4])
        room = T - len(head) - qn * 70
        kind = rng.choice(f.keys)
        while room > 40:
            k = self.words.key(rng, (kind,))
            if k in keys:
                continue
            keys.add(k)
            v = self.words.value(rng, f.values)
            e = self.enc(f.text(rng, k, v)[0] + "\n")
            room -= len(e)
            if room < 0:
                break
            facts.append((k, [v], f, ""))
            needles.append(e)
        idx = rng.sample(range(len(facts)), min(qn, len(facts)))
        qas = []
        for i in idx:
            q, a = self.question(rng, facts, "one", [i], None)
            qas.append((self.enc("\n" + q), self.enc(a)))
        while True:  # the remainder is filled with prose before the lines
            rest = T - len(head) - sum(map(len, needles)) - sum(len(q) + len(a) + 1 for q, a in qas)
            if rest >= 0:
                break
            qas.pop()
        fill, _ = self.hay.slice(rng, rest, True) if rest else (np.zeros(0, np.uint16), None)
        return self.assemble(T, head, np.concatenate([fill] + needles), qas)

    def chains(self, rng, T):
        """RULER's variable tracking: chains of assignments in noise or prose."""
        hops, chains = rng.randint(1, 4), rng.choice([1, 1, 2])
        names = set()
        while len(names) < chains * (hops + 1):
            names.add(self.words.key(rng, ("upper",)))
        names = sorted(names)
        rng.shuffle(names)
        needles, asks = [], []
        for c in range(chains):
            ns, v = names[c * (hops + 1):(c + 1) * (hops + 1)], str(rng.randint(10000, 99999))
            needles.append([self.enc(f" VAR {ns[0]} = {v}")] + [self.enc(f" VAR {b} = VAR {a}") for a, b in zip(ns, ns[1:])])
            asks.append((v, ns))
            if rng.random() < 0.5:  # on lines of their own
                needles[-1] = [self.enc(f"\nVAR {ns[0]} = {v}\n")] + [self.enc(f"\nVAR {b} = VAR {a} \n") for a, b in zip(ns, ns[1:])]
        head = self.enc(INTROS[3])
        qas = [(self.enc(f"\nQuestion: Find all variables that are assigned the value {v} in the text above. Answer: According to the chain(s) of variable "
                         f"assignment in the text above, {len(ns)} variables are assigned the value {v}, they are: "), self.enc(" ".join(ns)))
               for v, ns in asks]
        flat = [x for c in needles for x in c]
        rest = T - len(head) - sum(map(len, flat)) - sum(len(q) + len(a) + 1 for q, a in qas)
        if rest < 8:
            return self.needles(rng, T)
        hay, inner = self.noise_hay(rest) if rng.random() < 0.6 else self.hay.slice(rng, rest, True)
        if not len(inner):
            inner = np.asarray([0])
        at = []
        for c in needles:
            at += sorted(int(inner[rng.randrange(len(inner))]) for _ in c)
        order = sorted(range(len(flat)), key=lambda i: (at[i], i))
        out, last = [], 0
        for i in order:
            out += [hay[last:at[i]], flat[i]]
            last = at[i]
        return self.assemble(T, head, np.concatenate(out + [hay[last:]]), qas)

    def quote(self, rng, T):
        """Continuation of a quoted passage: a few words of the text, then the eight to sixteen tokens that follow them."""
        n = max(1, min(6, T // 160))
        hay, inner = self.hay.slice(rng, T, True)
        lead, follow = rng.randint(4, 8), rng.randint(4, 12)
        q1, q2 = self.enc("\nQuestion: how does the text go on after these words?"), self.enc(" Answer:")
        rest = T - n * (len(q1) + len(q2) + 2 * lead + follow + 1)
        hay, qas = hay[:rest], []
        if rest < lead + follow + 8:
            return self.plain(rng, T)
        for _ in range(n):
            a = rng.randrange(0, rest - lead - follow)
            w = hay[a:a + lead]
            qas.append((np.concatenate([q1, w, q2, w]), hay[a + lead:a + lead + follow]))
        return self.assemble(T, np.zeros(0, np.uint16), hay, qas)

    def copy(self, rng, T):
        """Random tokens repeated, and prose repeated: what copying is learnt from first."""
        m = rng.randint(8, min(64, T // 4))
        out, mask, n = [], [], 0
        while n < T:
            if rng.random() < 0.5:
                a = np.asarray([rng.randrange(1, CONFIG["vocab_size"]) for _ in range(m)], np.uint16)
            else:
                a = self.hay.slice(rng, m, False)[0]
            b = self.hay.slice(rng, rng.randint(4, 64), False)[0]
            out += [a, b, a]
            k = min(4, m - 1)
            mask += [np.zeros(m + len(b) + k, np.uint8), np.ones(m - k, np.uint8)]
            n += 2 * m + len(b)
        return np.concatenate(out)[:T], np.concatenate(mask)[:T]

    def plain(self, rng, T):
        ids, _ = self.hay.slice(rng, T, False)
        return ids, np.zeros(T, np.uint8)

    def sequence(self, rng, T, early=False):
        r = rng.random()
        if early and r < 0.12:
            return self.copy(rng, T)
        for p, make in ((0.10, lambda: self.needles(rng, T, "noise")), (0.10, lambda: self.lines(rng, T)),
                        (0.05, lambda: self.chains(rng, T)), (0.05, lambda: self.quote(rng, T)), (0.03, lambda: self.plain(rng, T))):
            if r < p:
                return make()
            r -= p
        return self.needles(rng, T, "prose")

    def batch(self, rng, N, T, early=False):
        """N/T sequences of T tokens: ids and the answers' mask, flat."""
        rows = [self.sequence(rng, T, early) for _ in range(N // T)]
        return np.concatenate([r[0] for r in rows]), np.concatenate([r[1] for r in rows])

    # -- evaluation: single questions in RULER's wording, all of one shape
    def trial(self, rng, n, digits=7, keys=1, form=RULER[0], depth=None, sentence=None):
        """A prompt of exactly n tokens and its answer's tokens (value alone, with the space before it)."""
        ks = []
        while len(ks) < keys:
            k = self.words.key(rng, ("pair",))
            if k not in ks:
                ks.append(k)
        vals = [str(rng.randint(10 ** (digits - 1), 10 ** digits - 1)) for _ in ks]
        head = self.enc(self.intro_eval(keys))
        needles = [self.enc(" " + form.text(rng, k, v, "number")[0]) for k, v in zip(ks, vals)]
        _, q, p = form.text(rng, ks[0], vals[0], "number")
        tail = self.enc(f"\n{q} {p}")
        hay, inner = self.hay.slice(rng, n - len(head) - len(tail) - sum(map(len, needles)), True)
        inner = inner if len(inner) else np.asarray([0])
        depths = [rng.random() if depth is None or i else depth for i in range(keys)]
        at = [int(inner[min(int(d * len(inner)), len(inner) - 1)]) if d < 1 else len(hay) for d in depths]
        out, last = [head], 0
        for i in sorted(range(keys), key=lambda i: at[i]):
            out += [hay[last:at[i]], needles[i]]
            last = at[i]
        return np.concatenate(out + [hay[last:], tail]), self.enc(" " + vals[0])

    @staticmethod
    def intro_eval(keys):
        if keys == 1:
            return "A special magic number is hidden within the following text. Make sure to memorize it. I will quiz you about the number afterwards.\n"
        return "Some special magic numbers are hidden within the following text. Make sure to memorize it. I will quiz you about the numbers afterwards.\n"

    def trials(self, seed, B, n, **kw):
        rng = random.Random(seed)
        rows = [self.trial(rng, n, depth=(i % 5) / 4, **kw) for i in range(B)]
        return (torch.from_numpy(np.stack([r[0] for r in rows]).astype(np.int64)),
                torch.from_numpy(np.stack([r[1] for r in rows]).astype(np.int64)))


def eval_maker(tokenizer):
    m = Maker(tokenizer, EVAL_TEXT)
    m.words.words = m.words.held_out
    return m


def load_tokenizer(model):
    from tokenizers import Tokenizer
    return Tokenizer.from_file(str(Path(model) / "tokenizer.json"))


# ---------------------------------------------------------------- model

def rms(x, w, eps=CONFIG["rms_norm_eps"]):
    xf = x.float()
    return (xf * torch.rsqrt(xf.pow(2).mean(-1, keepdim=True) + eps)).to(torch.bfloat16 if x.is_cuda else x.dtype) * w.to(torch.bfloat16 if x.is_cuda else x.dtype)


def rotate(x, cos, sin):
    """RoPE in halves, as Hugging Face's Llama has it; x (N, heads, d), cos and sin (N, d/2)."""
    a, b = x.float().chunk(2, -1)
    c, s = cos[:, None], sin[:, None]
    return torch.cat([a * c - b * s, b * c + a * s], -1).to(x.dtype)


def before(x, g, wq, wk, wv, cos, sin):
    h = rms(x, g)
    d = CONFIG["head_dim"]
    q = (h @ wq.to(h.dtype).t()).view(-1, wq.shape[0] // d, d)
    k = (h @ wk.to(h.dtype).t()).view(-1, wk.shape[0] // d, d)
    v = (h @ wv.to(h.dtype).t()).view(-1, wv.shape[0] // d, d)
    return rotate(q, cos, sin), rotate(k, cos, sin), v


def after(x, a, wo, g, wg, wu, wd):
    x = x + (a @ wo.to(a.dtype).t()).to(x.dtype)
    h = rms(x, g)
    return x + ((F.silu(h @ wg.to(h.dtype).t()) * (h @ wu.to(h.dtype).t())) @ wd.to(h.dtype).t()).to(x.dtype)


def losses(x, g, emb, target):
    """Cross-entropy of every position, float32."""
    h = rms(x, g)
    return F.cross_entropy((h @ emb.to(h.dtype).t()).float(), target, reduction="none", ignore_index=-1)


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        w, d, f = c["hidden_size"], c["head_dim"], c["intermediate_size"]
        def mat(o, i, std=0.02):
            return nn.Parameter(torch.randn(o, i) * std)
        out = 0.02 / math.sqrt(2 * c["num_hidden_layers"])
        self.input_layernorm, self.post_attention_layernorm = nn.Parameter(torch.ones(w)), nn.Parameter(torch.ones(w))
        self.q_proj, self.k_proj = mat(c["num_attention_heads"] * d, w, 0.04), mat(c["num_key_value_heads"] * d, w, 0.04)
        self.v_proj, self.o_proj = mat(c["num_key_value_heads"] * d, w), mat(w, c["num_attention_heads"] * d, out)
        self.gate_proj, self.up_proj, self.down_proj = mat(f, w), mat(f, w), mat(w, f, out)


class Model(nn.Module):
    """Tokens are flat (N); attention alone sees them as (batch, T). So the compiled parts keep one shape at all lengths."""

    def __init__(self, c=CONFIG):
        super().__init__()
        self.c = c
        self.embed = nn.Parameter(torch.randn(c["vocab_size"], c["hidden_size"]) * 0.02)
        self.layers = nn.ModuleList(Layer(c) for _ in range(c["num_hidden_layers"]))
        self.norm = nn.Parameter(torch.ones(c["hidden_size"]))
        # look-ahead heads, dropped after training
        self.ahead = nn.Parameter(torch.randn(HORIZON - 1, c["hidden_size"], c["hidden_size"]) * 0.02)
        self.before, self.after, self.losses = before, after, losses

    def rope(self, pos):
        d = self.c["head_dim"]
        inv = self.c["rope_theta"] ** (-torch.arange(0, d, 2, device=pos.device, dtype=torch.float64) / d)
        a = pos.to(torch.float64)[:, None] * inv
        return a.cos().float(), a.sin().float()

    def forward(self, ids, T, keep=None):
        """ids (N) → hidden states before the last norm (N, width). keep, a list, receives (q, k, v) of each layer."""
        B = ids.numel() // T
        cos, sin = self.rope(torch.arange(T, device=ids.device))
        cos, sin = cos.repeat(B, 1), sin.repeat(B, 1)
        x = self.embed[ids]
        for l in self.layers:
            q, k, v = self.before(x, l.input_layernorm, l.q_proj, l.k_proj, l.v_proj, cos, sin)
            q, k, v = (t.view(B, T, t.shape[1], t.shape[2]).transpose(1, 2) for t in (q, k, v))
            if keep is not None:
                keep.append((q, k, v))
            r = q.shape[1] // k.shape[1]
            a = F.scaled_dot_product_attention(q, k.repeat_interleave(r, 1), v.repeat_interleave(r, 1), is_causal=True)
            a = a.transpose(1, 2).reshape(B * T, -1)
            x = self.after(x, a, l.o_proj, l.post_attention_layernorm, l.gate_proj, l.up_proj, l.down_proj)
        return x

    def logits(self, x):
        h = rms(x, self.norm)
        return (h @ self.embed.to(h.dtype).t()).float()

    def step(self, ids, pos, caches):
        """One token each for a batch; caches: per layer [K, V] (B, heads, n, d), one copy per query head."""
        B = ids.shape[0]
        cos, sin = self.rope(torch.full((B,), pos, device=ids.device))
        x = self.embed[ids]
        for l, cache in zip(self.layers, caches):
            q, k, v = before(x, l.input_layernorm, l.q_proj, l.k_proj, l.v_proj, cos, sin)
            r = q.shape[1] // k.shape[1]
            cache[0] = torch.cat([cache[0], k.repeat_interleave(r, 1)[:, :, None]], 2)
            cache[1] = torch.cat([cache[1], v.repeat_interleave(r, 1)[:, :, None]], 2)
            p = torch.softmax((q[:, :, None].float() @ cache[0].float().transpose(2, 3)) / math.sqrt(q.shape[-1]), -1)
            a = (p.to(v.dtype) @ cache[1])[:, :, 0].reshape(B, -1)
            x = after(x, a, l.o_proj, l.post_attention_layernorm, l.gate_proj, l.up_proj, l.down_proj)
        return self.logits(x)


def save(model, out, name="model.safetensors"):
    """Hugging Face's Llama in bfloat16: config.json and the safetensors file, written by hand (no further package)."""
    tensors = {"model.embed_tokens.weight": model.embed, "model.norm.weight": model.norm}
    for i, l in enumerate(model.layers):
        for n, p in l.named_parameters():
            group = "" if "norm" in n else "self_attn." if n[0] in "qkvo" else "mlp."
            tensors[f"model.layers.{i}.{group}{n}.weight"] = p
    header, blobs, at = {"__metadata__": {"format": "pt"}}, [], 0
    for n in sorted(tensors):
        b = tensors[n].detach().to(torch.bfloat16).cpu().contiguous().view(torch.int16).numpy().tobytes()
        header[n] = {"dtype": "BF16", "shape": list(tensors[n].shape), "data_offsets": [at, at + len(b)]}
        blobs.append(b)
        at += len(b)
    h = json.dumps(header, separators=(",", ":")).encode()
    h += b" " * (-len(h) % 8)
    tmp = Path(out) / (name + ".part")
    tmp.write_bytes(len(h).to_bytes(8, "little") + h + b"".join(blobs))
    tmp.rename(Path(out) / name)
    c = dict(CONFIG, architectures=["LlamaForCausalLM"], model_type="llama", hidden_act="silu", attention_bias=False, mlp_bias=False,
             tie_word_embeddings=True, torch_dtype="bfloat16", bos_token_id=None, eos_token_id=EOS, initializer_range=0.02, rope_scaling=None,
             use_cache=True)
    (Path(out) / "config.json").write_text(json.dumps(c, indent=2, sort_keys=True) + "\n")


def load(path, device):
    raw = Path(path).read_bytes()
    n = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:8 + n])
    def get(name):
        h = header[name]
        a, b = h["data_offsets"]
        return torch.frombuffer(bytearray(raw[8 + n + a:8 + n + b]), dtype=torch.bfloat16).view(h["shape"]).float()
    m = Model()
    with torch.no_grad():
        m.embed.copy_(get("model.embed_tokens.weight"))
        m.norm.copy_(get("model.norm.weight"))
        for i, l in enumerate(m.layers):
            for k, p in l.named_parameters():
                group = "" if "norm" in k else "self_attn." if k[0] in "qkvo" else "mlp."
                p.copy_(get(f"model.layers.{i}.{group}{k}.weight"))
    return m.to(device)


# ---------------------------------------------------------------- evaluation, with SnapKV (arXiv 2404.14469)

@torch.no_grad()
def snapkv(q, k, v, window, cap, kernel, grouping="query_head", pooling="max"):
    """The kept keys and values of one layer, one copy per query head, (B, heads, cap, d)."""
    r, n, d = q.shape[1] // k.shape[1], k.shape[2], k.shape[3]
    k, v = k.repeat_interleave(r, 1), v.repeat_interleave(r, 1)
    if n <= cap:
        return [k, v]
    s = (q[:, :, -window:].float() @ k.float().transpose(2, 3)) / math.sqrt(d)
    s[..., -window:] += torch.full((window, window), -torch.inf, device=s.device).triu(1)
    s = torch.softmax(s, -1)[..., :n - window].sum(2)
    if grouping == "kv_head_mean":
        s = s.unflatten(1, (-1, r)).mean(2).repeat_interleave(r, 1)
    if pooling == "max":
        s = F.max_pool1d(s, kernel, 1, kernel // 2)
    else:
        s = F.avg_pool1d(s, kernel, 1, kernel // 2)
    top = torch.sort(s, dim=-1, descending=True, stable=True)[1][..., :cap - window]
    top = torch.cat([top, torch.arange(n - window, n, device=top.device).expand(*top.shape[:2], window)], -1)
    top = top[..., None].expand(*top.shape, d)
    return [k.gather(2, top), v.gather(2, top)]


@torch.no_grad()
def recall(model, ids, answers, variants, chunk=None):
    """For each variant (None: the full cache; else snapkv's settings): (share exactly right, mean share of the answer's tokens
    before the first wrong one), per trial. The answer's first token is a space and not counted."""
    out = {v: [] for v in variants}
    n = ids.shape[1]
    chunk = chunk or max(1, 131072 // n)
    for at in range(0, len(ids), chunk):
        x, y = ids[at:at + chunk], answers[at:at + chunk]
        keep = []
        h = model(x.reshape(-1), n, keep)
        first = model.logits(h.view(len(x), n, -1)[:, -1]).argmax(-1)
        for var in variants:
            if var is None:
                r = keep[0][0].shape[1] // keep[0][1].shape[1]
                caches = [[k.repeat_interleave(r, 1), v.repeat_interleave(r, 1)] for _, k, v in keep]
            else:
                caches = [snapkv(q, k, v, *var) for q, k, v in keep]
            t, got = first, [first]
            for i in range(y.shape[1] - 1):
                t = model.step(t, n + i, caches).argmax(-1)
                got.append(t)
            right = (torch.stack(got, 1) == y).long().cumprod(1)[:, 1:]
            out[var].append(right.float().mean(1))
    return {v: torch.cat(r) for v, r in out.items()}


def show(res):
    return f"{(res == 1).float().mean().item():.3f}/{res.mean().item():.3f}"


def report(model, maker, device, lengths, B, budgets, kernels, windows, seed=10_000, deadline=None, grouping="query_head"):
    """Prints exact/recalled for the full cache and every variant; returns them."""
    table = {}
    for n in lengths:
        if deadline and time.time() > deadline:
            print(f"n={n}: no time left", flush=True)
            break
        ids, ans = (t.to(device) for t in maker.trials(seed + n, B, n))
        variants = [None] + [(w, c, k, grouping) for w in windows for k in kernels for c in budgets if c < n]
        res = recall(model, ids, ans, variants)
        print(f"n={n} trials={B} full {show(res[None])}", flush=True)
        for w in windows:
            for k in kernels:
                print(f"  w={w} k={k:2d} " + "  ".join(f"{c}: {show(res[(w, c, k, grouping)])}" for c in budgets if c < n), flush=True)
        table[n] = {str(v): [(r == 1).float().mean().item(), r.mean().item()] for v, r in res.items()}
    return table


# ---------------------------------------------------------------- training

# (share of the training, a step's cost against the first stage's, lengths and how often). Every batch has the same number
# of tokens. A long sequence's step takes longer, so a stage gets fewer steps than its share.
STAGES = [(0.27, 1.0, {256: 0.2, 512: 0.8}), (0.28, 1.2, {512: 0.2, 1024: 0.2, 2048: 0.6}),
          (0.33, 2.0, {1024: 0.15, 2048: 0.1, 4096: 0.2, 8192: 0.55}), (0.12, 3.0, {1024: 0.15, 4096: 0.15, 8192: 0.2, 16384: 0.5})]


def progress(step, steps):
    """How much of the training is done before a step, 0 to 1, and the step's stage."""
    at, done, cost = step / steps, 0.0, sum(s / c for s, c, _ in STAGES)
    for i, (share, c, _) in enumerate(STAGES):
        length = share / c / cost
        if at < length or i == len(STAGES) - 1:
            return min(1.0, done + share * at / length), i
        at, done = at - length, done + share


def draw(maker, seed, step, steps, N, scale):
    """The batch of a step: its length, ids and mask. Whichever process makes it, it is the same."""
    rng, stage = random.Random(f"{seed}/{step}"), progress(step, steps)[1]
    lengths = STAGES[stage][2]
    T = min(N, max(256, rng.choices(list(lengths), list(lengths.values()))[0] // scale))
    return (T, *maker.batch(rng, N, T, stage == 0))


def worker(i, a, out):
    """Makes every a.workers-th batch from i on; out is this worker's alone, and its bound paces it."""
    parent = os.getppid()
    threading.Thread(target=lambda: (wait_for(lambda: os.getppid() != parent), os._exit(1)), daemon=True).start()
    torch.set_num_threads(1)
    maker = Maker(load_tokenizer(a.model))
    for step in range(i, a.steps, a.workers):
        out.put(draw(maker, a.seed, step, a.steps, a.tokens, a.scale))


def wait_for(condition):
    while not condition():
        time.sleep(1)


class Steer:
    """Sets the multi-token loss's weight so that recall under SnapKV is graded: at 2K tokens with kernel 7 and window 32 the
    share of digits recalled with 256 positions should lie between the limits; too high, the window looks ahead
    too evenly and the kernel no longer matters; too low, and there is a cliff."""

    def __init__(self, weight):
        self.weight = weight

    def update(self, r):
        mid, flat = r[(32, 256, 7)], r[(32, 128, 1)]
        if mid > 0.85 or flat > 0.45:
            self.weight = max(self.weight / 2, 0.005)
        elif mid < 0.6:
            self.weight = min(self.weight * 1.7, 1.0)


def train(a):
    t0 = time.time()
    out = Path(a.out)
    out.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):  # so that the result is a whole model
        if not (out / name).exists():
            shutil.copyfile(Path(a.model) / name, out / name)
    dev = "cuda" if torch.cuda.is_available() and not a.cpu else "cpu"
    # watchdog: whatever hangs, the process ends, with the last checkpoint written
    threading.Thread(target=lambda: (time.sleep(a.limit), print("watchdog: time is up", flush=True), os._exit(3)), daemon=True).start()
    N = a.tokens
    ctx = mp.get_context("fork")
    queues = [ctx.Queue(maxsize=4) for _ in range(a.workers)]
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # one thread a process; and the tokenizer is first used after the fork
    procs = [ctx.Process(target=worker, args=(i, a, q), daemon=True) for i, q in enumerate(queues)]
    for p in procs:
        p.start()
    torch.manual_seed(a.seed)
    deterministic(dev)
    model = Model().to(dev)
    if dev == "cuda":
        print(torch.cuda.get_device_name(), torch.__version__, flush=True)
        if a.compile:
            try:
                compile_parts(model, N)
            except Exception as e:  # slower, never wrong
                print("compile failed, going on without:", repr(e)[:300], flush=True)
                model.before, model.after, model.losses = before, after, losses
    opt = optimizer(model, a.lr)
    maker = eval_maker(load_tokenizer(a.model))
    steer = Steer(a.ahead)
    sets = {n: tuple(t.to(dev) for t in maker.trials(n, max(2, 65536 // n // a.scale), n // a.scale)) for n in (1024, 2048, 8192)}
    probe = [None] + [(32, c, k) for k in (1, 7, 13) for c in (64, 128, 256, 512) if c < 2048 // a.scale]
    self_test(model, maker, a, *sets[2048], probe)
    start = time.time()
    print(f"ready after {start - t0:.0f} s, weights {fingerprint(model)}", flush=True)
    torch.manual_seed(a.seed)  # whatever the start has drawn
    marks, step, seen, waited, stopped = [0.15 + 0.07 * i for i in range(13)], 0, 0, 0.0, False
    acc = torch.zeros(3, device=dev)
    while step < a.steps and not stopped:
        t, stage = progress(step, a.steps)
        lr = a.lr * min(1.0, (step + 1) / a.warmup) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * t)))
        for g in opt.param_groups:
            g["lr"] = lr
        w0 = time.time()
        T, ids, mask = queues[step % a.workers].get(timeout=120)
        waited += time.time() - w0
        acc += update(model, opt, T, ids, mask, steer.weight, a.ahead_max)
        step, seen = step + 1, seen + len(ids)
        if step % a.every == 0:
            la_, all_, lm_ = (acc / a.every).tolist()
            acc.zero_()
            el = time.time() - start
            print(f"step {step} {el:.0f} s stage {stage} T {T} lr {lr:.2e} answers {la_:.3f} all {all_:.3f} ahead {lm_:.3f} "
                  f"{seen / el / 1e6:.2f} M tokens/s waited {waited:.1f} s weights {fingerprint(model)}", flush=True)
            if not math.isfinite(la_):
                print("loss is not finite", flush=True)
                os._exit(4)
            stopped = bool(a.stop_file) and Path(a.stop_file).exists()
        if marks and t >= marks[0]:
            marks.pop(0)
            e0 = time.time()
            res = {n: recall(model, *sets[n], [None] if n != 2048 else probe) for n in sets if n <= (2048 if t < 0.5 else 8192)}
            r = {v: x.mean().item() for v, x in res[2048].items()}
            print(f"  {t:.2f} full " + " ".join(f"{n}: {show(x[None])}" for n, x in res.items()) + " | digits recalled at 2K, " +
                  " ".join(f"k{k}: " + ",".join(f"{r[v]:.2f}" for v in probe[1:] if v[2] == k) for k in (1, 7, 13)) +
                  f" | ahead {steer.weight:.3f} ({time.time() - e0:.1f} s)", flush=True)
            if a.steer and r[None] > 0.8:
                steer.update(r)
            save(model, out, "model.safetensors")
    save(model, out, "model.safetensors")
    print(f"trained {step} steps, {seen / 1e6:.0f} M tokens in {time.time() - start:.0f} s, waited {waited:.1f} s, weights {fingerprint(model)}", flush=True)
    print("sha256 of model.safetensors", hashlib.sha256((out / "model.safetensors").read_bytes()).hexdigest(), flush=True)
    for p in procs:
        p.terminate()
    if stopped:
        print("stopped by", a.stop_file, flush=True)
        sys.exit(6)
    if a.evaluate:
        deadline = t0 + a.limit - 20
        model = load(out / "model.safetensors", dev)  # what is shipped: rounded to bfloat16
        res = report(model, maker, dev, [n // a.scale for n in (2048, 4096, 8192, 1024)], a.trials, (64, 128, 256, 512, 1024), (1, 5, 7, 13), (32, 16), deadline=deadline)
        res["16384"] = report(model, maker, dev, [16384 // a.scale], a.trials, (256,), (7,), (32,), deadline=deadline)
        (out / "scores.json").write_text(json.dumps(res, indent=1))


def optimizer(model, lr):
    mats = [p for n, p in model.named_parameters() if p.ndim >= 2 and n != "embed"]
    rest = [p for n, p in model.named_parameters() if p.ndim < 2 or n == "embed"]
    return torch.optim.AdamW([{"params": mats, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}], lr=lr, betas=(0.9, 0.95),
                             eps=1e-8, fused=model.embed.is_cuda)


def update(model, opt, T, ids, mask, weight, limit):
    """One step on a batch as draw makes it. Returns the losses on answers, on all tokens and ahead."""
    dev = model.embed.device
    ids = torch.from_numpy(ids.astype(np.int32)).to(dev, non_blocking=True).long()
    mask = torch.from_numpy(mask).to(dev, non_blocking=True).bool()
    target = ids.roll(-1).view(-1, T).clone()
    target[:, -1] = -1
    target = target.view(-1)
    answer = mask.roll(-1).view(-1, T).clone()
    answer[:, -1] = False
    answer = answer.view(-1)
    x = model(ids, T)
    ce = model.losses(x, model.norm, model.embed, target)
    la, every = (ce * answer).sum() / answer.sum().clamp(min=1), ce.sum() / (target >= 0).sum()
    lm = ahead_loss(model, x, ids, answer, mask, T, limit) if weight > 0 else la * 0
    opt.zero_grad(set_to_none=True)
    (la + 0.5 * every + weight * lm).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    opt.step()
    return torch.stack([la.detach(), every.detach(), lm.detach()])


def ahead_loss(model, x, ids, answer, mask, T, limit):
    """Mean over horizons 2..HORIZON, falling weights, of the cross-entropy of answers' tokens that far ahead."""
    pos = torch.nonzero(answer).squeeze(1)
    if pos.numel() == 0:
        return x.sum() * 0
    if pos.numel() > limit:
        pos = pos[torch.randperm(pos.numel(), device=pos.device)[:limit]]
    h = rms(x[pos], model.norm)
    emb, total, inside = model.embed.to(h.dtype).t(), 0.0, torch.ones_like(pos, dtype=torch.bool)
    weights = [0.75 ** i for i in range(HORIZON - 1)]
    for i, w in enumerate(weights):
        j = (pos + i + 2).clamp(max=ids.numel() - 1)
        inside = inside & mask[j] & (j % T != 0)
        y = torch.where(inside, ids[j], -100)
        z = ((h + h @ model.ahead[i].to(h.dtype)) @ emb).float()
        ce = F.cross_entropy(z, y, reduction="sum", ignore_index=-100)
        total = total + w * ce / inside.sum().clamp(min=1)
    return total / sum(weights)


def fingerprint(model):
    """The first 16 hexadecimal digits of the SHA-256 of all float32 weights."""
    h = hashlib.sha256()
    for p in model.parameters():
        h.update(p.detach().cpu().contiguous().numpy())
    return h.hexdigest()[:16]


def deterministic(dev):
    """Lets no kernel be chosen by its time and none add in an order that varies; an operation that has no such kernel raises."""
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # costs time, and nothing is read before it is written
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = False, True
    if dev == "cuda":  # of the fused attentions the flash kernel alone has a deterministic backward pass
        torch.backends.cuda.enable_flash_sdp(True)
        torch.backends.cuda.enable_mem_efficient_sdp(False)
        torch.backends.cuda.enable_cudnn_sdp(False)
        torch.backends.cuda.enable_math_sdp(False)


def self_test(model, maker, a, ids, answers, probe):
    """The same step twice from the same weights, short and long, and the evaluation twice: equal bits, or the end."""
    def step(T):
        torch.manual_seed(0)
        m = copy.deepcopy(model)
        losses = update(m, optimizer(m, a.lr), T, *maker.batch(random.Random(T), a.tokens, T), a.ahead, a.ahead_max)
        return fingerprint(m), losses.tolist()
    lengths = sorted({min(a.tokens, max(256, n // a.scale)) for n in (512, 16384)})
    tests = [(f"a step at {T} tokens", lambda T=T: step(T)) for T in lengths]
    tests.append(("evaluation", lambda: {v: r.tolist() for v, r in recall(model, ids, answers, probe).items()}))
    t = time.time()
    for name, test in tests:
        try:
            first, second = test(), test()
        except Exception as e:
            first, second = repr(e)[:1000], None
        if first != second:
            print(f"not deterministic: {name}: {first} and {second}", flush=True)
            os._exit(5)
    print(f"deterministic: {', '.join(n for n, _ in tests)} ({time.time() - t:.1f} s)", flush=True)


def compile_parts(model, N):
    import torch._inductor.config as inductor
    inductor.shape_padding = False  # would be decided by timing
    if hasattr(inductor, "deterministic"):
        inductor.deterministic = True  # nor any other choice
    t = time.time()
    model.before, model.after, model.losses = (torch.compile(f, dynamic=False) for f in (before, after, losses))
    ids = torch.randint(0, 4096, (N,), device="cuda")
    for _ in range(2):
        x = model(ids, 512)
        model.losses(x, model.norm, model.embed, ids).mean().backward()
    model.zero_grad()
    torch.cuda.synchronize()
    # evaluation has other shapes: keep the compiled parts for training's shape alone
    pb, pa, pl = model.before, model.after, model.losses
    model.before = lambda x, *r: pb(x, *r) if x.shape[0] == N and torch.is_grad_enabled() else before(x, *r)
    model.after = lambda x, *r: pa(x, *r) if x.shape[0] == N and torch.is_grad_enabled() else after(x, *r)
    model.losses = pl
    print(f"compiled in {time.time() - t:.0f} s", flush=True)


def check(a):
    tok = load_tokenizer(a.model)
    t = time.time()
    m, rng = Maker(tok), random.Random(a.seed)
    print(f"text ready in {time.time() - t:.1f} s; {sum(m.hay.weights)} tokens; {len(m.words.train)} words")
    for T in (256, 512, 2048, 8192, 16384):
        t, n = time.time(), max(4, 65536 // T // 4)
        share = []
        for _ in range(n):
            ids, mask = m.sequence(rng, T, True)
            assert len(ids) == T and len(mask) == T, (len(ids), T)
            share.append(mask.mean())
        print(f"T {T}: {n * T / (time.time() - t) / 1e6:.3f} M tokens/s a core, answers {np.mean(share):.3f}")
    bad = 0
    for i in range(400):  # pieces meet where the tokenizer splits anyway
        kind = rng.choice(["prose", "noise"])
        ids, _ = m.needles(rng, 1024, kind)
        text = tok.decode(ids.tolist(), skip_special_tokens=False)
        again = tok.encode(text).ids
        bad += again != ids.tolist()
    print(f"{bad} of 400 sequences tokenize otherwise when whole")
    for make in (m.needles, m.needles, m.needles, m.lines, m.chains, m.quote, m.copy):
        ids, mask = make(rng, 400)
        s = "".join(("[[" if b and not p else "]]" if p and not b else "") + tok.decode([int(i)], skip_special_tokens=False) for i, b, p in zip(ids, mask, [0] + mask[:-1].tolist()))
        print("=" * 20, make.__name__, "\n" + s)
    em = eval_maker(tok)
    p, ans = em.trial(rng, 300)
    print("=" * 20, "trial\n" + tok.decode(p.tolist()), "->", tok.decode(ans.tolist()))


def evaluate(a):
    torch.manual_seed(0)
    model = load(Path(a.model) / "model.safetensors", a.device)
    maker = eval_maker(load_tokenizer(a.model))
    report(model, maker, a.device, a.lengths, a.trials, a.budgets, a.kernels, a.windows, seed=a.seed, grouping=a.grouping)


def main():
    ap = argparse.ArgumentParser(description="the embedded model: tokenizer, training, evaluation")
    sub = ap.add_subparsers(dest="cmd", required=True)
    p = sub.add_parser("tokenizer")
    p.add_argument("--out", required=True)
    p = sub.add_parser("check")
    p.add_argument("--model", required=True)
    p.add_argument("--seed", type=int, default=1)
    p = sub.add_parser("eval")
    p.add_argument("--model", required=True)
    p.add_argument("--device", default="cpu")
    p.add_argument("--lengths", type=int, nargs="+", default=[1024, 2048, 4096])
    p.add_argument("--trials", type=int, default=40)
    p.add_argument("--budgets", type=int, nargs="+", default=[64, 128, 256, 512])
    p.add_argument("--kernels", type=int, nargs="+", default=[1, 5, 7, 13])
    p.add_argument("--windows", type=int, nargs="+", default=[32])
    p.add_argument("--grouping", default="query_head", choices=["query_head", "kv_head_mean"])
    p.add_argument("--seed", type=int, default=77_000)
    p = sub.add_parser("train")
    p.add_argument("--model", required=True, help="folder of tokenizer.json")
    p.add_argument("--out", required=True)
    p.add_argument("--limit", type=float, default=520, help="seconds after which the watchdog ends the process")
    p.add_argument("--tokens", type=int, default=65536, help="tokens a step")
    p.add_argument("--steps", type=int, default=7000, help="length of the training: the whole schedule follows from it")
    p.add_argument("--lr", type=float, default=2e-3)
    p.add_argument("--warmup", type=int, default=200)
    p.add_argument("--ahead", type=float, default=0.25, help="weight of the multi-token loss at the start")
    p.add_argument("--ahead-max", type=int, default=8192, help="positions a step it is taken at")
    p.add_argument("--steer", type=int, default=1)
    p.add_argument("--workers", type=int, default=15)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--every", type=int, default=200, help="steps between two lines of the log")
    p.add_argument("--stop-file", help="if this file appears, training saves and ends with exit status 6")
    p.add_argument("--trials", type=int, default=200)
    p.add_argument("--compile", type=int, default=1)
    p.add_argument("--evaluate", type=int, default=1)
    p.add_argument("--cpu", action="store_true")
    p.add_argument("--scale", type=int, default=1, help="divides every length: for a test on the CPU")
    a = ap.parse_args()
    {"tokenizer": lambda: train_tokenizer(a.out), "check": lambda: check(a), "eval": lambda: evaluate(a), "train": lambda: train(a)}[a.cmd]()


if __name__ == "__main__":
    main()
