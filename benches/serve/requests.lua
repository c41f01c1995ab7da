-- What wrk sends: the request named by METHOD, BODY and KEYS, to the path in the URL. `%d` in the body becomes
-- a number of its own for each request; the keys are taken in turn, because each has a rate.
local keys, next_key, sent = {}, 0, 0
local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set("number", threads)
end

function init()
  for key in string.gmatch(os.getenv("KEYS") or "", "[^,]+") do
    keys[#keys + 1] = "Bearer " .. key
  end
end

function request()
  sent = sent + 1
  local headers = {}
  if #keys > 0 then
    next_key = next_key % #keys + 1
    headers["Authorization"] = keys[next_key]
  end
  local body = os.getenv("BODY")
  if body then
    headers["Content-Type"] = "application/json"
    body = string.gsub(body, "%%d", string.format("%d-%d", number, sent))
  end
  return wrk.format(os.getenv("METHOD") or "GET", nil, headers, body)
end

function done(summary)
  local errors = summary.errors
  io.write(string.format("RESULT %.0f %d\n", summary.requests / summary.duration * 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
