"""What happens in Redis in one step: an event with all its deliveries, a claim, an attempt with what follows from it.

One sorted set for each webhook, *delivery → when it is next due*. To claim is to move that time one lease ahead, so a
retry, a lease and the recovery from a crash are one operation. `next` holds when each webhook is next due, so that a
claim looks at webhooks in turn and never at what they have pending. Where lists must be in the order of events, the
members of a sorted set are event ids, which sort by time.

| key, behind `wg:{account}:`  | type   | holds                                                                        |
|------------------------------|--------|------------------------------------------------------------------------------|
| `events:e:<event>`           | string | the bytes that are sent                                                      |
| `events:log`                 | zset   | `<event>|<type>` of every event                                              |
| `events:once:<hash>`         | string | the event that was first posted with this id, and its number of deliveries   |
| `events:wait:<event>`        | string | the replica on which a page waits for the answers                            |
| `hooks:all`                  | hash   | webhook → its sealed record                                                  |
| `hooks:wants`                | hash   | enabled webhook → the types that it wants                                    |
| `hooks:off`                  | hash   | disabled webhook → why and since when                                        |
| `hooks:next`                 | zset   | webhooks, by when their first delivery is due                                |
| `hooks:due:<webhook>`        | zset   | pending deliveries, by when each is due                                      |
| `hooks:log:<webhook>`        | zset   | every delivery of the webhook                                                |
| `hooks:dead:<webhook>`       | zset   | those that died                                                              |
| `hooks:tries:<webhook>`      | hash   | delivery → how many attempts have failed                                     |
| `hooks:d:<webhook>:<event>`  | list   | the attempts of a delivery, and why it died                                  |
| `hooks:health`               | hash   | since when a webhook only failed, and when its deliveries were exhausted     |
| `ledger`                     | hash   | accepted, delivered, pending, dead, unmatched; attempts and latencies        |
"""

from app.store import Script

# A channel, over which whoever delivers is told that something is due.
BELL = "wg:bell"

SHARED = """
local P = ARGV[1]
local function count(name, by) redis.call('HINCRBY', P .. 'ledger', name, by) end
local function indexed(hook)
  local first = redis.call('ZRANGE', P .. 'hooks:due:' .. hook, 0, 0, 'WITHSCORES')
  if not first[2] then
    redis.call('ZREM', P .. 'hooks:next', hook)
  elseif redis.call('HEXISTS', P .. 'hooks:wants', hook) == 0 then
    -- Deleted or disabled: who claims next buries what is pending, and does not wait until it would be due.
    redis.call('ZADD', P .. 'hooks:next', 0, hook)
  else
    redis.call('ZADD', P .. 'hooks:next', first[2], hook)
  end
end
local function told(hook, event, entry, life)
  local name = P .. 'hooks:d:' .. hook .. ':' .. event
  redis.call('RPUSH', name, entry)
  redis.call('LTRIM', name, -50, -1)
  redis.call('PEXPIRE', name, life)
end
local function buried(hook, event, reason, now, life)
  redis.call('ZREM', P .. 'hooks:due:' .. hook, event)
  redis.call('HDEL', P .. 'hooks:tries:' .. hook, event)
  redis.call('ZADD', P .. 'hooks:dead:' .. hook, 0, event)
  told(hook, event, cjson.encode({dead = reason, at = now}), life)
  count('dead', 1)
  count('pending', -1)
end
"""

