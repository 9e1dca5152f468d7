"""What every suite here needs: the issuer that the Rust side has started, and who is registered there.

Each test registers its own owner, sites and agents, so that no stream of one test sees the events of another.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from lime_agents import LimeAgent
from lime_sites import LimeSite

# The `iss`, and the base URL of the MCP server SDK.
ISSUER = os.environ["LIME_TEST_ISSUER"]
# The base URL of the other two.
API_BASE = f"{ISSUER}/api/v1"

WAIT_SECONDS = 30.0

_numbers = itertools.count(1)


def operate(*arguments: str) -> dict[str, Any]:
    """One command of the issuer's operator, beside the running issuer."""
    command = [os.environ["LIME_TEST_LIME"], "issuer", *arguments, "--json", "-c", os.environ["LIME_TEST_ISSUER_FILE"]]
    # Without our own variables: some of them are settings of the issuer.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LIME_")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@dataclass
class Registered:
    """A site or an agent."""

    id: str
    token: str


@dataclass
class Owner:
    id: str = field(default_factory=lambda: operate("owner", "add", "--name", "Owner")["owner_id"])

    def site(self, url: str | None = None) -> Registered:
        url = url or f"https://site-{os.getpid()}-{next(_numbers)}.lime.test"
        added = operate("site", "add", "--owner", self.id, "--name", "Site", "--url", url)
        return Registered(added["site_id"], added["site_token"])

    def agent(self, *sites: Registered) -> Registered:
        listed = [word for site in sites for word in ("--site", site.id)] or ["--any-site"]
        added = operate("agent", "add", "--owner", self.id, "--name", "Agent", *listed)
        return Registered(added["agent_id"], added["agent_token"])


@pytest.fixture
def owner() -> Owner:
    return Owner()


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 120))


def agent_client(agent: Registered, **options: Any) -> LimeAgent:
    return LimeAgent(agent_token=agent.token, base_url=API_BASE, **options)


class Deliveries:
    """What the handlers of one `LimeSite` were given."""

    def __init__(self, site: LimeSite) -> None:
        self.site = site
        self.seen: list[tuple[str, str | None]] = []
        self._more = asyncio.Event()
        site.on_login(self._take)

    async def _take(self, request_id: str, passport: str | None) -> None:
        self.seen.append((request_id, passport))
        self._more.set()

    async def of(self, request_id: str) -> str | None:
        """The passport of this request, or `None` for one that expired; waits for the event."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                for found, passport in self.seen:
                    if found == request_id:
                        return passport
                self._more.clear()
                await self._more.wait()


@asynccontextmanager
async def site_client(site: Registered) -> AsyncIterator[Deliveries]:
    # A short wait between reconnects: the default of half a second doubles with each.
    async with LimeSite(site_token=site.token, base_url=API_BASE, sse_backoff_base=0.05) as client:
        yield Deliveries(client)


def call(method: str, path: str, **options: Any) -> httpx.Response:
    """A plain call to the API, for what no SDK would send."""
    return httpx.request(method, f"{API_BASE}{path}", trust_env=False, **options)


def state_of(request_id: str, site: Registered) -> str:
    """Where the issuer says a login request stands."""
    answer = call("GET", f"/modules/agent-login/requests/{request_id}", headers={"X-Site-Token": site.token})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["status"]


def eventually(what: str, look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not look():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name below `.test` is this machine (RFC 6761 §6.2 keeps them free for this)."""
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if isinstance(name, str) and name.endswith(".test"):
            host = "127.0.0.1"
        return real(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
