"""The unmodified agent SDK through a gateway: in front of nginx serving files, and in front of an MCP server."""

from __future__ import annotations

import os
import socket
import time

import httpx
import pytest
from lime_agents import ApiError

from conftest import API_BASE, Owner, Registered, agent_client, operate, run
from mcp_server import serving

GATEWAY_PORT = os.environ["LIME_TEST_GATEWAY_PORT"]
FILES = f"http://files.lime.test:{GATEWAY_PORT}"
TOOLS = f"http://tools.lime.test:{GATEWAY_PORT}/mcp"
SITES = {name: Registered(os.environ[f"LIME_TEST_{name}_SITE"], "") for name in ("FILES", "TOOLS")}
BASIC = httpx.BasicAuth("alice", "secret")

pytestmark = pytest.mark.usefixtures("resolver")


def fetch(path: str, method: str = "GET", **options: object) -> httpx.Response:
    return httpx.request(method, f"{FILES}{path}", trust_env=False, **options)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def agent(owner: Owner) -> Registered:
    return owner.agent(*SITES.values())


def test_people_notice_nothing() -> None:
    assert fetch("/").text == "<h1>front page</h1>\n"
    assert fetch("/private/note.txt").status_code == 401
    assert fetch("/private/note.txt").headers["www-authenticate"].startswith("Basic")
    assert fetch("/private/note.txt", auth=BASIC).text == "for alice\n"


def test_a_token_of_the_sdk_opens_a_protected_page(agent: Registered) -> None:
    async def test() -> None:
        refusal = fetch("/agents/list.txt")
        assert (refusal.status_code, refusal.json()["reason"]) == (401, "passport_required")
        token, login = refusal.json()["ways_in"]
        assert token == {
            "way": "token",
            "at": f"{API_BASE}/modules/oauth/token",
            "body": {"domain": "files.lime.test"},
        }
        assert login["way"] == "login"
        async with agent_client(agent) as client:
            access = await client.get_mcp_access_token(f"{FILES}/agents/list.txt")
            other = await client.get_mcp_access_token(TOOLS)
        assert fetch("/agents/list.txt", headers=bearer(access.access_token)).text == "for agents\n"
        assert fetch("/agents/list.txt", headers=bearer(other.access_token)).status_code == 401
        both = {"Lime-Authorization": f"Bearer {access.access_token}"}
        assert fetch("/private/note.txt", headers=both, auth=BASIC).text == "for alice\n"

    run(test())


def test_a_login_of_the_sdk_ends_in_a_session(agent: Registered) -> None:
    async def test() -> None:
        opened = fetch("/.lime/login", "POST")
        assert opened.status_code == 201, opened.text
        login = opened.json()
        assert login["api_base"] == API_BASE
        async with agent_client(agent) as client:
            approval = await client.login(login["request_id"])
        assert approval.site_id == SITES["FILES"].id
        secret = bearer(login["secret"])
        outcome = fetch(login["poll"], headers=secret)
        while outcome.status_code == 202:
            outcome = fetch(login["poll"], headers=secret)
        session = outcome.json()["session"]
        assert fetch("/agents/list.txt", headers=bearer(session)).text == "for agents\n"
        refusal = httpx.get(f"{TOOLS}", headers=bearer(session), trust_env=False)
        assert (refusal.status_code, refusal.json()["reason"]) == (401, "invalid_token")

    run(test())


def test_a_login_at_a_site_that_is_not_on_the_list_is_no_session(owner: Owner) -> None:
    async def test() -> None:
        login = fetch("/.lime/login", "POST").json()
        async with agent_client(owner.agent(SITES["TOOLS"])) as client:
            with pytest.raises(ApiError) as caught:
                await client.login(login["request_id"])
            assert caught.value.code == "SITE_NOT_ALLOWED"
        assert fetch(login["poll"], headers=bearer(login["secret"])).status_code == 202

    run(test())


def test_tools_are_called_through_the_gateway(agent: Registered) -> None:
    async def test() -> None:
        listener = socket.create_server(("127.0.0.1", int(os.environ["LIME_TEST_TOOLS_PORT"])))
        async with serving(listener=listener), agent_client(agent) as client:
            assert [tool.name for tool in await client.list_tools(TOOLS)] == ["add"]
            result = await client.call_tool(TOOLS, "add", {"a": 2, "b": 40})
            assert result.content[0].text == "42"

    run(test())


def test_a_suspended_agent_is_refused_within_a_second(agent: Registered) -> None:
    async def test() -> None:
        async with agent_client(agent) as client:
            token = bearer((await client.get_mcp_access_token(FILES)).access_token)
        assert fetch("/agents/list.txt", headers=token).status_code == 200
        operate("agent", "suspend", agent.id)
        suspended_at = time.monotonic()
        while fetch("/agents/list.txt", headers=token).status_code == 200:
            assert time.monotonic() - suspended_at < 1
        assert fetch("/agents/list.txt", headers=token).json()["reason"] == "invalid_token"

    run(test())