# ARGV: prefix, event, type, body, its life, when due, now, oldest event of the log, once, its life, waiter, its life,
# account. Answers the event and its deliveries, or `<event>|<deliveries>` of the one that was posted first.
PUT = Script(
    SHARED
    + """
local event, kind, due, now, once, waiter = ARGV[2], ARGV[3], tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[9], ARGV[11]
if once ~= '' then
  local first = redis.call('GET', P .. 'events:once:' .. once)
  if first then
    if waiter ~= '' then
      redis.call('SET', P .. 'events:wait:' .. string.match(first, '^[^|]+'), waiter, 'PX', ARGV[12])
    end
    return first
  end
end
redis.call('SET', P .. 'events:e:' .. event, ARGV[4], 'PX', ARGV[5])
redis.call('ZADD', P .. 'events:log', 0, event .. '|' .. kind)
redis.call('ZREMRANGEBYLEX', P .. 'events:log', '-', '(' .. ARGV[8])
local wants, deliveries = redis.call('HGETALL', P .. 'hooks:wants'), 0
for i = 1, #wants, 2 do
  if wants[i + 1] == '*' or string.find(',' .. wants[i + 1] .. ',', ',' .. kind .. ',', 1, true) then
    redis.call('ZADD', P .. 'hooks:due:' .. wants[i], due, event)
    redis.call('ZADD', P .. 'hooks:log:' .. wants[i], 0, event)
    redis.call('ZADD', P .. 'hooks:next', 'LT', due, wants[i])
    deliveries = deliveries + 1
  end
end
count('accepted', math.max(deliveries, 1))
if deliveries == 0 then count('unmatched', 1) else count('pending', deliveries) end
if once ~= '' then redis.call('SET', P .. 'events:once:' .. once, event .. '|' .. deliveries, 'PX', ARGV[10]) end
if waiter ~= '' then redis.call('SET', P .. 'events:wait:' .. event, waiter, 'PX', ARGV[12]) end
if deliveries > 0 and due <= now then redis.call('PUBLISH', 'wg:bell', ARGV[13]) end
return {event, deliveries}
"""
)

# ARGV: prefix, now, until when claimed, how many at most, how many at most for a webhook, the life of what is told of
# a delivery, then webhooks and how many of theirs the worker holds. Answers {milliseconds until the next or -1,
# webhooks and records, claims, 1 if there may be more for webhooks that have as many as they may}.
CLAIM = Script(
    SHARED
    + """
local now, lease, most, cap, life = tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local held, holders = {}, (#ARGV - 6) / 2
for i = 7, #ARGV, 2 do held[ARGV[i]] = tonumber(ARGV[i + 1]) end

-- A hundred at a time, whenever they are due: whoever claims next goes on.
local function closed(hook, reason)
  local due = P .. 'hooks:due:' .. hook
  for _, event in ipairs(redis.call('ZRANGE', due, 0, 99)) do buried(hook, event, reason, now, life) end
  if redis.call('EXISTS', due) == 1 then redis.call('ZADD', P .. 'hooks:next', now, hook)
  else redis.call('ZREM', P .. 'hooks:next', hook) end
end

local records, claims, more = {}, {}, 0
local turns, place = redis.call('ZRANGEBYSCORE', P .. 'hooks:next', '-inf', now, 'LIMIT', 0, 100 + holders), {}
for i, hook in ipairs(turns) do place[hook] = i end
-- Who has least under way comes first, or those with much to do would take every place that becomes free.
table.sort(turns, function(one, other)
  local mine, theirs = held[one] or 0, held[other] or 0
  return mine < theirs or (mine == theirs and place[one] < place[other])
end)
for _, hook in ipairs(turns) do
  local record = redis.call('HGET', P .. 'hooks:all', hook)
  if not record then
    closed(hook, 'the webhook was deleted')
  elseif redis.call('HEXISTS', P .. 'hooks:off', hook) == 1 then
    closed(hook, 'the webhook was disabled')
  else
    local room = math.min(cap - (held[hook] or 0), most - #claims / 4)
    local due = P .. 'hooks:due:' .. hook
    if room <= 0 then more = 1 end
    local events = room > 0 and redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, room) or {}
    for _, event in ipairs(events) do
      local body = redis.call('GET', P .. 'events:e:' .. event)
      if body then
        redis.call('ZADD', due, lease, event)
        local tries = redis.call('HGET', P .. 'hooks:tries:' .. hook, event) or '0'
        for _, part in ipairs({hook, event, body, tries}) do table.insert(claims, part) end
      else
        buried(hook, event, 'the event is older than it is kept', now, life)
      end
    end
    if room > 0 then indexed(hook) end
    if #events > 0 then
      if #events == room then more = 1 end
      table.insert(records, hook)
      table.insert(records, record)
      held[hook] = (held[hook] or 0) + #events
    end
  end
end

local sleep = -1
local ahead = redis.call('ZRANGE', P .. 'hooks:next', 0, holders + #records / 2, 'WITHSCORES')
for i = 1, #ahead, 2 do
  if (held[ahead[i]] or 0) < cap then
    sleep = math.max(tonumber(ahead[i + 1]) - now, 0)
    break
  end
end
-- With no place free, the worker asks again when one is.
if #claims / 4 >= most then sleep = -1 end
return {sleep, records, claims, more}
"""
)

