-- A request as a rollout of `simple_weather` sends it, for wrk.
wrk.method = "POST"
wrk.path = "/v1/responses"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"model":"mock","input":[{"role":"user","content":"How is the weather in San Francisco?"}]}'
