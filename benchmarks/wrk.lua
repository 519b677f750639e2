-- Sends the requests of one scenario with wrk, and says what came of them in one line of JSON.
-- Arguments: METHOD BYTES, then  none  |  file PATH COUNT  |  new PREFIX
local prepared, count, sent = {}, 0, 0
local before, after
local method, body

local function request_with(token)
  local headers = { Host = "benchmark.example" }
  if token then headers.Authorization = "Bearer " .. token end
  return wrk.format(method, nil, headers, body)
end

local function read_tokens(path, limit)
  for line in io.lines(path) do
    count = count + 1
    prepared[count] = request_with(line)
    if count == limit then break end
  end
end

function init(arguments)
  method = arguments[1]
  if tonumber(arguments[2]) > 0 then body = string.rep("x", tonumber(arguments[2])) end
  if arguments[3] == "file" then
    read_tokens(arguments[4], tonumber(arguments[5]))
  elseif arguments[3] == "new" then
    -- Formatting each request would make wrk the limit: it is done once, around a place for the number.
    local mark = "NUMBER"
    local whole = request_with(arguments[4] .. mark)
    local first, last = string.find(whole, mark, 1, true)
    before, after = string.sub(whole, 1, first - 1), string.sub(whole, last + 1)
  else
    prepared[1], count = request_with(nil), 1
  end
end

function request()
  sent = sent + 1
  if before then return before .. sent .. after end
  return prepared[(sent - 1) % count + 1]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'JSON {"requests": %d, "microseconds": %d, "bytes": %d, "p50": %d, "p99": %d, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
