"""What replicas share, in Redis or Valkey: idempotency keys, throttles, the circuit. Without one, each keeps its own.

When Redis is away, calls go on with what this process knows alone; that is logged, told by ``/readyz``, and told to
whoever uses an idempotency key. A few seconds later Redis is tried again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, cast

from aiochatwoot import Budget
from aiochatwoot.circuit import PAUSE_S, Circuit
from aiochatwoot.errors import ChatwootError, CircuitOpen, DeadlineExceeded, Effect
from aiochatwoot.limits import Limits
from aiochatwoot.throttle import Throttle, limits_for
from chatwoot_mcp.install import install
from chatwoot_mcp.settings import Settings, SettingsError
from chatwoot_mcp.web.callers import Caller
from chatwoot_tools.call.ledger import Hold, Ledger, Record

if TYPE_CHECKING:
    from redis.asyncio import Redis

ANSWER_S: Final = 1.0
"""How long Redis may take to answer before it counts as away."""
AWAY_S: Final = 2.0
"""How long it is then left alone."""
RECORD_S: Final = 24 * 3600
"""How long a key is remembered here; Chatwoot's own stamps last longer."""
LOCK_S: Final = 6.0
"""How long a key stays locked after the process that held it was killed."""
LONGEST_S: Final = 3600.0
"""No turn that this server took is as far off."""
POLL_S: Final = 0.05
"""How often it is looked whether an equal call of another replica is done."""

_log = logging.getLogger("chatwoot_mcp.shared")

T = TypeVar("T")

_RELEASE: Final = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"
"""Release a lock, but only our own: it may have expired and be another's by now."""

_KEEP: Final = "if redis.call('get', KEYS[1]) == ARGV[1] then redis.call('pexpire', KEYS[1], ARGV[2]) end return 0"
"""Hold on to a lock, but only to our own."""

_RESERVE: Final = """
local clock = redis.call('time')
local now = clock[1] + clock[2] / 1000000
local turn = now
for n = 1, #KEYS, 2 do
  local all, own, period, most = KEYS[n], KEYS[n + 1], tonumber(ARGV[n + 3]), tonumber(ARGV[n + 4])
  for _, name in ipairs({all, own}) do
    redis.call('zremrangebyscore', name, '-inf', string.format('%.6f', now - period))
  end
  local over = redis.call('zcard', all) + redis.call('zcard', own) - most
  local taken = over < 0 and {} or redis.call('zrange', all, 0, over, 'withscores')
  for i = 1, #taken, 2 do
    if over < 0 then break end
    over = over - (redis.call('zscore', own, taken[i]) and 2 or 1)
    turn = math.max(turn, taken[i + 1] + period)
  end
end
if turn - now < tonumber(ARGV[1]) then
  for n, name in ipairs(KEYS) do
    if n % 2 == 1 or ARGV[3] == 'named' then
      local period = tonumber(ARGV[n + 3 - (n + 1) % 2])
      redis.call('zadd', name, string.format('%.6f', turn), ARGV[2])
      local last = redis.call('zrange', name, -1, -1, 'withscores')[2]
      redis.call('pexpire', name, math.ceil((last - now + period) * 1000))
    end
  end
end
return string.format('%.6f', turn - now)
"""
"""What ``Throttle.reserve`` does, for all replicas: under each limit the turns of all, and the caller's own."""


_DOUBT: Final = (
    "idempotency_key: for a moment the state shared with other replicas could not be reached, so another one may have "
    "used the key meanwhile."
)

_UNREADABLE: Final = (
    "idempotency_key: what was remembered under it in the state shared with other replicas could not be read, so an "
    "earlier call may not be known."
)


class _Commands:
    """The commands that are used here, typed: the library's own types do not tell its two kinds of clients apart."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def ping(self) -> None:
        await cast("Awaitable[Any]", self._redis.ping())  # pyright: ignore[reportUnknownMemberType]

    async def values(self, name: str) -> list[str | None]:
        """One value, in a list: so that Redis's own None can be told from that of an absent Redis."""
        return [await cast("Awaitable[str | None]", self._redis.get(name))]

    async def set(self, name: str, value: str, *, lasts_s: float, only_new: bool = False) -> bool:
        """Whether it was set."""
        lasts_ms = int(lasts_s * 1000)
        return bool(await cast("Awaitable[Any]", self._redis.set(name, value, px=lasts_ms, nx=only_new)))

    async def delete(self, name: str) -> None:
        await cast("Awaitable[Any]", self._redis.delete(name))

    async def run(self, script: str, name: str, *arguments: str) -> Any:
        """What a script of one key returns."""
        return await cast("Awaitable[Any]", self._redis.eval(script, 1, name, *arguments))

    async def wait_and_turn(self, circuit: str, names: list[str], figures: list[str]) -> list[Any]:
        """How long ``circuit`` is kept still, and what ``_RESERVE`` returns, in one go."""
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.pttl(circuit)
            pipe.eval(_RESERVE, len(names), *names, *figures)
            return await pipe.execute()


