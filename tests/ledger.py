"""The ledger, as the store holds it: accepted = delivered + pending + dead + unmatched, at every moment."""

from typing import Any

from redis.asyncio import Redis

from tests.waiting import eventually

# In one step, or it would count while others write.
_READ = """
local P, found = ARGV[1], {}
for _, name in ipairs({'accepted', 'delivered', 'pending', 'dead', 'unmatched'}) do
  table.insert(found, tonumber(redis.call('HGET', P .. 'ledger', name) or '0'))
end
for _, kind in ipairs({'due', 'dead'}) do
  local sum = 0
  for _, name in ipairs(redis.call('KEYS', P .. 'hooks:' .. kind .. ':*')) do sum = sum + redis.call('ZCARD', name) end
  table.insert(found, sum)
end
local idle = 0
for _, webhook in ipairs(redis.call('ZRANGE', P .. 'hooks:next', 0, -1)) do
  if redis.call('ZCARD', P .. 'hooks:due:' .. webhook) == 0 then idle = idle + 1 end
end
table.insert(found, idle)
return found
"""


async def balanced(redis: Redis, account: str = "default") -> dict[str, int]:
    """What the ledger says, if it is true."""
    prefix = f"wg:{{{account}}}:"
    told: Any = await redis.eval(_READ, 1, f"{prefix}ledger", prefix)
    accepted, delivered, pending, dead, unmatched, due, buried, idle = told
    assert accepted == delivered + pending + dead + unmatched, told
    assert (pending, dead) == (due, buried), told
    assert idle == 0, told
    return {
        "accepted": accepted, "delivered": delivered, "pending": pending, "dead": dead, "unmatched": unmatched
    }  # fmt: skip


async def says(redis: Redis, what: str, number: int, account: str = "default") -> None:
    """Returns when the ledger says so."""

    async def is_so() -> bool:
        return (await balanced(redis, account))[what] == number

    await eventually(is_so)
