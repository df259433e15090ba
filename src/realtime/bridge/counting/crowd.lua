-- KEYS[1]: a hash, run -> "connections seconds". ARGV: this run, its connections, the most of all runs together (0: one
-- more does not ask to come in), seconds for which a count holds, and the other runs that live.
local now = tonumber(redis.call('TIME')[1])
local me, mine, most, holds = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local lives = {}
for i = 5, #ARGV do
  lives[ARGV[i]] = true
end
local others = 0
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local count, at = string.match(all[i + 1], '^(%d+) (%d+)$')
  if not count or now - tonumber(at) > holds then
    redis.call('HDEL', KEYS[1], all[i])
  elseif all[i] ~= me and lives[all[i]] then
    others = others + tonumber(count)
  end
end
local may = others + mine < most
if may then
  mine = mine + 1
end
if mine > 0 then
  redis.call('HSET', KEYS[1], me, string.format('%.0f %.0f', mine, now))
  redis.call('EXPIRE', KEYS[1], holds)
else
  redis.call('HDEL', KEYS[1], me)
end
return may and 1 or 0
