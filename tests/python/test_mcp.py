"""Access tokens: asked for with the agent SDK, accepted by the MCP server SDK for the domain it is pinned to."""

from __future__ import annotations

import httpx
import pytest
from lime_agents import ApiError, OAuthCapabilityError
from lime_mcp_server import TokenVerifier

from conftest import ISSUER, Owner, agent_client, call, operate, run, site_client
from forge import claims_of, forged, header_of, tampered, with_alg_none, with_hs256
from mcp_server import serving

DOMAIN = "tools.lime.test"


def verifier(domain: str = DOMAIN, **options: object) -> TokenVerifier:
    return TokenVerifier(expected_domain=domain, base_url=ISSUER, **options)


def test_a_token_is_accepted_for_its_domain_and_no_other(owner: Owner) -> None:
    async def test() -> None:
        agent = owner.agent()
        async with agent_client(agent) as client:
            token = await client.get_mcp_access_token(f"https://{DOMAIN.upper()}:8443/mcp")
        assert token.expires_in == 300
        with verifier() as good, verifier("other.lime.test") as other:
            result = good.verify(token.access_token)
            assert result.is_valid, result.error
            assert (result.agent_id, result.domain) == (agent.id, DOMAIN)
            assert other.verify(token.access_token).error == "Domain mismatch"
        claims = claims_of(token.access_token)
        assert (claims["iss"], claims["aud"], claims["sub"], claims["owner"]) == (ISSUER, "mcp", agent.id, owner.id)
        assert claims["exp"] - claims["iat"] == 300 and claims["jti"] and claims["owner_level"] == 0
        assert not {"user_id", "passport_version", "request_id"} & set(claims)
        assert header_of(token.access_token)["typ"] == "at+jwt"

    run(test())


def test_a_token_that_was_tampered_with_or_forged(owner: Owner) -> None:
    async def test() -> None:
        site = owner.site()
        jwks = call("GET", "/core/.well-known/jwks.json").content
        async with site_client(site) as deliveries, agent_client(owner.agent(site)) as client:
            token = (await client.get_mcp_access_token(DOMAIN)).access_token
            request = await deliveries.site.create_login_request()
            await client.login(request.request_id)
            passport = await deliveries.of(request.request_id)
        with verifier() as good:
            assert good.verify(passport).error == "Invalid audience"
            for text in (
                tampered(token, domain=DOMAIN, sub="0193a000-0000-7000-8000-000000000001"),
                with_alg_none(token),
                with_hs256(token, jwks),
                forged(token),
                forged(token, kid="strange"),
                "nonsense",
            ):
                result = good.verify(text)
                assert not result.is_valid and result.error, text

    run(test())


def test_a_rotated_key_is_taken_up(owner: Owner) -> None:
    async def test() -> None:
        async with agent_client(owner.agent()) as client:
            with verifier(min_refresh_seconds=0) as good:
                before = await client.get_mcp_access_token(DOMAIN)
                active = operate("keys", "rotate", "--now")["kid"]
                after = await client.get_mcp_access_token(DOMAIN, force_refresh=True)
                while header_of(after.access_token)["kid"] != active:
                    after = await client.get_mcp_access_token(DOMAIN, force_refresh=True)
                assert good.verify(after.access_token).is_valid
                assert good.verify(before.access_token).is_valid, "retired, and still published"

    run(test())


def test_the_metadata_lies_where_rfc_8414_says_too() -> None:
    path = "/.well-known/oauth-authorization-server"
    own = call("GET", f"/modules/oauth{path}").json()
    assert httpx.get(f"{ISSUER}{path}", trust_env=False).json() == own
    assert own["issuer"] == ISSUER
    assert own["jwks_uri"] == f"{ISSUER}/api/v1/core/.well-known/jwks.json"
    assert own["token_endpoint"] == f"{ISSUER}/api/v1/modules/oauth/token"
    assert isinstance(own["grant_types_supported"], list)


@pytest.mark.parametrize(
    "target", ["127.0.0.1", "localhost", "printer.local", "user@tools.lime.test", "0x7f000001", "[::1]", "", "nip.io"]
)
def test_the_sdk_does_not_ask_for_what_is_no_public_name(owner: Owner, target: str) -> None:
    async def test() -> None:
        async with agent_client(owner.agent()) as client:
            with pytest.raises(ValueError):
                await client.get_mcp_access_token(target)

    run(test())


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"domain": "127.0.0.1"}, "invalid_target"),
        ({"domain": "localhost"}, "invalid_target"),
        ({"domain": "printer.local"}, "invalid_target"),
        ({"domain": "tools.lime.test:8443"}, "invalid_request"),
        ({"domain": "https://tools.lime.test"}, "invalid_request"),
        ({"domain": "tools.lime.test/x"}, "invalid_request"),
        ({"domain": ""}, "invalid_request"),
        ({"domain": 7}, "invalid_request"),
        ({}, "invalid_request"),
        ([], "invalid_request"),
    ],
)
def test_the_issuer_does_not_sign_for_what_is_no_public_name(owner: Owner, body: object, error: str) -> None:
    answer = call("POST", "/modules/oauth/token", headers={"X-Agent-Token": owner.agent().token}, json=body)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert answer.headers.get_list("cache-control") == ["no-store"]


def test_a_registered_site_is_for_the_agents_that_have_it_on_their_list(owner: Owner) -> None:
    async def test() -> None:
        shop, other = owner.site("https://guarded.lime.test"), owner.site()
        async with agent_client(owner.agent(shop)) as listed, agent_client(owner.agent(other)) as unlisted:
            assert await listed.get_mcp_access_token("guarded.lime.test")
            with pytest.raises(OAuthCapabilityError) as caught:
                await unlisted.get_mcp_access_token("guarded.lime.test")
            assert (caught.value.code, caught.value.http_status) == ("access_denied", 403)
            operate("site", "suspend", shop.id)
            with pytest.raises(ApiError) as caught:
                await listed.get_mcp_access_token("guarded.lime.test", force_refresh=True)
            assert caught.value.code == "invalid_target"

    run(test())


def test_an_agent_calls_a_tool_of_a_guarded_mcp_server(owner: Owner, resolver: None) -> None:
    async def test() -> None:
        with verifier() as good:
            async with serving(good) as port, agent_client(owner.agent()) as client:
                url = f"http://{DOMAIN}:{port}/mcp"
                assert [tool.name for tool in await client.list_tools(url)] == ["add"]
                result = await client.call_tool(url, "add", {"a": 2, "b": 40})
                assert result.content[0].text == "42"

    run(test())


def test_suspension_ends_the_issue_of_tokens(owner: Owner) -> None:
    async def test() -> None:
        agent = owner.agent()
        async with agent_client(agent) as client:
            await client.get_mcp_access_token(DOMAIN)
            operate("agent", "suspend", agent.id)
            answer = call(
                "POST", "/modules/oauth/token", headers={"X-Agent-Token": agent.token}, json={"domain": DOMAIN}
            )
            assert answer.status_code == 403
            operate("agent", "resume", agent.id)
            token = await client.get_mcp_access_token(DOMAIN, force_refresh=True)
        with verifier() as good:
            assert good.verify(token.access_token).is_valid

    run(test())
