"""Starts llama.cpp's server from the package xllamacpp, on this machine alone.

Its options bear the names of llama-server's. It serves until it is killed.
"""
import argparse
import os
import sys
import threading

import xllamacpp


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ctx-size", type=int, default=4096)
    parser.add_argument("--parallel", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    types = {t[len("GGML_TYPE_"):].lower(): getattr(xllamacpp.ggml_type, t) for t in dir(xllamacpp.ggml_type) if t.startswith("GGML_TYPE_")}
    parser.add_argument("--cache-type-k", choices=types, default="f16")
    parser.add_argument("--cache-type-v", choices=types, default="f16")
    o = parser.parse_args()

    p = xllamacpp.CommonParams()
    p.model.path, p.model_alias = o.model, [os.path.basename(o.model)]
    p.hostnames, p.port = ["127.0.0.1"], o.port
    p.n_ctx, p.n_parallel = o.ctx_size, o.parallel
    p.cpuparams.n_threads = p.cpuparams_batch.n_threads = o.threads
    p.cache_type_k, p.cache_type_v = types[o.cache_type_k], types[o.cache_type_v]
    p.endpoint_metrics = True
    server = xllamacpp.Server(p)
    print("listening on", server.listening_address, file=sys.stderr, flush=True)
    threading.Event().wait()


main()
