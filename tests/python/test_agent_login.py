"""An agent logs in at a site, both with their published SDK, and the passport is what the site SDK verifies."""

from __future__ import annotations

import asyncio
import time

import httpx

from conftest import ISSUER, Owner, agent_client, call, eventually, operate, run, site_client, state_of
from forge import claims_of, header_of


def test_a_login_goes_from_request_to_verified_passport(owner: Owner) -> None:
    async def test() -> None:
        site = owner.site()
        agent = owner.agent(site)
        async with site_client(site) as deliveries, agent_client(agent) as client:
            request = await deliveries.site.create_login_request()
            assert request.status == "PENDING"
            approval = await client.login(request.request_id)
            assert approval.request_id == request.request_id
            assert approval.site_id == site.id
            assert approval.status in ("APPROVED", "DELIVERED")
            assert approval.approved_agent_id == agent.id
            assert approval.expires_at == request.expires_at
            passport = await deliveries.of(request.request_id)
            verified = await deliveries.site.verify_passport(passport, expected_request_id=request.request_id)
            assert verified.valid
            claims = verified.claims
            assert claims["agent_id"] == agent.id
            assert claims["user_id"] == owner.id
            assert claims["site_id"] == site.id
            assert claims["request_id"] == request.request_id
            assert claims["iss"] == ISSUER
            assert claims["passport_version"] == "3"
            assert claims["user_kyc_level"] == 0
            assert claims["exp"] - claims["iat"] <= 120
            assert claims["jti"]
            assert header_of(passport)["typ"] == "lime-login+jwt"
            eventually("delivered", lambda: state_of(request.request_id, site) == "DELIVERED")

    run(test())


def test_the_profile_is_the_agents(owner: Owner) -> None:
    async def test() -> None:
        agent = owner.agent()
        async with agent_client(agent) as client:
            profile = await client.get_profile()
        assert (profile.agent_id, profile.owner_id, profile.display_name) == (agent.id, owner.id, "Agent")
        assert profile.avatar_url is None and profile.description is None

    run(test())


def test_the_public_challenge_names_the_site(owner: Owner) -> None:
    async def test() -> None:
        site = owner.site("https://shop.lime.test")
        async with site_client(site) as deliveries:
            request = await deliveries.site.create_login_request()
        data = call("GET", f"/auth/requests/{request.request_id}").json()["data"]
        assert data["site"] == {"id": site.id, "name": "Site", "origin": "https://shop.lime.test"}
        assert data["status"] == "PENDING"

    run(test())


def test_every_open_stream_gets_the_event(owner: Owner) -> None:
    async def test() -> None:
        site = owner.site()
        agent = owner.agent(site)
        async with site_client(site) as one, site_client(site) as other, agent_client(agent) as client:
            request = await one.site.create_login_request()
            await client.login(request.request_id)
            first, second = await one.of(request.request_id), await other.of(request.request_id)
            assert claims_of(first)["jti"] == claims_of(second)["jti"]

    run(test())


def test_a_site_that_was_away_gets_the_passport_when_it_comes_back(owner: Owner) -> None:
    async def test() -> None:
        site = owner.site()
        agent = owner.agent(site)
        request_id = call(
            "POST", "/modules/agent-login/requests", headers={"X-Site-Token": site.token}, json={}
        ).json()["data"]["login_request_id"]
        async with agent_client(agent) as client:
            approval = await client.login(request_id)
        approved_at = time.time()
        assert approval.status == "APPROVED"
        assert state_of(request_id, site) == "APPROVED"
        # Two whole seconds, so that a passport from then and one from now differ in their iat.
        await asyncio.sleep(2.1)
        async with site_client(site) as deliveries:
            first = await deliveries.of(request_id)
            assert (await deliveries.site.verify_passport(first, expected_request_id=request_id)).valid
        assert claims_of(first)["iat"] > approved_at + 1, "minted at delivery, not at approval"
        eventually("delivered", lambda: state_of(request_id, site) == "DELIVERED")
        # Delivered less than two minutes ago: a process that was restarted in between gets it again.
        async with site_client(site) as deliveries:
            second = await deliveries.of(request_id)
        assert claims_of(first)["jti"] == claims_of(second)["jti"]

    run(test())


def test_each_of_many_concurrent_logins_is_delivered_once(owner: Owner) -> None:
    async def test() -> None:
        site = owner.site()
        agent = owner.agent(site)
        async with site_client(site) as deliveries, agent_client(agent) as client:
            requests = [await deliveries.site.create_login_request() for _ in range(20)]
            await asyncio.gather(*(client.login(request.request_id) for request in requests))
            passports = [await deliveries.of(request.request_id) for request in requests]
        assert len({claims_of(passport)["jti"] for passport in passports}) == len(requests)
        assert sorted(found for found, _ in deliveries.seen) == sorted(request.request_id for request in requests)

    run(test())


class LosesFirstApproval(httpx.AsyncHTTPTransport):
    """Carries everything to the issuer, and loses its first answer to an approve."""

    def __init__(self) -> None:
        super().__init__()
        self.nonces: list[bytes] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        if request.url.path.endswith("/approve"):
            self.nonces.append(await request.aread())
            if len(self.nonces) == 1:
                await response.aclose()
                raise httpx.ReadError("the answer was lost")
        return response


def test_an_approve_whose_answer_was_lost_can_be_repeated(owner: Owner) -> None:
    async def test() -> None:
        site = owner.site()
        agent = owner.agent(site)
        transport = LosesFirstApproval()
        async with site_client(site) as deliveries, httpx.AsyncClient(transport=transport) as http:
            client = agent_client(agent, http_client=http)
            request = await deliveries.site.create_login_request()
            approval = await client.login(request.request_id)
            assert approval.status in ("APPROVED", "DELIVERED")
            assert len(transport.nonces) == 2 and len(set(transport.nonces)) == 1
            await deliveries.of(request.request_id)
            await client.aclose()
        assert len(deliveries.seen) == 1

    run(test())


def test_a_site_takes_a_key_that_was_rotated_at_once(owner: Owner) -> None:
    async def test() -> None:
        site = owner.site()
        agent = owner.agent(site)
        async with site_client(site) as deliveries, agent_client(agent) as client:
            active, signed_with = None, ""
            while signed_with != active:
                request = await deliveries.site.create_login_request()
                await client.login(request.request_id)
                passport = await deliveries.of(request.request_id)
                assert (await deliveries.site.verify_passport(passport)).valid
                signed_with = header_of(passport)["kid"]
                # The running issuer takes the switch up by itself, within moments.
                active = active or operate("keys", "rotate", "--now")["kid"]

    run(test())
