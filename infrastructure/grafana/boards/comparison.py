"""Variants side by side."""

from infrastructure.grafana.boards.queries import CHOSEN, VARIANTS, of_any, quantile, rate
from infrastructure.grafana.panels import QUARTER, THIRD, Dashboard, Query, Row, bars, graph


def comparison() -> Dashboard:
    """All variants side by side."""
    done = of_any("tasks_total", CHOSEN)
    ran = f"sum by (variant) (increase({done}[$__range]))"
    cpu = of_any("worker_cpu_seconds_total", CHOSEN)
    memory = of_any("worker_memory_bytes", 'kind="pss"', CHOSEN)
    end_to_end = of_any("task_end_to_end_seconds_bucket", CHOSEN)
    by_variant = "{{variant}}"
    return Dashboard(
        uid="queuelab-comparison",
        title="Comparison",
        description="Variants side by side: what each does, how long it takes, what it costs. One is measured at a time.",
        variables=(VARIANTS,),
        content=[
            Row("Over the whole time shown"),
            bars(
                "Tasks finished",
                "Executions that ended, well or not.",
                "short",
                Query(f"{ran} > 0", by_variant, instant=True),
                width=QUARTER,
            ),
            bars(
                "End to end, p99",
                "From when a task was due to its end; wrong by a factor of 5/3 at most.",
                "s",
                Query(quantile(0.99, end_to_end, window="$__range"), by_variant, instant=True),
                width=QUARTER,
            ),
            bars(
                "Highest memory",
                "PSS of the worker's whole process tree.",
                "bytes",
                Query(
                    f"max by (variant) (max_over_time({memory}[$__range])) and on (variant) ({ran} > 0)",
                    by_variant,
                    instant=True,
                ),
                width=QUARTER,
            ),
            bars(
                "CPU for 1,000 tasks",
                "CPU time of the worker's tree over the tasks that ended, warm-up included.",
                "s",
                Query(
                    f"1000 * sum by (variant) (increase({cpu}[$__range])) / ({ran} > 0)",
                    by_variant,
                    instant=True,
                ),
                width=QUARTER,
            ),
            Row("Over time"),
            graph("Tasks finished", "Executions that ended, a second.", "ops", Query(rate(done), by_variant)),
            graph(
                "Tasks failed or to be retried",
                "Executions that ended so, a second.",
                "ops",
                Query(
                    rate(of_any("tasks_total", 'outcome=~"failed|retried"', CHOSEN), "variant, outcome"),
                    "{{variant}} {{outcome}}",
                ),
            ),
            graph(
                "End to end, median",
                "From when a task was due to its end.",
                "s",
                Query(quantile(0.5, end_to_end), by_variant),
                width=THIRD,
                logarithmic=True,
            ),
            graph(
                "End to end, p99",
                "From when a task was due to its end.",
                "s",
                Query(quantile(0.99, end_to_end), by_variant),
                width=THIRD,
                logarithmic=True,
            ),
            graph(
                "Queue wait, p99",
                "From when a task was due to its first start.",
                "s",
                Query(quantile(0.99, of_any("task_queue_wait_seconds_bucket", CHOSEN)), by_variant),
                width=THIRD,
                logarithmic=True,
            ),
            graph(
                "Waiting tasks",
                "Tasks in the queue that no worker has claimed.",
                "short",
                Query(f"sum by (variant) ({of_any('queue_depth', 'state="waiting"', CHOSEN)})", by_variant),
                width=THIRD,
            ),
            graph(
                "Memory",
                "PSS of the worker's whole process tree.",
                "bytes",
                Query(f"max by (variant) ({memory})", by_variant),
                width=THIRD,
            ),
            graph("CPU", "Of the worker's whole process tree, in cores.", "short", Query(rate(cpu), by_variant), width=THIRD),
        ],
    )
