"""What each Python client lives through at a protected MCP server, and how it tells of it."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import ssl
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2
from owner_browser import OwnerBrowser


def given(name: str) -> str:
    """A variable that the Rust side sets."""
    return os.environ[f"LIME_TEST_{name}"]


def browser() -> OwnerBrowser:
    return OwnerBrowser(given("OWNER_USER"), given("OWNER_PASSWORD"))


def claims(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def words(scope: str | None) -> set[str]:
    # A client asks for `offline_access` beside, where the issuer knows the word.
    return set((scope or "").split()) - {"offline_access"}


_steps: list[str] = []


def step(what: str) -> None:
    _steps.append(what)


def tell(who: str, story: Callable[[], Awaitable[str]]) -> None:
    """Runs a script: one line of what it did, or the whole story of how far it came."""
    try:
        line = asyncio.run(asyncio.wait_for(story(), 90))
    except BaseException:
        print(f"{who} failed at step {len(_steps)}", file=sys.stderr)
        for number, what in enumerate(_steps, 1):
            print(f" {number}. {what}{'   <-- here' if number == len(_steps) else ''}", file=sys.stderr)
        traceback.print_exc()
        sys.exit(1)
    print(f"{who}: {line}")


class Document:
    """A client identifier metadata document on a TLS server of its own."""

    def __init__(self, **metadata: Any) -> None:
        port = int(given("CIMD_PORT"))
        self.url = f"https://localhost:{port}/client.json"
        self.fetched = 0
        body = json.dumps({"client_id": self.url, **metadata}).encode()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.fetched += 1
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(given("CIMD_CERT"), given("CIMD_KEY"))
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()


async def uses_tools(client: Any) -> None:
    """Lists and calls; `client` is a `Client` of either package."""
    step("list the tools: what nobody may call is not there")
    listed = await client.list_tools()
    names = {tool.name for tool in getattr(listed, "tools", listed)}
    assert {"add", "slow"} <= names and "internal_reset" not in names, names
    step("call a tool")
    await adds(client)
    step("call what nobody may: as if it were not there")
    try:
        said = await client.call_tool("internal_reset", {})
        assert said.is_error, said
        text = str(said)
    except Exception as error:
        text = str(error)
    assert "unknown tool" in text.lower() or "not found" in text.lower(), text


async def adds(client: Any) -> None:
    result = await client.call_tool("add", {"a": 2, "b": 40})
    assert result.content[0].text == "42", result


async def revoked(client_id: str, access_token: str, refresh_token: str) -> None:
    """Revokes by RFC 7009, which no client does by itself, and is refused everywhere."""
    url, issuer = given("MCP_URL"), given("ISSUER")
    async with httpx2.AsyncClient() as http:
        metadata = (await http.get(f"{issuer}/.well-known/oauth-authorization-server")).json()
        body = {"token": refresh_token, "client_id": client_id}
        assert (await http.post(metadata["revocation_endpoint"], data=body)).status_code == 200
        body = {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": client_id, "resource": url}
        again = await http.post(metadata["token_endpoint"], data=body)
        assert (again.status_code, again.json()["error"]) == (400, "invalid_grant"), again.text
        deadline = time.monotonic() + 10
        while True:
            headers = {"Authorization": f"Bearer {access_token}", "Accept": "application/json, text/event-stream"}
            reply = await http.post(url, json={"jsonrpc": "2.0", "id": 1, "method": "ping"}, headers=headers)
            if reply.status_code == 401 and 'error="invalid_token"' in reply.headers["www-authenticate"]:
                return
            assert time.monotonic() < deadline, f"the access token still counts: {reply.status_code}"
            await asyncio.sleep(0.05)
