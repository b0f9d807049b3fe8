"""Inboxes, agents, teams and bots, as they are read."""

from __future__ import annotations

import httpx

A = "/api/v1/accounts/1"


async def test_what_the_look_ups_hold(http: httpx.AsyncClient) -> None:
    profile = (await http.get("/api/v1/profile")).json()
    assert [(account["id"], account["role"]) for account in profile["accounts"]] == [(1, "administrator")]
    inboxes = (await http.get(f"{A}/inboxes")).json()["payload"]
    assert sorted(inbox["id"] for inbox in inboxes) == list(range(1, 17))
    assert [inbox["name"] for inbox in inboxes] == sorted(inbox["name"] for inbox in inboxes)
    assert "channel-secret-api" in (await http.get(f"{A}/inboxes/2")).text
    agents = (await http.get(f"{A}/agents")).json()
    assert [agent["id"] for agent in agents] == [1, 2, 3, 4, 5]
    teams = (await http.get(f"{A}/teams")).json()
    assert [team["name"] for team in teams] == ["support", "billing", "empty"]
    members = (await http.get(f"{A}/teams/1/team_members")).json()
    assert [member["id"] for member in members] == [2, 3]
    assignable = (await http.get(f"{A}/assignable_agents", params={"inbox_ids[]": "2"})).json()["payload"]
    assert sorted(agent["id"] for agent in assignable) == [1, 2, 3, 5]
    in_inbox = (await http.get(f"{A}/inbox_members/2")).json()["payload"]
    assert [agent["id"] for agent in in_inbox] == [2, 3]


async def test_an_agent_sees_the_inboxes_they_are_in_and_no_secrets(http: httpx.AsyncClient) -> None:
    answer = await http.get(f"{A}/inboxes", headers={"api_access_token": "sandbox-agent"})
    assert sorted(inbox["id"] for inbox in answer.json()["payload"]) == [1, 2, 3, 4, 14, 15, 16]
    assert "channel-secret" not in answer.text


async def test_the_bot_of_an_inbox_comes_whole_with_its_token_and_no_bot_is_an_empty_object(
    http: httpx.AsyncClient,
) -> None:
    assert (await http.get(f"{A}/inboxes/2/agent_bot")).json() == {}
    whole = (await http.get(f"{A}/inboxes/14/agent_bot")).json()["agent_bot"]
    made = whole["access_token"]["created_at"]
    assert whole == {
        "id": 1,
        "name": "Helper Bot",
        "description": None,
        "thumbnail": "",
        "outgoing_url": None,
        "bot_type": "webhook",
        "bot_config": {},
        "account_id": 1,
        "access_token": {
            "id": 5,
            "owner_type": "AgentBot",
            "owner_id": 1,
            "token": "sandbox-bot",
            "created_at": made,
            "updated_at": made,
        },
        "secret": "channel-secret-bot-1",
        "system_bot": False,
    }
    as_agent = await http.get(f"{A}/inboxes/14/agent_bot", headers={"api_access_token": "sandbox-agent"})
    del whole["secret"]
    assert as_agent.json() == {"agent_bot": whole}
