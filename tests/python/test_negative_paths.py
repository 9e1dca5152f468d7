"""Every way to be turned away that the published SDKs know, as they raise it."""

from __future__ import annotations

import hashlib
import logging

import httpx
import pytest
from lime_agents import (
    AgentInactiveError,
    AgentUserSuspendedError,
    ApiError,
    AuthenticationError,
    PowTimeoutError,
)
from lime_sites import ApiError as SiteApiError
from lime_sites import AuthenticationError as SiteAuthenticationError
from lime_sites import InvalidPassportError, LimeSite

from conftest import ISSUER, Deliveries, Owner, Registered, agent_client, call, operate, run, site_client, state_of
from forge import claims_of, forged, header_of, tampered, with_alg_none, with_hs256

# Well formed, and nobody's.
STRANGER = Registered("", "at_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
STRANGE_SITE = Registered("", "st_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")


def opened(site: Registered) -> str:
    answer = call("POST", "/modules/agent-login/requests", headers={"X-Site-Token": site.token}, json={})
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]["login_request_id"]


def challenge(request_id: str) -> tuple[str, int]:
    data = call("GET", f"/auth/requests/{request_id}").json()["data"]
    return data["pow_challenge"], data["pow_difficulty"]


def approve(request_id: str, agent: Registered, body: object) -> httpx.Response:
    path = f"/modules/agent-login/requests/{request_id}/approve"
    return call("POST", path, headers={"X-Agent-Token": agent.token}, json=body)


def digest(*parts: str) -> int:
    return int.from_bytes(hashlib.sha256("".join(parts).encode()).digest())


def is_v1(text: str, nonce: int, bits: int) -> bool:
    return digest("lime:pow:v1\0", text, "\0", str(nonce)) < 1 << (256 - bits)


def is_legacy(text: str, nonce: int, bits: int) -> bool:
    return digest(text, str(nonce)) < 1 << (256 - bits)


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.mark.parametrize("token", [STRANGER.token, "at_short", "nonsense", "at_" + "A" * 500])
def test_an_unknown_agent_token(owner: Owner, token: str) -> None:
    async def test() -> None:
        request_id = opened(owner.site())
        async with agent_client(Registered("", token)) as client:
            for attempt in (client.login(request_id), client.get_profile()):
                with pytest.raises(AuthenticationError) as caught:
                    await attempt
                assert (caught.value.code, caught.value.http_status) == ("INVALID_AGENT_TOKEN", 401)
            with pytest.raises(AuthenticationError) as caught:
                await client.get_mcp_access_token("tools.lime.test")
            assert (caught.value.code, caught.value.http_status) == ("invalid_client", 401)

    run(test())


def test_no_agent_token() -> None:
    assert refused(call("GET", "/core/agents/me/profile")) == (401, "MISSING_AGENT_TOKEN")