class Shared:
    """The connection to Redis, or none; and what is built on it."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.redis_url.get_secret_value() if settings.redis_url else None
        self._redis: Redis | None = _connect(self._url) if self._url else None
        self._away_until = float("-inf")
        self._found: Literal["not_asked", "ok", "away"] = "not_asked"
        self._throttles: dict[str, Throttle] = {}

    @property
    def state(self) -> str:
        """``off``, or ``ok`` or ``away`` as the last question found it; ``not_asked`` before any."""
        return "off" if self._redis is None else self._found

    async def look(self) -> None:
        """Ask Redis whether it is there, unless it was away a moment ago. It has ANSWER_S, whatever it retries."""

        async def ping(redis: _Commands) -> None:
            async with asyncio.timeout(ANSWER_S):
                await redis.ping()

        await self.ask(ping)

    def ledger(self, base_url: str, caller: Caller) -> Ledger:
        return Ledger() if self._redis is None else SharedLedger(self, _namespace(base_url, caller))

    def limits(self, base_url: str, caller: Caller) -> Limits:
        """Chatwoot counts what comes from us per account, whoever calls: the throttle is one for all callers."""
        throttle = self._throttles.setdefault(base_url, Throttle(limits_for(base_url)))
        if self._redis is None:
            return Limits(throttle, caller=caller.name)
        return SharedLimits(self, throttle, base_url, caller)

    async def ask(self, question: Callable[[_Commands], Awaitable[T]]) -> T | None:
        """What Redis says, None where it is away."""
        if self._redis is None or time.monotonic() < self._away_until:
            return None
        from redis.exceptions import RedisError

        try:
            answer = await question(_Commands(self._redis))
        except (RedisError, OSError, TimeoutError) as error:
            self._tell_away(type(error).__name__)
            return None
        self._tell_back()
        return answer

    def _tell_away(self, why: str) -> None:
        self._away_until = time.monotonic() + AWAY_S
        if self._found != "away":
            _log.warning("redis is away (%s): this process goes on with its own state", why)
        self._found = "away"

    def _tell_back(self) -> None:
        if self._found == "away":
            _log.warning("redis is back: state is shared again")
        self._found = "ok"

    async def aclose(self) -> None:
        if self._redis is not None:
            await self._redis.aclose()


class SharedLedger(Ledger):
    """Records and locks of all replicas; this process's own beside them, for while Redis is away."""

    def __init__(self, shared: Shared, namespace: str) -> None:
        super().__init__()
        self._shared = shared
        self._namespace = namespace
        self._holds: dict[str, Hold] = {}

    async def get(self, key: str) -> Record | None:
        if (mine := await super().get(key)) is not None:
            return mine
        name = self._name("record", key)
        try:
            found = await self._shared.ask(lambda redis: redis.values(name))
        except UnicodeDecodeError:
            found = [""]  # which is no record either
        if found is None and key in self._holds:
            self._holds[key].doubt = _DOUBT
        if found is None or found[0] is None:
            return None
        record = _record(found[0])
        if record is None:
            _log.warning("redis holds a record that is none of ours: it counts as absent")
            if key in self._holds:
                self._holds[key].doubt = _UNREADABLE
        return record

    async def put(self, key: str, record: Record) -> None:
        await super().put(key, record)
        name, text = self._name("record", key), json.dumps({"arguments": record.arguments, "id": record.id})
        await self._shared.ask(lambda redis: redis.set(name, text, lasts_s=RECORD_S))

    @asynccontextmanager
    async def holding(self, key: str | None, budget: Budget) -> AsyncGenerator[Hold]:
        async with super().holding(key, budget) as hold:
            if key is None:
                yield hold
                return
            self._holds[key] = hold
            try:
                async with self._locked(self._name("lock", key), hold, budget):
                    yield hold
            finally:
                del self._holds[key]

    @asynccontextmanager
    async def _locked(self, name: str, hold: Hold, budget: Budget) -> AsyncGenerator[None]:
        """While Redis is away nothing is locked, and the hold says so."""
        mine = secrets.token_hex(16)
        if not await self._acquire(name, mine, budget):
            hold.doubt = _DOUBT
            yield
            return
        keeping = asyncio.create_task(self._keep(name, mine))
        try:
            yield
        finally:
            keeping.cancel()
            released = await self._shared.ask(lambda redis: redis.run(_RELEASE, name, mine))
            if not released:  # it was lost on the way, or nobody knows
                hold.doubt = _DOUBT

    async def _acquire(self, name: str, mine: str, budget: Budget) -> bool:
        """Whether the lock is held; not where Redis is away."""
        while True:
            taken = await self._shared.ask(lambda redis: redis.set(name, mine, lasts_s=LOCK_S, only_new=True))
            if taken is None:
                return False
            if taken:
                return True
            budget.doing = "waiting for an equal call of another replica"
            if budget.left <= POLL_S:
                raise DeadlineExceeded("an equal call took too long", effect=Effect.NONE)
            await asyncio.sleep(POLL_S)

    async def _keep(self, name: str, mine: str) -> None:
        """Hold on to a lock: it ends by itself soon after its process does."""
        lasts_ms = str(int(LOCK_S * 1000))
        while True:
            await asyncio.sleep(LOCK_S / 3)
            await self._shared.ask(lambda redis: redis.run(_KEEP, name, mine, lasts_ms))

    def _name(self, what: str, key: str) -> str:
        return f"chatwoot-mcp:{self._namespace}:{what}:{hashlib.sha256(key.encode()).hexdigest()}"


