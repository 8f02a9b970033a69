"""Hours and days: what creeps."""

from infrastructure.grafana.boards.queries import CHOSEN, FIRING, VARIANTS, of_any
from infrastructure.grafana.panels import GRID, THIRD, Dashboard, Query, graph, stat


def soak() -> Dashboard:
    """Hours and days: what creeps."""

    def recorded(name: str, more: str = "") -> str:
        return f"variant:lab_{name}{{{CHOSEN}{more}}}"

    by_run = "{{variant}} run {{run}}"
    return Dashboard(
        uid="queuelab-soak",
        title="Soak",
        description="Slopes over hours: memory, queue, failures, latency, log and disk, of the variant that is being measured.",
        variables=(VARIANTS,),
        since="now-24h",
        refresh="1m",
        content=[
            stat(
                "Alerts",
                "Alerts that are firing.",
                "short",
                Query(f"count({FIRING}) or vector(0)", "firing"),
                thresholds=((1, "red"),),
            ),
            stat(
                "Memory an hour",
                "Slope of the PSS over the last hour of the run; it says little in its first minutes.",
                "bytes",
                Query(f"{recorded('worker_memory_bytes:deriv1h')} * 3600", by_run),
                minimum=None,
            ),
            stat(
                "Queue a minute",
                "Slope of the waiting tasks over five minutes.",
                "short",
                Query(f"{recorded('queue_waiting:deriv5m')} * 60", by_run),
                minimum=None,
                decimals=1,
            ),
            stat(
                "Failing",
                "Share of the tasks over five minutes.",
                "percentunit",
                Query(recorded("tasks_failed:ratio5m"), by_run),
                thresholds=((0.001, "orange"), (0.01, "red")),
            ),
            stat(
                "Event log full",
                "Of the node whose log is the fullest.",
                "percentunit",
                Query("max(lab_event_log_bytes / (lab_event_log_bytes + lab_event_log_available_bytes))", "full"),
                thresholds=((0.8, "orange"), (0.9, "red")),
            ),
            stat(
                "Disk left",
                "Of the file system with the least.",
                "percentunit",
                Query(
                    'min(node_filesystem_avail_bytes{fstype!~"tmpfs|ramfs|overlay|squashfs"} / node_filesystem_size_bytes)',
                    "left",
                ),
                thresholds=((0, "red"), (0.1, "orange"), (0.2, "green")),
            ),
            graph("Tasks finished", "A second, by outcome.", "ops", Query(recorded("tasks:rate1m"), "{{variant}} {{outcome}}")),
            graph(
                "End to end",
                "Median and p99, from when a task was due to its end.",
                "s",
                Query(recorded("task_end_to_end_seconds:p50_1m"), "{{variant}} p50"),
                Query(recorded("task_end_to_end_seconds:p99_1m"), "{{variant}} p99"),
                logarithmic=True,
            ),
            graph("Memory", "PSS of the worker's tree.", "bytes", Query(recorded("worker_memory_bytes:pss"), by_run)),
            graph(
                "Slope of the memory",
                "Of the PSS over an hour, for an hour. What stays above 0 for hours is a leak.",
                "bytes",
                Query(f"{recorded('worker_memory_bytes:deriv1h')} * 3600", by_run),
                minimum=None,
            ),
            graph("Queue", "Tasks by state.", "short", Query(recorded("queue_depth:sum"), "{{variant}} {{state}}")),
            graph(
                "Slope of the queue",
                "Waiting tasks, over five minutes, a second. What stays above 0 cannot keep up.",
                "short",
                Query(recorded("queue_waiting:deriv5m"), by_run),
                minimum=None,
            ),
            graph("CPU", "Of the worker's tree, in cores.", "short", Query(recorded("worker_cpu:rate1m"), by_run), width=THIRD),
            graph(
                "Threads and file descriptors",
                "Of the worker's tree: what is never closed shows here.",
                "short",
                Query(f"max by (variant) ({of_any('worker_threads', CHOSEN)})", "{{variant}} threads"),
                Query(f"max by (variant) ({of_any('worker_open_fds', CHOSEN)})", "{{variant}} descriptors"),
                width=THIRD,
            ),
            graph(
                "Failing tasks",
                "Share over five minutes.",
                "percentunit",
                Query(recorded("tasks_failed:ratio5m"), by_run),
                width=THIRD,
            ),
            graph(
                "Restarts and deaths",
                "Workers started after the node's first, one for each run; and workers that ended unasked.",
                "short",
                Query(f"max by (variant) ({of_any('worker_restarts_total', CHOSEN)})", "{{variant}} restarts"),
                Query(f"max by (variant) ({of_any('worker_deaths_total', CHOSEN)})", "{{variant}} deaths"),
                width=THIRD,
            ),
            graph(
                "Event logs",
                "Size, and the space that is left for them.",
                "bytes",
                Query("sum by (job) (lab_event_log_bytes)", "{{job}}"),
                Query("min(lab_event_log_available_bytes)", "least space left"),
                width=THIRD,
            ),
            graph(
                "Stored by Prometheus",
                "What its series take on disk, and how many there are in memory.",
                "bytes",
                Query("prometheus_tsdb_storage_blocks_bytes + prometheus_tsdb_wal_storage_size_bytes", "on disk"),
                width=THIRD,
            ),
            graph(
                "Alerts",
                "Alerts that were firing.",
                "short",
                Query(f"count({FIRING}) or vector(0)", "firing"),
                width=GRID,
                height=5,
            ),
        ],
    )
