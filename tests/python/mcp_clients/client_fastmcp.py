"""PyPI `fastmcp` 4. It looks at the authorization URL once before the browser does. Argument: `dcr` or `cimd`."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
import urllib.error
import urllib.request
import warnings
import webbrowser

from fastmcp import Client
from fastmcp.client.auth import OAuth
from notes import Document, adds, browser, claims, given, revoked, step, tell, uses_tools, words
from owner_browser import query_of

HOW = sys.argv[1] if len(sys.argv) > 1 else "dcr"

warnings.simplefilter("ignore")


class Owner:
    """Opens what the client asks to be opened, as a desktop does."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self._browser = browser()

    def open(self, url: str, *_: object) -> bool:
        self.asked.append(query_of(url))
        threading.Thread(target=self._authorize, args=(url,), daemon=True).start()
        return True

    def _authorize(self, url: str) -> None:
        called_back = self._browser.authorize(url, self.asked[-1]["redirect_uri"])
        # The client begins to listen only after the browser was opened.
        for _ in range(200):
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                urllib.request.urlopen(called_back, timeout=5).read()
                return
            time.sleep(0.05)


async def story() -> str:
    url, owner = given("MCP_URL"), Owner()
    webbrowser.open = owner.open
    options, document = {}, None
    if HOW == "cimd":
        document = Document(
            client_name="FastMCP notes",
            redirect_uris=["http://127.0.0.1/callback", "http://localhost/callback"],
            token_endpoint_auth_method="none",
        )
        options["client_metadata_url"] = document.url
    auth = OAuth(callback_timeout=30, client_name="FastMCP notes", **options)
    step("connect: discovery, registration, sign-in, consent, code")
    async with Client(url, auth=auth) as client:
        tokens = auth.context.current_tokens
        granted, client_id = claims(tokens.access_token), auth.context.client_info.client_id
        assert (granted["iss"], granted["aud"], granted["client_id"]) == (given("ISSUER"), url, client_id), granted
        assert not document or (document.fetched >= 1 and client_id == document.url)
        assert words(owner.asked[0]["scope"]) == {"mcp:read"}, owner.asked
        await uses_tools(client)

        step("step up: a tool that needs another scope")
        result = await client.call_tool("delete_note", {"id": "1"})
        assert result.content[0].text == "deleted 1"
        assert len(owner.asked) == 2 and words(owner.asked[1]["scope"]) == {"mcp:read", "mcp:write"}, owner.asked

        step("refresh: a token that is over")
        before = auth.context.current_tokens
        auth.context.token_expiry_time = 1.0
        await adds(client)
        after = auth.context.current_tokens
        assert len(owner.asked) == 2, "nobody is asked again"
        assert after.access_token != before.access_token and after.refresh_token != before.refresh_token

        step("revoke, and be refused")
        await revoked(client_id, after.access_token, after.refresh_token)
    return f"{HOW}, code, tools, step-up, refresh, revoke"


tell("fastmcp", story)
