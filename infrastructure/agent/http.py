"""The agent's routes. Bodies and answers are JSON; an error is ``{"error": "..."}``.

Everything but ``/health`` and ``/metrics`` needs ``Authorization: Bearer TOKEN``. The routes that change something work with or
without a session: without one, for use by hand, nothing is undone when the caller goes away.

============================ ======================================================================================
route                        answer
============================ ======================================================================================
GET /health                  role, framework, variant, state of the worker, ok; 503 where it is not
GET /metrics                 Prometheus text
GET /clock                   monotonic_ns, boot_id, time_namespace
GET /describe                what the framework is (``tasks.bridge``)
GET /session                 a newline each second for as long as the session is held; 409 if another one is
POST /worker/start           processes, concurrency, queues, track, watch → plan, pids
GET /worker/start_times      a StartTimes of a start that was watched, once the worker is connected
POST /worker/stop            grace_s → graceful, asked_ns, took_s
POST /worker/pause, resume   ``{}``, once all processes stand still or go on
POST /worker/kill            ``{}``, once no process is left
GET /worker                  state, pids of the whole tree, died, log_tail
GET /worker/logs             logs: the whole log of each of the worker's commands
GET /logs                    by name, all that the bridge has printed and that each process started since the last worker has
GET /worker/connections      addresses of the worker's side of its connections to Redis
POST /interpreter/start      took_s: the framework's Python started with nothing to do, until it has ended
POST /interpreter/import     rss_bytes, pss_bytes, uss_bytes of the framework's Python that has imported it and nothing else
POST /producer/connect       variant, serializer → environment: what the producer was started with, without secrets
POST /producer/start         order → ``{}``; the load goes on by itself
POST /producer/cancel        ``{}``
GET /producer                state, result, error
POST /web/start              variant, queue, bare → a :class:`~infrastructure.agent.web.WebReport`, once it answers
POST /web/stop               grace_s → graceful, took_s
POST /web/kill               ``{}``, once no process is left
GET /web                     state, died, log_tail, and the WebReport of the last start
POST /web/health/begin       interval_s, limit_s → ``{}``; from then on it is asked, on a schedule that does not wait for answers
POST /web/health/end         ``{}``
GET /web/health              a :class:`~infrastructure.readings.HealthAnswer` for every question of the series
POST /subscribers/start      run, phase, count, delay_s → ``{}``, once they are started; see ``tasks.subscriber``
POST /subscribers/stop       ``{}``, once none is left; so at the end of a session
GET /subscribers             state, died, log_tail
POST /messages/read          order → message_bytes, send_ns, decode_ns (``tasks.reading``)
POST /queues/purge           queues → ``{}``
GET /queues/depth?queue=     waiting, claimed, delayed
GET /redis/own               traffic: a RedisTraffic of all purges and depths so far, whoever asked; null during one
GET /events                  all event files, whole records, as application/octet-stream
POST /events/clear           ``{}``
POST /events/take            cursors, most_bytes → a line of JSON, the new cursors, and whole records from the old ones to these
POST /events/drop            cursors → ``{}``; what lies before them takes no space any more (``infrastructure.agent.shedding``)
GET /counts?run=             for each phase its :class:`~infrastructure.agent.counting.PhaseCounts`
GET /events/count            of ?kind=, ?run= and ?phase=: for each outcome how many records there are
POST /samples/begin          interval_s → ``{}``; of the worker's tree, or the web application's, as are the next three
POST /samples/take           required → a TreeSample, now
POST /samples/end            ``{}``
GET /samples                 the TreeSamples of the series
POST /footprints/begin       interval_s → ``{}``; of the same tree, beside samples
POST /footprints/end         ``{}``
GET /footprints              the Footprints of the series
PUT /lab                     what the runner is doing (``LabState``), for /metrics → ``{}``; forgotten with the session
DELETE /lab                  ``{}``
============================ ======================================================================================
"""

