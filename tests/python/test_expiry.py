"""What ends by the clock: the issuer of this suite has short lives configured."""

from __future__ import annotations

import asyncio

import pytest
from lime_agents import ApiError
from lime_sites import InvalidPassportError

from conftest import Owner, agent_client, call, run, site_client, state_of
from forge import claims_of


def test_a_login_nobody_approves_expires_and_the_site_is_told(owner: Owner) -> None:
    async def test() -> None:
        site = owner.site()
        agent = owner.agent(site)
        async with site_client(site) as deliveries, agent_client(agent) as client:
            request = await deliveries.site.create_login_request()
            assert await deliveries.of(request.request_id) is None
            assert state_of(request.request_id, site) == "EXPIRED"
            with pytest.raises(ApiError) as caught:
                await client.login(request.request_id)
            assert (caught.value.code, caught.value.http_status) == ("SITE_LOGIN_REQUEST_NOT_FOUND", 404)
        answer = call(
            "POST",
            f"/modules/agent-login/requests/{request.request_id}/approve",
            headers={"X-Agent-Token": agent.token},
            json={"pow_nonce": "1"},
        )
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "SITE_LOGIN_REQUEST_NOT_FOUND")

    run(test())


def test_a_passport_that_expired_is_refused(owner: Owner) -> None:
    async def test() -> None:
        site = owner.site()
        agent = owner.agent(site)
        async with site_client(site) as deliveries, agent_client(agent) as client:
            request = await deliveries.site.create_login_request()
            await client.login(request.request_id)
            passport = await deliveries.of(request.request_id)
            claims = claims_of(passport)
            await asyncio.sleep(claims["exp"] - claims["iat"] + 1)
            with pytest.raises(InvalidPassportError, match="expired"):
                await deliveries.site.verify_passport(passport)

    run(test())
