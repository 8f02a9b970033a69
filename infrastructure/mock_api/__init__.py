"""The mock API: an HTTP server whose latency and errors are chosen by the request and known in advance.

Run it with ``python -m infrastructure.mock_api``; ``settings`` says by which variables it is set up.

=================== =========================================================================================================
request             answer
=================== =========================================================================================================
GET /delay?...      waits, then 200, or the error asked for; parameters as in ``behaviour``, and ``id``, which names the request
GET /log?since=NS   what was answered, oldest answer first, of the requests that arrived at ``since`` or later (CLOCK_MONOTONIC
                    nanoseconds): ``{"overflowed": bool, "dropped": int, "entries": [[id, arrived_ns, status, latency_ms]]}``
POST /log/clear     forgets the log, the counts of ``/stats`` and which requests failed once already
GET /stats          ``{"served", "errors", "in_flight", "peak_in_flight"}``: answers given, those among them with an error
                    status, requests waiting now, and the most at any one time
GET /metrics        the same for Prometheus, since the start of the process, with the latencies as a histogram
GET /health         200 once it serves
=================== =========================================================================================================

Latency and error of a request are pure functions of the seed and the request's id (or the last parts of it, ``id_parts``): the
same id is treated alike in every run and for every framework. An answer is never given before its time; it is up to about a
millisecond late, the granularity of the event loop's timers, and the log tells the latency as it was. A request is in the log
before its answer is sent.
"""
