"""PyPI `mcp` 2: the reference client of Python. Arguments: `dcr` or `cimd`; `auto`, `legacy` or a version."""

from __future__ import annotations

import sys

import anyio
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from notes import Document, adds, browser, claims, given, revoked, step, tell, uses_tools, words
from owner_browser import query_of

HOW, MODE = (sys.argv[1:] + ["dcr", "auto"][len(sys.argv) - 1 :])[:2]
CALLBACK = "http://127.0.0.1:49154/callback"


class Memory:
    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


async def story() -> str:
    url, memory, owner = given("MCP_URL"), Memory(), browser()
    asked: list[dict[str, str]] = []
    called_back: dict[str, str] = {}

    async def redirect(to: str) -> None:
        asked.append(query_of(to))
        called_back.update(query_of(await anyio.to_thread.run_sync(owner.authorize, to, CALLBACK)))

    async def callback() -> AuthorizationCodeResult:
        return AuthorizationCodeResult(code=called_back["code"], state=called_back["state"], iss=called_back.get("iss"))

    described = {
        "client_name": "Python notes",
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    }
    document = Document(**described) if HOW == "cimd" else None
    provider = OAuthClientProvider(
        url,
        OAuthClientMetadata(**described),
        memory,
        redirect,
        callback,
        client_metadata_url=document.url if document else None,
    )
    step("connect: discovery, registration, sign-in, consent, code")
    async with create_mcp_http_client(auth=provider) as http:
        async with Client(streamable_http_client(url, http_client=http), mode=MODE) as client:
            granted = claims(memory.tokens.access_token)
            assert (granted["iss"], granted["aud"]) == (given("ISSUER"), url), granted
            assert granted["client_id"] == memory.client.client_id
            assert not document or (document.fetched >= 1 and memory.client.client_id == document.url)
            assert asked[0]["resource"] == url and words(asked[0]["scope"]) == {"mcp:read"}, asked
            assert called_back["iss"] == given("ISSUER")
            await uses_tools(client)

            step("step up: a tool that needs another scope")
            result = await client.call_tool("delete_note", {"id": "1"})
            assert result.content[0].text == "deleted 1"
            assert len(asked) == 2 and words(asked[1]["scope"]) == {"mcp:read", "mcp:write"}, asked

            step("refresh: a token that is over")
            before = memory.tokens
            provider.context.token_expiry_time = 1.0
            await adds(client)
            after = memory.tokens
            assert len(asked) == 2, "nobody is asked again"
            assert after.access_token != before.access_token and after.refresh_token != before.refresh_token
            await client.call_tool("delete_note", {"id": "2"})

            step("revoke, and be refused")
            await revoked(memory.client.client_id, after.access_token, after.refresh_token)
    return f"{HOW}, code, tools, step-up, refresh, revoke ({MODE})"


tell("mcp", story)