class SharedLimits(Limits):
    """The throttles and the circuit of all replicas; this process's own beside them."""

    def __init__(self, shared: Shared, throttle: Throttle, base_url: str, caller: Caller) -> None:
        super().__init__(throttle, Circuit(), caller.name)
        self._shared = shared
        # By name alone: who may send another token with each call is one caller all the same.
        self._shares = _digest(base_url), _digest(f"{base_url}\n{caller.name}")
        self._namespace = _namespace(base_url, caller)

    async def admit(self, path: str, *, at_most_s: float, insist: bool) -> float:
        if not insist:
            self.circuit.check()
        answers = await self._shared.ask(lambda redis: self._ask(redis, path, at_most_s))
        if answers is None:
            return self.throttle.reserve(path, at_most_s=at_most_s, caller=self.caller)
        open_ms, wait = answers[0], float(answers[1])
        if not 0 <= wait < LONGEST_S or open_ms > PAUSE_S * 1000:
            _log.warning("redis holds turns that are none of ours: this process keeps its own")
            return self.throttle.reserve(path, at_most_s=at_most_s, caller=self.caller)
        if open_ms > 0 and not insist:
            raise CircuitOpen(open_ms / 1000)
        return wait

    async def learn(self, failure: ChatwootError | None) -> None:
        was_open = self.circuit.is_open
        await super().learn(failure)
        if self.circuit.is_open:
            await self._shared.ask(lambda redis: redis.set(self._circuit, "open", lasts_s=PAUSE_S))
        elif was_open:
            await self._shared.ask(lambda redis: redis.delete(self._circuit))

    async def _ask(self, redis: _Commands, path: str, at_most_s: float) -> list[Any]:
        """The milliseconds for which the circuit is open, and the seconds until the path's turn comes."""
        names = list[str]()
        figures = [str(min(at_most_s, 1e9)), secrets.token_hex(8), "alone" if self.caller is None else "named"]
        for number, limit in enumerate(self.throttle.limits):
            if found := limit.pattern.search(path):
                what = f"turns:{number}:{':'.join(found.groups())}"
                names += [f"chatwoot-mcp:{each}:{what}" for each in self._shares]
                figures += [str(limit.period_s), str(limit.requests)]
        return await redis.wait_and_turn(self._circuit, names, figures)

    @property
    def _circuit(self) -> str:
        return f"chatwoot-mcp:{self._namespace}:circuit"


def _record(text: str) -> Record | None:
    """What is read from Redis is checked like any other input."""
    try:
        match json.loads(text):
            case {"arguments": str(arguments), "id": int(made)} if made is not True and 0 < made < 2**63:
                return Record(arguments, made)
            case _:
                return None
    except (ValueError, RecursionError):
        return None


def _namespace(base_url: str, caller: Caller) -> str:
    """Apart for each Chatwoot and each credential; the token itself is nowhere in it."""
    return _digest(f"{base_url}\n{caller.name}\n{caller.token}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _connect(url: str) -> Redis:
    try:
        from redis.asyncio import Redis
    except ImportError:
        raise SettingsError(f"CHATWOOT_MCP_REDIS_URL: needs an extra: {install('redis')}") from None
    try:
        return Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
            url, decode_responses=True, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S
        )
    except ValueError:
        raise SettingsError("CHATWOOT_MCP_REDIS_URL: must be an address such as redis://host:6379/0") from None