# ARGV: prefix, webhook, event, what follows (done, again, dead, postponed), when due, the attempt, why dead, its life,
# now, oldest event of the log, outcome, latency bucket, latency, why disabled. Answers 0 if somebody else settled it,
# 2 if the webhook is disabled by it, else 1.
SETTLE = Script(
    SHARED
    + """
local hook, event, follows, life, now = ARGV[2], ARGV[3], ARGV[4], ARGV[8], tonumber(ARGV[9])
local due = P .. 'hooks:due:' .. hook
local function came()
  count('delivered', 1)
  count('latency:' .. ARGV[12], 1)
  redis.call('HINCRBYFLOAT', P .. 'ledger', 'latency', ARGV[13])
end
if not redis.call('ZSCORE', due, event) then
  -- Buried while the attempt was under way, since its webhook was disabled or deleted: the CRM has it all the same.
  if follows ~= 'done' or redis.call('ZREM', P .. 'hooks:dead:' .. hook, event) == 0 then return 0 end
  told(hook, event, ARGV[6], life)
  count('attempts:' .. ARGV[11], 1)
  count('dead', -1)
  came()
  return 1
end
local health = P .. 'hooks:health'
if ARGV[6] ~= '' then told(hook, event, ARGV[6], life) end
count('attempts:' .. ARGV[11], 1)
local off = ARGV[14]

if follows == 'done' then
  redis.call('ZREM', due, event)
  redis.call('HDEL', P .. 'hooks:tries:' .. hook, event)
  redis.call('HDEL', health, hook .. ':since', hook .. ':first')
  count('pending', -1)
  came()
elseif follows == 'postponed' then
  redis.call('ZADD', due, ARGV[5], event)
else
  redis.call('HSETNX', health, hook .. ':since', now)
  if follows == 'again' then
    redis.call('ZADD', due, ARGV[5], event)
    redis.call('HINCRBY', P .. 'hooks:tries:' .. hook, event, 1)
  else
    buried(hook, event, ARGV[7], now, life)
    redis.call('HSETNX', health, hook .. ':first', now)
    local since = tonumber(redis.call('HGET', health, hook .. ':since'))
    local first = tonumber(redis.call('HGET', health, hook .. ':first'))
    if off == '' and now - since >= 432000000 and now - first >= 43200000 then off = 'it only failed for five days' end
  end
end
redis.call('ZREMRANGEBYLEX', P .. 'hooks:log:' .. hook, '-', '(' .. ARGV[10])
redis.call('ZREMRANGEBYLEX', P .. 'hooks:dead:' .. hook, '-', '(' .. ARGV[10])
local disabled = off ~= '' and redis.call('HDEL', P .. 'hooks:wants', hook) == 1
if disabled then redis.call('HSET', P .. 'hooks:off', hook, cjson.encode({reason = off, at = now})) end
indexed(hook)
if disabled then redis.call('ZADD', P .. 'hooks:next', 'XX', now, hook) end
local waiter = redis.call('GET', P .. 'events:wait:' .. event)
if waiter then redis.call('PUBLISH', waiter, event) end
return disabled and 2 or 1
"""
)

# ARGV: prefix, now, then webhooks and events: what a worker that ends gives back, to be claimed at once.
HAND_BACK = Script(
    SHARED
    + """
for i = 3, #ARGV, 2 do
  redis.call('ZADD', P .. 'hooks:due:' .. ARGV[i], 'XX', ARGV[2], ARGV[i + 1])
  indexed(ARGV[i])
end
if #ARGV > 2 then redis.call('PUBLISH', 'wg:bell', '') end
"""
)
