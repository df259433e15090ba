-- KEYS[1]: a bucket, "owed at". ARGV: tokens a second, the most that may be owed; what was taken, what is owed as the caller
-- knows it, and when it last charged something. Times in microseconds, amounts in millionths of a token.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local rate, most, taken = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local before, at = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) (%d+)$')
local owed = taken
if before then
  owed = owed + math.max(0, tonumber(before) - math.max(0, now - tonumber(at)) * rate)
end
if not before or at == ARGV[5] then
  owed = math.min(owed, tonumber(ARGV[4]))
end
owed = math.min(owed, most)
local left = math.ceil(owed / rate / 1000) + 1
now = string.format('%.0f', now)
redis.call('SET', KEYS[1], string.format('%.0f', owed) .. ' ' .. now, 'PX', string.format('%.0f', left))
return { string.format('%.0f', owed), now }
