"""Writes cases.json: templates and what Jinja2 makes of them, set up as the
transformers library does. Needs jinja2 3.1.6 under Python 3.11.

    python3 cases.py < cases.txt > cases.json

A line of cases.txt is a template as a JSON string, or a comment with #."""
import datetime
import json
import sys

import jinja2
import jinja2.ext
import jinja2.sandbox


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("render"), [], [], body).set_lineno(line)

    @jinja2.pass_eval_context
    def render(self, context, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment():
    env = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = datetime.datetime(2026, 1, 2, 3, 4, 5).strftime
    return env


def variables():
    return {
        "messages": [
            {"role": "system", "content": "Be <b>brief</b>.\n"},
            {"role": "user", "content": "Hi é \"q\""},
            {"role": "assistant", "content": "<think>\nwhy\n</think>\n\nhello"},
            {"role": "user", "content": "bye  "},
        ],
        "add_generation_prompt": True,
        "bos_token": "<s>",
        "eos_token": "</s>",
        "tree": [{"n": "a", "c": [{"n": "b", "c": []}, {"n": "d", "c": [{"n": "e", "c": []}]}]}, {"n": "f", "c": []}],
        "people": [
            {"name": "Bob", "age": 31, "at": {"city": "York"}},
            {"name": "alice", "age": 25, "at": {"city": "Bath"}},
            {"name": "Carol", "age": 31, "at": {"city": "bath"}},
            {"name": "dave"},
        ],
    }


def render(env, template):
    try:
        return {"text": env.from_string(template).render(**variables())}
    except RecursionError:
        raise
    except Exception as e:
        return {"error": type(e).__name__}


if __name__ == "__main__":
    env = environment()
    cases = []
    for line in sys.stdin:
        if line.strip() and not line.startswith("#"):
            template = json.loads(line)
            cases.append({"template": template, **render(env, template)})
    json.dump({"jinja2": jinja2.__version__, "cases": cases}, sys.stdout, ensure_ascii=False, indent=0)
    print()
