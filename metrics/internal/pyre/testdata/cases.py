"""Writes cases.json: what Python's re finds. Run with Python 3.11 in this folder."""
import json
import random
import re

rng = random.Random(7)
ATOMS = ["a", "b", "i", "s", "K", ".", r"\s", r"\d", r"\w", r"\S", r"\W", r"\D", r"\b", r"\B", "^", "$", r"\*", "-", "é",
         "[ab]", "[^a]", "[a-k]", r"[\s*]", r"[^\n\*]", "[]a]", "[a-]", "(a|b)", "(?:ab|a)", "(?:b|bc)", "σ", r"\.", "\\n", "{", "}", ","]
QUANTIFIERS = ["", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{,2}", "{1,}?", "{,}", "{x}"]
CHARACTERS = list("aabbiIİısSſkK\u212a *-\n\n\t.0٣_éÉ{},σςΣ\x1c\u00a0\r\u2028µμ")


def pattern():
    parts = ["".join(rng.choice(ATOMS) + rng.choice(QUANTIFIERS) for _ in range(rng.randint(1, 4)))
             for _ in range(rng.choice([1, 1, 1, 2]))]
    p = "|".join(parts)
    return "(?:" + p + ")" + rng.choice(["", "*", "+"]) if rng.random() < 0.2 else p


fixed = [(p, 0) for p in ["", "a*", "(", ")", "a**", "^*", "*a", "a{2,1}", r"\\", "[a", "[b-a]", "a|", "|a", "(?:a*)*b", r"(a*)+", "x*?", r"\b", "{2}", "a{2}{3}"]]
cases = []
while len(cases) < 800:
    p, flags = fixed.pop() if fixed else (pattern(), rng.choice([0, re.M, re.I, re.M | re.I]))
    text = "".join(rng.choice(CHARACTERS) for _ in range(rng.randint(0, 12)))
    case = {"pattern": p, "ignore_case": bool(flags & re.I), "multiline": bool(flags & re.M), "text": text}
    try:
        compiled = re.compile(p, flags)
        case["found"] = [list(m.span()) for m in compiled.finditer(text)]
        case["groups"] = compiled.groups
    except re.error:
        case["error"] = True
    cases.append(case)
with open("cases.json", "w") as f:
    f.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
