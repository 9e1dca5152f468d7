"""The Lime SDKs at a gateway before an MCP server: the agent's as a client with a token for the domain, and the MCP
server's as a verifier of both kinds of access token."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest
from lime_agents import LimeAgent
from lime_mcp_server import TokenVerifier

from conftest import ISSUER, WAIT_SECONDS, Owner, Registered, agent_client, operate, run
from forge import claims_of

DOMAIN = "tools.lime.test"
TOOLS = f"http://{DOMAIN}:{os.environ['LIME_TEST_GATEWAY_PORT']}/mcp"
SITE = Registered(os.environ["LIME_TEST_TOOLS_SITE"], "")

pytestmark = pytest.mark.usefixtures("resolver")


@pytest.fixture
def agent(owner: Owner) -> Registered:
    return owner.agent(SITE)


@pytest.fixture
def verifier() -> Iterator[TokenVerifier]:
    with TokenVerifier(expected_domain=DOMAIN, base_url=ISSUER) as made:
        yield made


def ends(test: Coroutine[Any, Any, None]) -> None:
    """Runs what a refusal ends: the MCP package cancels whoever asked when a server refuses by HTTP."""
    with pytest.raises((Exception, asyncio.CancelledError)):  # noqa: B017 - of whatever kind
        run(test)


async def adds(client: LimeAgent) -> None:
    result = await client.call_tool(TOOLS, "add", {"a": 2, "b": 40})
    assert result.content[0].text == "42"


def test_an_agent_uses_the_tools_it_may(agent: Registered) -> None:
    async def test() -> None:
        async with agent_client(agent) as client:
            names = {tool.name for tool in await client.list_tools(TOOLS)}
            assert "add" in names and "internal_reset" not in names
            await adds(client)
            resources = await client.list_resources(TOOLS)
            assert "note://1" in {str(resource.uri) for resource in resources}

    run(test())


def test_an_agent_whose_token_has_ended_asks_for_another(agent: Registered) -> None:
    async def test() -> None:
        async with agent_client(agent) as client:
            await adds(client)
            first = claims_of((await client.get_mcp_access_token(TOOLS)).access_token)
            await asyncio.sleep(max(0.0, first["exp"] - time.time()) + 1)
            await adds(client)
            second = claims_of((await client.get_mcp_access_token(TOOLS)).access_token)
            assert second["exp"] > first["exp"] and second["sub"] == first["sub"]

    run(test())


def test_a_tool_that_wants_a_scope_is_not_for_a_token_that_has_none(agent: Registered) -> None:
    came: list[str] = []

    async def test() -> None:
        async with agent_client(agent) as client:
            await adds(client)
            came.append("added")
            came.append(str(await client.call_tool(TOOLS, "delete_note", {"id": "1"})))

    ends(test())
    assert came == ["added"]


def test_a_tool_that_is_for_nobody_is_not_there(agent: Registered) -> None:
    async def test() -> None:
        async with agent_client(agent) as client:
            try:
                result = await client.call_tool(TOOLS, "internal_reset", {})
                said, is_error = str(result.content), bool(result.isError)
            except Exception as error:
                said, is_error = str(error), True
            assert is_error and "unknown tool" in said.lower(), said

    run(test())


def test_an_agent_that_is_suspended_is_out(agent: Registered) -> None:
    async def test() -> None:
        async with agent_client(agent) as client:
            await adds(client)
            operate("agent", "suspend", agent.id)
            deadline = time.monotonic() + WAIT_SECONDS
            while time.monotonic() < deadline:
                await adds(client)

    started = time.monotonic()
    ends(test())
    assert time.monotonic() - started < WAIT_SECONDS


def test_the_server_sdk_takes_the_token_for_a_domain_and_none_for_a_resource(
    agent: Registered, verifier: TokenVerifier
) -> None:
    async def test() -> None:
        async with agent_client(agent) as client:
            token = (await client.get_mcp_access_token(TOOLS)).access_token
        result = verifier.verify(token)
        assert result.is_valid, result.error
        assert (result.agent_id, result.domain) == (agent.id, DOMAIN)
        # Of the authorization server: for one resource, and so for no verifier that knows domains alone.
        other = os.environ["LIME_TEST_RESOURCE_TOKEN"]
        assert claims_of(other)["aud"] == os.environ["LIME_TEST_RESOURCE"]
        assert verifier.verify(other).error == "Invalid audience"

    run(test())