from collections.abc import Awaitable, Callable, Mapping

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from infrastructure.agent.endpoints import Endpoints
from infrastructure.agent.failures import HANDLERS
from infrastructure.agent.node import Node
from infrastructure.agent.session import SessionLease
from infrastructure.agent.token import RequireToken


def create_app(node: Node) -> Starlette:
    """The agent's application for one node."""
    endpoints = Endpoints(node)
    table: Mapping[tuple[str, str], Callable[[Request], Awaitable[Response]]] = {
        ("GET", "/health"): endpoints.health,
        ("GET", "/metrics"): endpoints.metrics,
        ("GET", "/clock"): endpoints.clock,
        ("GET", "/describe"): endpoints.describe,
        ("POST", "/worker/start"): endpoints.worker_start,
        ("GET", "/worker/start_times"): endpoints.worker_start_times,
        ("POST", "/worker/stop"): endpoints.worker_stop,
        ("POST", "/worker/pause"): endpoints.worker_pause,
        ("POST", "/worker/resume"): endpoints.worker_resume,
        ("POST", "/worker/kill"): endpoints.worker_kill,
        ("GET", "/worker"): endpoints.worker,
        ("GET", "/worker/logs"): endpoints.worker_logs,
        ("GET", "/logs"): endpoints.logs,
        ("GET", "/worker/connections"): endpoints.worker_connections,
        ("GET", "/connections/foreign"): endpoints.foreign_connections,
        ("POST", "/interpreter/start"): endpoints.interpreter_start,
        ("POST", "/interpreter/import"): endpoints.interpreter_import,
        ("POST", "/producer/connect"): endpoints.producer_connect,
        ("POST", "/producer/start"): endpoints.producer_start,
        ("POST", "/producer/cancel"): endpoints.producer_cancel,
        ("GET", "/producer"): endpoints.producer,
        ("POST", "/web/start"): endpoints.web_start,
        ("POST", "/web/stop"): endpoints.web_stop,
        ("POST", "/web/kill"): endpoints.web_kill,
        ("GET", "/web"): endpoints.web,
        ("POST", "/web/health/begin"): endpoints.health_begin,
        ("POST", "/web/health/end"): endpoints.health_end,
        ("GET", "/web/health"): endpoints.health_answers,
        ("POST", "/subscribers/start"): endpoints.subscribers_start,
        ("POST", "/subscribers/stop"): endpoints.subscribers_stop,
        ("GET", "/subscribers"): endpoints.subscribers,
        ("POST", "/messages/read"): endpoints.messages_read,
        ("POST", "/queues/purge"): endpoints.queues_purge,
        ("GET", "/queues/depth"): endpoints.queues_depth,
        ("GET", "/redis/own"): endpoints.redis_own,
        ("GET", "/events"): endpoints.events,
        ("POST", "/events/clear"): endpoints.events_clear,
        ("POST", "/events/take"): endpoints.events_take,
        ("POST", "/events/drop"): endpoints.events_drop,
        ("GET", "/events/count"): endpoints.events_count,
        ("GET", "/counts"): endpoints.counts,
        ("POST", "/samples/begin"): endpoints.samples_begin,
        ("POST", "/samples/take"): endpoints.samples_take,
        ("POST", "/samples/end"): endpoints.samples_end,
        ("GET", "/samples"): endpoints.samples,
        ("POST", "/footprints/begin"): endpoints.footprints_begin,
        ("POST", "/footprints/end"): endpoints.footprints_end,
        ("GET", "/footprints"): endpoints.footprints,
        ("PUT", "/lab"): endpoints.lab_put,
        ("DELETE", "/lab"): endpoints.lab_delete,
    }
    return Starlette(
        routes=[
            Route("/session", SessionLease(node), methods=["GET"]),
            *(Route(path, endpoint, methods=[method]) for (method, path), endpoint in table.items()),
        ],
        middleware=[Middleware(RequireToken, token=node.settings.token.get_secret_value())],
        exception_handlers=HANDLERS,
    )
