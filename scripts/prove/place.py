"""Where it is tried: which account, which inbox, who is who. Found out before anything is written."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final, cast

import httpx

from scripts.prove.direct import Direct, Row, Unusable

_CHANNEL: Final = "Channel::Api"


@dataclass
class Place:
    """``team`` and ``label`` are None where the account has none: what needs them is left out, and said."""

    direct: Direct
    version: str
    account_id: int
    inbox_id: int
    inbox: str
    me: int
    team: int | None
    label: str | None
    run: str = field(default_factory=lambda: secrets.token_hex(3))
    _numbers: count[int] = field(default_factory=lambda: count(1))

    @property
    def title(self) -> str:
        """What every name begins with."""
        return f"chatwoot-mcp prove {self.run}"

    def name(self) -> str:
        """A name that nothing else has: of a contact, of a message, of a key."""
        return f"{self.title} {next(self._numbers):04}"


async def look_around(
    http: httpx.AsyncClient, direct: Direct, base: str, account: int | None, inbox: int | None
) -> Place:
    """Raises Unusable with the way out."""
    profile = await _profile(http, base)
    account_id = _account(profile, account)
    direct.account = f"/api/v1/accounts/{account_id}"
    about = await direct.get("/api")
    found = _inbox((await direct.get("inboxes"))["payload"], inbox)
    teams = sorted(await direct.get("teams"), key=lambda team: bool(team["allow_auto_assign"]))
    labels = (await direct.get("labels"))["payload"]
    return Place(
        direct=direct,
        version=str(about.get("version")),
        account_id=account_id,
        inbox_id=found["id"],
        inbox=found["name"],
        me=profile["id"],
        team=teams[0]["id"] if teams else None,
        label=labels[0]["title"] if labels else None,
    )


async def _profile(http: httpx.AsyncClient, base: str) -> Row:
    try:
        answer = await http.get("/api/v1/profile")
    except (httpx.HTTPError, OSError) as failure:
        raise Unusable(f"{base} cannot be reached ({type(failure).__name__}): is Chatwoot running there?") from None
    if answer.is_redirect:
        raise Unusable(f"{base} redirects elsewhere: give the address at which Chatwoot itself answers")
    if answer.status_code == 401:
        way_out = "give the access token of a person's profile page, by CHATWOOT_API_TOKEN or --token"
        raise Unusable(f"Chatwoot does not take the token: {way_out}")
    try:
        profile: Any = answer.json()
    except ValueError:
        profile = None
    if answer.status_code != 200 or not isinstance(profile, dict) or "accounts" not in profile:
        raise Unusable(f"{base} is no Chatwoot: GET /api/v1/profile was answered with {answer.status_code}")
    return cast("Row", profile)


def _account(profile: Row, wanted: int | None) -> int:
    ids = sorted(account["id"] for account in profile["accounts"] if account.get("status") in (None, "active"))
    listed = ", ".join(map(str, ids)) or "none"
    if wanted is not None and wanted not in ids:
        raise Unusable(f"--account {wanted} is none of the token's active accounts: {listed}")
    if wanted is None and len(ids) != 1:
        raise Unusable(f"say which account by --account; the token's active accounts: {listed}")
    return ids[0] if wanted is None else wanted


def _inbox(inboxes: list[Row], wanted: int | None) -> Row:
    """An API inbox, in which nobody is written to; best one that tells nobody either, and assigns nobody."""
    inboxes = sorted(inboxes, key=lambda each: each["id"])
    usable = [each for each in inboxes if each["channel_type"] == _CHANNEL and not each["lock_to_single_conversation"]]
    listed = ", ".join(f"{each['id']} ({each['name']})" for each in usable)
    if not usable:
        raise Unusable(
            "there is no usable inbox: add one of the channel API (Settings, Inboxes) that does not keep to a single "
            "conversation, and become one of its agents"
        )
    if wanted is None:
        return min(usable, key=lambda each: (bool(each.get("webhook_url")), bool(each["enable_auto_assignment"])))
    for each in usable:
        if each["id"] == wanted:
            return each
    raise Unusable(f"--inbox {wanted} is no API inbox with many conversations per contact; usable: {listed}")
