"""The node agent: a small service at the root of every worker and producer container, or a local process.

It supervises a framework's worker or drives its producer, hands out the event log, samples the process tree and serves
Prometheus metrics. It never imports a framework: it asks ``tasks.bridge`` in the framework's own environment.
Run it with ``python -m infrastructure.agent``; :mod:`infrastructure.agent.settings` lists its environment variables and
:mod:`infrastructure.agent.http` its routes.
"""
