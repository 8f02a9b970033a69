"""The broker."""

from infrastructure.grafana.boards.queries import RATE
from infrastructure.grafana.panels import THIRD, Dashboard, Query, graph, stat


def redis_board() -> Dashboard:
    """The broker."""
    return Dashboard(
        uid="queuelab-redis",
        title="Redis",
        description="What the frameworks ask of Redis, and what it costs.",
        content=[
            stat(
                "Up",
                "Whether the exporter reaches Redis.",
                "short",
                Query("redis_up", "up"),
                thresholds=((0, "red"), (1, "green")),
            ),
            stat("Clients", "Connections now.", "short", Query("redis_connected_clients", "clients")),
            stat("Blocked", "Clients that wait in a blocking command.", "short", Query("redis_blocked_clients", "blocked")),
            stat("Memory", "What Redis has allocated.", "bytes", Query("redis_memory_used_bytes", "used")),
            stat(
                "Evicted",
                "Keys thrown out for want of memory: there must be none.",
                "short",
                Query("redis_evicted_keys_total", "evicted"),
                thresholds=((1, "red"),),
            ),
            stat(
                "Refused",
                "Connections refused for want of room: there must be none.",
                "short",
                Query("redis_rejected_connections_total", "refused"),
                thresholds=((1, "red"),),
            ),
            graph(
                "Commands",
                "Executed a second.",
                "ops",
                Query(f"rate(redis_commands_processed_total[{RATE}])", "all"),
                width=THIRD,
            ),
            graph(
                "Commands by name",
                "The ten most frequent.",
                "ops",
                Query(f"topk(10, rate(redis_commands_total[{RATE}]))", "{{cmd}}"),
                width=THIRD,
            ),
            graph(
                "Time in a command",
                "Mean, of the ten that take most time in all.",
                "s",
                Query(
                    f"(rate(redis_commands_duration_seconds_total[{RATE}]) / (rate(redis_commands_total[{RATE}]) > 0))"
                    f" and topk(10, rate(redis_commands_duration_seconds_total[{RATE}]))",
                    "{{cmd}}",
                ),
                width=THIRD,
                logarithmic=True,
            ),
            graph(
                "CPU",
                "Of the server's process, in cores. Redis executes commands on one.",
                "short",
                Query(f"rate(redis_cpu_user_seconds_total[{RATE}])", "user"),
                Query(f"rate(redis_cpu_sys_seconds_total[{RATE}])", "system"),
                width=THIRD,
                stacked=True,
            ),
            graph(
                "Network",
                "Bytes in and out of Redis.",
                "Bps",
                Query(f"rate(redis_net_input_bytes_total[{RATE}])", "in"),
                Query(f"rate(redis_net_output_bytes_total[{RATE}])", "out"),
                width=THIRD,
            ),
            graph(
                "Memory",
                "Allocated, its peak, and what the system counts.",
                "bytes",
                Query("redis_memory_used_bytes", "allocated"),
                Query("redis_memory_used_peak_bytes", "peak"),
                Query("redis_memory_used_rss_bytes", "RSS"),
                width=THIRD,
            ),
            graph(
                "Keys by database",
                "Each framework has databases of its own.",
                "short",
                Query("redis_db_keys", "{{db}}"),
                width=THIRD,
            ),
            graph(
                "Clients",
                "Connections, and those that wait in a blocking command.",
                "short",
                Query("redis_connected_clients", "connected"),
                Query("redis_blocked_clients", "blocked"),
                width=THIRD,
            ),
            graph(
                "Connections and expired keys",
                "A second: a framework that connects anew for every task shows here.",
                "ops",
                Query(f"rate(redis_connections_received_total[{RATE}])", "connections"),
                Query(f"rate(redis_expired_keys_total[{RATE}])", "keys expired"),
                width=THIRD,
            ),
        ],
    )