def test_an_unknown_site_token(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        with caplog.at_level(logging.ERROR, logger="lime"):
            async with site_client(STRANGE_SITE) as deliveries:
                with pytest.raises(SiteAuthenticationError) as caught:
                    await deliveries.site.create_login_request()
                assert (caught.value.code, caught.value.http_status) == ("SITE_TOKEN_INVALID", 401)
        assert refused(call("POST", "/modules/agent-login/requests", json={})) == (401, "SITE_TOKEN_MISSING")
        for stream in ("/modules/agent-login/events", "/modules/gateway/events"):
            answer = call("GET", stream, headers={"X-Site-Token": STRANGE_SITE.token})
            assert refused(answer) == (401, "SITE_TOKEN_INVALID")

    run(test())


@pytest.mark.parametrize(
    "request_id",
    [
        "5f1b6e0e-0000-4000-8000-000000000000",
        "lr_unknown",
        "../core/agents/me/profile",
        "..%2fcore%2fagents%2fme%2fprofile",
        "5f1b6e0e-0000-4000-8000-000000000000?x=1",
        "5f1b6e0e-0000-4000-8000-000000000000/approve",
        "%00",
    ],
)
def test_an_unknown_request_id(owner: Owner, request_id: str) -> None:
    async def test() -> None:
        async with agent_client(owner.agent()) as client:
            with pytest.raises(ApiError) as caught:
                await client.login(request_id)
            assert caught.value.http_status == 404
            assert caught.value.code in ("SITE_LOGIN_REQUEST_NOT_FOUND", "NOT_FOUND")

    run(test())


def test_a_request_that_was_approved_is_gone_for_others(owner: Owner) -> None:
    async def test() -> None:
        site = owner.site()
        request_id = opened(site)
        text, bits = challenge(request_id)
        nonces = (nonce for nonce in range(1 << 30) if is_v1(text, nonce, bits))
        nonce, other = str(next(nonces)), str(next(nonces))
        agent = owner.agent(site)
        assert approve(request_id, agent, {"pow_nonce": nonce}).status_code == 200
        async with agent_client(agent) as client:
            with pytest.raises(ApiError) as caught:
                await client.login(request_id)
            assert (caught.value.code, caught.value.http_status) == ("SITE_LOGIN_REQUEST_NOT_FOUND", 404)
        assert approve(request_id, agent, {"pow_nonce": nonce}).status_code == 200, "the same again is no conflict"
        assert refused(approve(request_id, agent, {"pow_nonce": other})) == (409, "SITE_LOGIN_CONFLICT")
        assert refused(approve(request_id, owner.agent(site), {"pow_nonce": nonce})) == (409, "SITE_LOGIN_CONFLICT")

    run(test())


def test_a_nonce_that_does_not_solve_the_challenge(owner: Owner) -> None:
    async def test() -> None:
        site = owner.site()
        agent = owner.agent(site)
        request_id, foreign_id = opened(site), opened(site)
        text, bits = challenge(request_id)
        foreign, _ = challenge(foreign_id)
        assert text != foreign
        numbers = range(1 << 30)
        legacy = next(n for n in numbers if is_legacy(text, n, bits) and not is_v1(text, n, bits))
        of_another = next(n for n in numbers if is_v1(foreign, n, bits) and not is_v1(text, n, bits))
        wrong = next(n for n in numbers if not is_v1(text, n, bits))
        for body in ({}, {"pow_nonce": ""}, {"pow_nonce": "  "}, {"pow_nonce": None}):
            assert refused(approve(request_id, agent, body)) == (400, "MISSING_POW_NONCE"), body
        for nonce in (str(wrong), str(legacy), str(of_another), "-1", "1.0", "0x1", "1" * 21, "\u0661", "abc"):
            assert refused(approve(request_id, agent, {"pow_nonce": nonce})) == (400, "INVALID_POW"), nonce
        for body in ({"pow_nonce": 1}, {"pow_nonce": ["1"]}, [], "1", None):
            assert refused(approve(request_id, agent, body)) == (400, "VALIDATION_ERROR"), body
        assert state_of(request_id, site) == "PENDING"
        async with agent_client(agent) as client:
            assert (await client.login(request_id)).status == "APPROVED"

    run(test())


def test_a_challenge_that_takes_too_long_is_not_answered(owner: Owner) -> None:
    async def test() -> None:
        site = owner.site()
        request_id = opened(site)
        async with agent_client(owner.agent(site), pow_timeout=0.0) as client:
            with pytest.raises(PowTimeoutError):
                await client.login(request_id)
        assert state_of(request_id, site) == "PENDING"

    run(test())


def test_a_site_that_is_not_on_the_agents_list(owner: Owner) -> None:
    async def test() -> None:
        own, other = owner.site(), owner.site()
        request_id = opened(other)
        async with agent_client(owner.agent(own)) as client:
            with pytest.raises(ApiError) as caught:
                await client.login(request_id)
            assert (caught.value.code, caught.value.http_status) == ("SITE_NOT_ALLOWED", 403)
        assert state_of(request_id, other) == "PENDING"

    run(test())


def test_a_suspended_agent_owner_or_site(owner: Owner) -> None:
    async def test() -> None:
        site = owner.site()
        agent, other = owner.agent(site), owner.agent(site)
        async with agent_client(agent) as client, agent_client(other) as colleague, site_client(site) as deliveries:
            operate("agent", "suspend", agent.id)
            for attempt in (client.login(opened(site)), client.get_profile(), client.get_mcp_access_token("a.test")):
                with pytest.raises(AgentInactiveError) as caught:
                    await attempt
                assert (caught.value.code, caught.value.http_status) == ("AGENT_INACTIVE", 403)
            assert (await colleague.get_profile()).agent_id == other.id
            operate("agent", "resume", agent.id)
            assert (await client.get_profile()).agent_id == agent.id
            request = await deliveries.site.create_login_request()
            operate("site", "suspend", site.id)
            with pytest.raises(ApiError) as caught:
                await client.login(request.request_id)
            assert (caught.value.code, caught.value.http_status) == ("SITE_SUSPENDED", 403)
            with pytest.raises(SiteAuthenticationError) as caught:
                await deliveries.site.create_login_request()
            assert (caught.value.code, caught.value.http_status) == ("SITE_SUSPENDED", 403)
            operate("site", "resume", site.id)
            operate("owner", "suspend", owner.id)
            with pytest.raises(AgentUserSuspendedError) as caught:
                await client.get_profile()
            assert (caught.value.code, caught.value.http_status) == ("AGENT_USER_SUSPENDED", 403)

    run(test())


def test_a_token_that_was_rotated(owner: Owner) -> None:
    async def test() -> None:
        agent = owner.agent()
        token = operate("agent", "rotate-token", agent.id)["agent_token"]
        async with agent_client(agent) as old, agent_client(Registered(agent.id, token)) as new:
            assert (await new.get_profile()).agent_id == agent.id
            with pytest.raises(AuthenticationError):
                await old.get_profile()

    run(test())


def test_a_passport_that_was_tampered_with_or_forged(owner: Owner) -> None:
    async def test() -> None:
        site = owner.site()
        agent = owner.agent(site)
        jwks = call("GET", "/core/.well-known/jwks.json").content
        async with site_client(site) as deliveries, agent_client(agent) as client:
            request = await deliveries.site.create_login_request()
            await client.login(request.request_id)
            passport = await deliveries.of(request.request_id)
            token = (await client.get_mcp_access_token("tools.lime.test")).access_token
            for name, text in {
                "an agent of somebody else": tampered(passport, sub="0193a000-0000-7000-8000-000000000001"),
                "a longer life": tampered(passport, exp=claims_of(passport)["exp"] + 3600),
                "alg none": with_alg_none(passport),
                "HS256 with the published keys": with_hs256(passport, jwks),
                "a strange key under the real name": forged(passport),
                "a strange key under its own name": forged(passport, kid="strange"),
                "an access token": token,
                "half a token": passport.rsplit(".", 1)[0],
                "no token": "nonsense",
            }.items():
                with pytest.raises(InvalidPassportError):
                    await deliveries.site.verify_passport(text)
                    pytest.fail(name)
            with pytest.raises(InvalidPassportError, match="request_id"):
                await deliveries.site.verify_passport(passport, expected_request_id=opened(site))
            assert (await deliveries.site.verify_passport(passport)).valid

    run(test())


def test_tokens_are_no_credentials_at_the_issuer(owner: Owner) -> None:
    async def test() -> None:
        site = owner.site()
        async with site_client(site) as deliveries, agent_client(owner.agent(site)) as client:
            request = await deliveries.site.create_login_request()
            await client.login(request.request_id)
            passport = await deliveries.of(request.request_id)
            token = (await client.get_mcp_access_token("tools.lime.test")).access_token
        for text in (passport, token):
            answer = call("GET", "/core/agents/me/profile", headers={"X-Agent-Token": text})
            assert refused(answer) == (401, "INVALID_AGENT_TOKEN")
            answer = call("POST", "/modules/agent-login/requests", headers={"X-Site-Token": text}, json={})
            assert refused(answer) == (401, "SITE_TOKEN_INVALID")
            answer = call("GET", "/core/agents/me/profile", headers={"Authorization": f"Bearer {text}"})
            assert refused(answer) == (401, "MISSING_AGENT_TOKEN")

    run(test())


def test_an_agent_token_is_no_site_token_nor_the_other_way_round(owner: Owner) -> None:
    site = owner.site()
    agent = owner.agent(site)
    answer = call("POST", "/modules/agent-login/requests", headers={"X-Site-Token": agent.token}, json={})
    assert refused(answer) == (401, "SITE_TOKEN_INVALID")
    answer = call("GET", "/core/agents/me/profile", headers={"X-Agent-Token": site.token})
    assert refused(answer) == (401, "INVALID_AGENT_TOKEN")


def test_a_site_sees_its_own_requests_only(owner: Owner) -> None:
    one, other = owner.site(), owner.site()
    answer = call("GET", f"/modules/agent-login/requests/{opened(one)}", headers={"X-Site-Token": other.token})
    assert refused(answer) == (404, "SITE_LOGIN_REQUEST_NOT_FOUND")


def test_what_the_issuer_does_not_offer_is_an_error_of_the_sdk(owner: Owner) -> None:
    async def test() -> None:
        async with site_client(owner.site()) as deliveries:
            with pytest.raises(SiteApiError) as caught:
                await deliveries.site.create_binding_request(redirect_uri="https://shop.lime.test/back")
            assert (caught.value.code, caught.value.http_status) == ("NOT_FOUND", 404)

    run(test())


def test_a_passport_of_another_spelling_of_the_issuer(owner: Owner) -> None:
    """`localhost` and `127.0.0.1` are two issuers to the site SDK: the base URL must be spelt as the `iss` is."""

    async def test() -> None:
        site = owner.site()
        elsewhere = ISSUER.replace("127.0.0.1", "localhost") + "/api/v1"
        async with (
            LimeSite(site_token=site.token, base_url=elsewhere) as client,
            agent_client(owner.agent(site)) as agent,
        ):
            deliveries = Deliveries(client)
            request = await client.create_login_request()
            await agent.login(request.request_id)
            passport = await deliveries.of(request.request_id)
            with pytest.raises(InvalidPassportError, match="Invalid issuer"):
                await client.verify_passport(passport)
            assert header_of(passport)["alg"] == "RS256"

    run(test())
