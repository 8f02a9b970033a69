# What the lab can do. `./lab RECIPE` runs the same recipes and installs just and uv first where they are missing.

set shell := ["bash", "-p", "-euo", "pipefail", "-c"]
set positional-arguments
set no-exit-message

export PATH := justfile_directory() / ".tools/bin:" + env("PATH")
export PYTHONPATH := justfile_directory()
# Paths are relative to it; `lab` sets it, which moves to this folder before.
caller := invocation_directory()
export LAB_CALLER_FOLDER := caller

setup := "infrastructure/setup"
# Sealed from the variables of Python; from all others the program seals itself.
lab := "exec .venvs/lab/bin/python -E -m benchmarks"
dev := setup / "sealed.sh"

[private]
default:
    @just --justfile '{{ justfile() }}' --list --unsorted

# Install every environment and write .env with generated secrets
[group('set-up')]
init: _environments _dotenv

# Show the versions, environments, frameworks and scenarios of this lab
[group('set-up')]
info: _environments
    @{{ lab }} info

# Remove environments, caches and build leftovers; results stay
[group('set-up')]
clean:
    rm -rf .venvs .tools .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist ./*.egg-info
    find . -name __pycache__ -type d -not -path './results/*' -prune -exec rm -rf {} +

# Build and start every service, and wait until all are healthy; LAB_WITHOUT=grafana leaves some out
[group('docker')]
docker-up: _environments _dotenv
    @{{ lab }} docker up

# Start only Redis, Prometheus, Grafana and the exporters
[group('docker')]
docker-up-monitoring: _environments _dotenv
    @{{ lab }} docker up --group monitoring

# Start only Redis and the mock API
[group('docker')]
docker-up-mock: _environments _dotenv
    @{{ lab }} docker up --group mock

# Stop and remove the services
[group('docker')]
docker-down: _environments
    @{{ lab }} docker down

# Stop and remove the services, and what Prometheus and Grafana have stored
[group('docker')]
docker-clean: _environments
    @{{ lab }} docker down --volumes

# Show the end of the logs of all services or of those named; --follow goes on
[group('docker')]
docker-logs *SERVICES: _environments
    @{{ lab }} docker logs "$@"

# List the images that must come from a registry
[group('docker')]
docker-images: _environments
    @{{ lab }} docker images

# Show whether each service is up and healthy, and when it was last scraped
[group('docker')]
check-health: _environments
    @{{ lab }} docker health

# Print the addresses of the dashboards
[group('docker')]
grafana: _environments
    @{{ lab }} docker grafana

# Prove from Redis that every framework keeps to databases of its own
[group('docker')]
verify-separation *OPTIONS: _environments
    @{{ lab }} verify-separation "$@"

# Run a worker of a variant in the foreground
[group('workers')]
worker VARIANT *OPTIONS: _environments
    @{{ lab }} worker "$@"

# The same for AsyncTasQ: async, thread or process
[group('workers')]
worker-asynctasq MODE="async" *OPTIONS: _environments
    @{{ lab }} worker "asynctasq-$1" "${@:2}"

# The same for Celery: prefork, threads, gevent, eventlet or solo
[group('workers')]
worker-celery POOL="prefork" *OPTIONS: _environments
    @{{ lab }} worker "celery-$1" "${@:2}"

# Run a web application with long jobs, in background tasks and on a Celery worker, until Ctrl-C
[group('workers')]
api *OPTIONS: _environments _redis
    @{{ lab }} api celery "$@"

# The same application with an AsyncTasQ worker (options: see `just api-asynctasq --help`), until Ctrl-C
[group('workers')]
api-asynctasq *OPTIONS: _environments _redis
    @{{ lab }} api asynctasq "$@"

# Run Flower beside a running `just api`, until Ctrl-C
[group('workers')]
flower *OPTIONS: _environments _flower
    @{{ lab }} job-monitor celery "$@"

# Measure every scenario in containers (needs Docker)
[group('benchmarks')]
benchmark-all *OPTIONS: _environments
    @{{ setup }}/for_lab.sh benchmark-all "$@"
    @{{ lab }} run --lab compose --scenario all "$@"

# Measure one scenario, by number or name, in containers (needs Docker)
[group('benchmarks')]
benchmark N *OPTIONS: _environments
    @{{ setup }}/for_lab.sh benchmark "$@"
    @{{ lab }} run --lab compose --scenario "$@"

# Measure every scenario in short, as processes of this machine (no Docker)
[group('benchmarks')]
benchmark-quick *OPTIONS: _environments _redis
    @{{ lab }} run --lab local --preset quick "$@"

# Run one study, by name (`just study NAME --help` says its options), as processes of this machine or with --lab compose
[group('benchmarks')]
study NAME *OPTIONS: _environments
    @{{ setup }}/for_lab.sh study "$@"
    @{{ lab }} study "$@"

# Run every study
[group('benchmarks')]
study-all *OPTIONS: _environments
    @{{ setup }}/for_lab.sh study all "$@"
    @{{ lab }} study all "$@"

# Which pool, and how many tasks at once, for each kind of task
[group('benchmarks')]
study-pools *OPTIONS: _environments
    @{{ setup }}/for_lab.sh study pools "$@"
    @{{ lab }} study pools "$@"

# How a task should do its subtasks: memory and time of threads, greenlets, processes and tasks of their own
[group('benchmarks')]
study-memory *OPTIONS: _environments
    @{{ setup }}/for_lab.sh study memory "$@"
    @{{ lab }} study memory "$@"

# The job-queue suite: throughput, latency and memory with one worker and ten, against its targets
[group('benchmarks')]
study-queue *OPTIONS: _environments
    @{{ setup }}/for_lab.sh study queue "$@"
    @{{ lab }} study queue "$@"

# When a web application needs a queue: background tasks, a queue, and what a kill costs (--jobs, --duration, --concurrency)
[group('benchmarks')]
study-fastapi *OPTIONS: _environments
    @{{ setup }}/for_lab.sh study fastapi "$@"
    @{{ lab }} study fastapi "$@"

# Offer load for hours and account for every task: [VARIANTS] --hours 24 or --minutes 10
[group('benchmarks')]
benchmark-stress *OPTIONS: _environments _redis
    @[[ "${1:--}" != -* ]] || set -- celery-prefork,asynctasq-async "$@"; {{ lab }} soak "$@"

# Complete an interrupted result set, the latest or the one named
[group('benchmarks')]
benchmark-resume RESULT=(justfile_directory() / "results/latest") *OPTIONS: _environments
    @{{ lab }} run --resume-from "$@"

# Take what Prometheus has of a result set's time into it, the latest or the one named
[group('benchmarks')]
export-metrics RESULT=(justfile_directory() / "results/latest"): _environments
    @{{ lab }} export-metrics "$1"

# Draw where a variant's worker spends its CPU time under load (flame graph, SVG), as processes of this machine
[group('profiling')]
profile VARIANT *OPTIONS: _environments _redis
    @{{ lab }} profile "$@"

# The same for Celery: prefork, threads, gevent, eventlet or solo
[group('profiling')]
profile-celery POOL="prefork" *OPTIONS: _environments _redis
    @{{ lab }} profile "celery-$1" "${@:2}"

# The same for AsyncTasQ: async, thread or process
[group('profiling')]
profile-asynctasq MODE="async" *OPTIONS: _environments _redis
    @{{ lab }} profile "asynctasq-$1" "${@:2}"

# Draw where the memory of workers goes (flame graphs, HTML)
[group('profiling')]
profile-memory VARIANTS="celery-prefork,asynctasq-async" *OPTIONS: _environments _redis
    @{{ lab }} profile --memory "$@"

# Measure what the lab itself costs, and check it against a queue with a known answer
[group('benchmarks')]
bench-harness *OPTIONS: _environments _redis
    @{{ lab }} harness --target celery-prefork=0.98 --target floor=0.93 "$@"

# Empty every database of the lab's Redis
[group('redis')]
reset-redis *OPTIONS: _environments
    @{{ lab }} redis reset "$@"

# Show what Redis says of itself
[group('redis')]
redis-info *OPTIONS: _environments
    @{{ lab }} redis info "$@"

# Follow the commands that Redis executes
[group('redis')]
redis-monitor *OPTIONS: _environments
    @{{ lab }} redis monitor "$@"

# Test everything that needs no Docker, on all cores, or what the arguments of pytest name
[group('development')]
test *ARGS: _environments _dev _flower _redis
    @run() { {{ dev }} python -m pytest -o testpaths='tests/unit tests/setup tests/e2e' "$@"; }; \
    if [ $# -gt 0 ]; then run -m 'not compose' "$@"; exit; fi; \
    status=0; \
    run -m 'not compose and not alone' --numprocesses logical --maxprocesses 4 --dist loadfile || status=$?; \
    run -m alone || status=$?; \
    exit "$status"

# Test the lab in containers (needs Docker)
[group('development')]
test-compose *ARGS: _environments _dev _dotenv
    @exec {{ dev }} python -m pytest -o testpaths=tests/compose "$@"

# Lint, check types and test, as a change must pass
[group('development')]
ci: lint typecheck test

# Write the dashboards' JSON files anew from infrastructure/grafana
[group('development')]
dashboards: _dev
    @{{ dev }} python -m infrastructure.grafana

# Write the tables of scenarios in README and docs anew from the code
[group('development')]
documents: _environments
    @{{ lab }} documents

# Find mistakes and untidy formatting in Python and shell
[group('development')]
lint: _dev
    @{{ dev }} ruff check .
    @{{ dev }} ruff format --check .
    @{{ dev }} shellcheck --external-sources lab .ci/run {{ setup }}/*.sh

# Mend what can be mended of that
[group('development')]
format: _dev
    @{{ dev }} ruff check --fix .
    @{{ dev }} ruff format .

# Check the types
[group('development')]
typecheck: _dev
    @{{ dev }} mypy

# Describe a result set, compare its variants, warn, hold it against the targets; --check fails on a missed one
[group('analysis')]
analyze *ARGS: _environments
    @{{ lab }} analyze "$@"

# Say what changed from one result set to another
[group('analysis')]
compare A B *OPTIONS: _environments
    @{{ lab }} compare "$@"

# List the result sets
[group('analysis')]
list *ARGS: _environments
    @{{ lab }} list "$@"

# Write a result set as tidy tables, CSV and Parquet; --tasks adds a row for every task
[group('analysis')]
export *ARGS: _environments
    @{{ lab }} export "$@"

# Draw a result set's charts as SVG and PNG, into its folder pictures
[group('analysis')]
visualize *RESULT: _environments
    @{{ lab }} visualize "$@"

# Write a result set's report, one HTML page, and its short form for a pull request
[group('analysis')]
report *RESULT: _environments
    @{{ lab }} report "$@"

# The environments of all dependency groups but the tests'
[private]
_environments:
    @{{ setup }}/environments.sh

[private]
_dev:
    @{{ setup }}/environments.sh dev

[private]
_flower:
    @{{ setup }}/environments.sh flower

[private]
_dotenv:
    @{{ setup }}/dotenv.sh

[private]
_redis:
    @{{ setup }}/redis.sh
