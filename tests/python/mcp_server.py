"""A small MCP server, with or without the published server SDK as its guard."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from lime_mcp_server import TokenVerifier
from mcp.server.fastmcp import FastMCP
from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class Guard:
    """Lets a request through whose bearer token the SDK accepts."""

    def __init__(self, app: ASGIApp, verifier: TokenVerifier) -> None:
        self.app = app
        self.verifier = verifier

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            token = Request(scope).headers.get("authorization", "").removeprefix("Bearer ")
            result = await self.verifier.verify_async(token)
            if not result.is_valid:
                await JSONResponse({"error": result.error}, 401)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def application(verifier: TokenVerifier | None) -> ASGIApp:
    # The host names of these tests are no danger to anybody: the check is for browsers.
    security = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    server = FastMCP("tools", transport_security=security)

    @server.tool()
    def add(a: int, b: int) -> int:
        """Adds two numbers."""
        return a + b

    app: ASGIApp = server.streamable_http_app()
    return Guard(app, verifier) if verifier else app


@asynccontextmanager
async def serving(verifier: TokenVerifier | None = None, listener: socket.socket | None = None) -> AsyncIterator[int]:
    """Serves on 127.0.0.1; gives the port."""
    listener = listener or socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application(verifier), log_level="warning", timeout_graceful_shutdown=1))
    server.install_signal_handlers = lambda: None
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task
