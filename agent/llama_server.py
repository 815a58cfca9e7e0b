"""The model server's own process: llama.cpp's HTTP server, run as a script by `agent.serving`.

It imports nothing of ours, so it starts quickly and cannot take the agent down. The first line of standard
input is its configuration (JSON; the key travels here, never on a command line). Standard input then stays
open: its end means that the owner is gone, however that happened, and the server leaves too. One JSON line
on standard output says that it is ready, or why not; llama.cpp's log goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from importlib import import_module
from typing import Any


def parameters(config: dict[str, Any]) -> Any:
    """llama.cpp's parameters for our configuration."""
    xllamacpp = import_module("xllamacpp")  # a compiled module without type stubs
    params = xllamacpp.CommonParams()
    params.model.path = config["model"]
    params.model_alias = {config["alias"]}
    params.hostnames = ["127.0.0.1"]
    params.port = config["port"]
    params.api_keys = [config["key"]]
    params.n_parallel = config["slots"]
    params.n_ctx = config["context"]
    params.n_threads_http = 32  # each waiting question holds one; the checks of our own must get through
    params.sse_ping_interval = 1  # the server finds out that an asker left only when it writes to him
    params.n_batch = config["batch"]
    params.cpuparams.n_threads = config["threads"]
    params.cpuparams_batch.n_threads = config["threads"]
    params.slot_save_path = config["prefixes"].rstrip("/") + "/"
    params.cache_ram_mib = 256  # earlier conversations kept in memory; a token takes about 28 KB
    for path in config["adapters"]:
        adapter = xllamacpp.CommonAdapterLoraInfo()
        adapter.path, adapter.scale = path, 0.0  # each request says which adapter it wants
        params.lora_adapters = [*params.lora_adapters, adapter]
    params.lora_init_without_apply = True
    params.ui = False
    params.cors_origins = ""  # no web page of another origin has business here
    params.fit_params = False
    params.offline = True
    return params


def leave_with_owner() -> None:
    """Wait for the end of standard input and leave at once."""
    while os.read(0, 4096):
        pass
    os._exit(0)


def main() -> None:
    config = json.loads(sys.stdin.readline())
    protocol = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever llama.cpp prints belongs in the log
    threading.Thread(target=leave_with_owner, daemon=True).start()
    try:
        server = import_module("xllamacpp").Server(parameters(config))
    except BaseException as error:
        print(json.dumps({"error": str(error) or type(error).__name__}), file=protocol, flush=True)
        raise
    print(json.dumps({"url": server.listening_address}), file=protocol, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
