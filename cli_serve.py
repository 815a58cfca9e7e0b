"""The commands by which other programs reach a shop: `serve`, `keys` and `mcp`."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

from cli_common import AddCommand, UsageError, say
from settings import Settings

if TYPE_CHECKING:
    from agent import Agent


def add_commands(command: AddCommand) -> None:
    """Add the commands to the parser."""
    serve = command(
        "serve", _serve, "take events and answer over HTTP: REST, OpenAI-compatible, MCP", model=True
    )
    serve.add_argument("--host", default="127.0.0.1", help="default 127.0.0.1: this machine only")
    serve.add_argument("--port", type=int, help="default 8300")
    serve.add_argument(
        "--timezone", help="the shop's, such as Asia/Shanghai: times with an offset become local"
    )
    serve.add_argument("--events-only", action="store_true", help="take events and answer no questions")
    serve.add_argument("--at-once", type=int, metavar="N", help="questions answered at once (default 64)")
    serve.add_argument("--waiting", type=int, metavar="N", help="further ones that may wait (default 256)")
    keys = command("keys", _keys, "the API keys of a shop: add, list, revoke")
    keys.add_argument("what", choices=("add", "list", "revoke"))
    keys.add_argument("name", nargs="?", help="of the key; its id will do to revoke it")
    keys.add_argument("--role", choices=("service", "merchandiser", "admin", "push"), help="what it may do")
    keys.add_argument("--purpose", help="what it is for, in a few words")
    keys.add_argument("--per-minute", type=int, default=60, metavar="N", help="calls (default 60; 0: any)")
    keys.add_argument("--json", action="store_true", help="print it as JSON")
    mcp = command("mcp", _mcp, "an MCP server over stdio, for a client that starts it", model=True)
    mcp.add_argument(
        "--role", default="admin", choices=("service", "merchandiser", "admin"), help="default admin"
    )


def _serve(args: argparse.Namespace, settings: Settings) -> int:
    """Take events and answer over HTTP until told to end."""
    from api.app import create_app, listen, serve
    from api.desk.mount import desk_routers
    from api.keys import key_in
    from api.turns import AT_ONCE, WAITING, Turns
    from customers.ingest.clock import zone
    from customers.ingest.remembered import read as saved_mapping
    from customers.pipeline import STORE
    from customers.stores import versions

    at_once, waiting = _positive(args.at_once, AT_ONCE, "--at-once"), args.waiting
    waiting = WAITING if waiting is None else max(0, waiting)
    listening = listen(args.host, args.port or settings.api_port)
    saved = saved_mapping(settings.shop / STORE)
    named = args.timezone or (saved.timezone if saved is not None else None)
    key = settings.api_key
    if key is None:
        key, path = key_in(settings.var)
        say(f"The API key is in {path}")
    where = f"http://{args.host}:{args.port or settings.api_port}"
    answers = not args.events_only and versions.find_current(settings.shop) is not None
    say(f"{settings.shop} takes events at {where}/v1/events (Ctrl-C ends it)")
    if answers:
        say(f"Questions: {where}/docs tells of REST; OpenAI clients use {where}/v1, MCP clients {where}/mcp")
    elif not args.events_only:
        say("It answers no questions: the shop has no build (`shopkeeper build` makes one)")
    logging.basicConfig(format="%(asctime)s %(name)s: %(message)s", level=logging.WARNING)
    closing: list[Agent] = []
    app = create_app(
        settings.shop, key, opener=_opener(settings, closing) if answers else None,
        zone=zone(named) if named else None, user_secret=settings.openwebui_secret, turns=Turns(at_once, waiting),
        routers=desk_routers(settings.desks) if answers else (lambda _: []),
    )  # fmt: skip
    try:
        serve(app, listening)
    finally:
        for agent in closing:
            agent.close()
    return 0


def _positive(given: int | None, default: int, flag: str) -> int:
    if given is not None and given < 1:
        raise UsageError(f"{flag} must be at least 1")
    return given or default


def _opener(settings: Settings, closing: list[Agent]) -> Callable[[], Agent]:
    """Return what opens the agent; it is closed with the process."""

    def opened() -> Agent:
        from agent import Agent

        agent = Agent.open(settings, on_progress=say)
        closing.append(agent)
        say(f"Ready to answer ({agent.model})")
        return agent

    return opened


def _keys(args: argparse.Namespace, settings: Settings) -> int:
    """Add, list or revoke keys; a key is shown once, when it is made."""
    from api.key_store import KEYS_FILE, KeyStore

    store = KeyStore(settings.shop / KEYS_FILE)
    if args.what == "list":
        _list_keys(store.all(), args.json)
        return 0
    if not args.name:
        raise UsageError(f"name the key: `shopkeeper keys {args.what} NAME`")
    if args.what == "revoke":
        key = store.revoke(args.name)
        print(
            json.dumps({"revoked": key.id}) if args.json else f"{key.name} ({key.id}) is refused from now on"
        )
        return 0
    if not args.role or not args.purpose:
        raise UsageError("say what the key may do and what it is for: --role ROLE --purpose WORDS")
    if not settings.shop.is_dir():
        raise UsageError(f"{settings.shop} is no shop: bring data in with `shopkeeper data SOURCE`")
    secret, key = store.add(args.name, args.role, args.purpose, args.per_minute)
    if args.json:
        print(json.dumps({"key": secret, "id": key.id, "name": key.name, "role": key.role}))
    else:
        print(secret)
        say(f"This is the {key.role} key {key.name}; it is shown this once, and only a hash of it is kept.")
    return 0


def _list_keys(keys: list, as_json: bool) -> None:
    if as_json:
        print(json.dumps([asdict(key) for key in keys], default=str, ensure_ascii=False))
        return
    for key in keys:
        often = f"{key.per_minute} a minute" if key.per_minute else "no limit"
        state = f"revoked {key.revoked:%Y-%m-%d}" if key.revoked else often
        print(f"{key.id}  {key.name:<20} {key.role:<13} {state:<20} {key.purpose}")


def _mcp(args: argparse.Namespace, settings: Settings) -> int:
    """Serve MCP over stdin and stdout until the client goes; whoever starts it needs no key."""
    import asyncio
    import secrets

    from agent import Agent
    from api.app import open_services
    from api.callers import Caller
    from api.mcp_server import serve_stdio

    with Agent.open(settings, on_progress=say) as agent:
        services = open_services(settings.shop, secrets.token_hex(32), lambda: agent)
        services.opened.start()
        services.opened.wait()
        caller = Caller("stdio", "stdio", args.role, "whoever started this process")
        asyncio.run(serve_stdio(services, caller))
    return 0
