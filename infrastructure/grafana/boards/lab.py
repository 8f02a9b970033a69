"""What is running now."""

from infrastructure.grafana.boards.queries import FIRING, RATE, of_any
from infrastructure.grafana.panels import HALF, Dashboard, Query, graph, stat, table


def lab() -> Dashboard:
    """What is running now."""
    return Dashboard(
        uid="queuelab-lab",
        title="Lab",
        description="What is being measured now, how far it is, which runs did not count, and whether everything is up.",
        content=[
            stat(
                "Being measured",
                "Scenario, variant and number of the run.",
                "short",
                Query("lab_run_info", "{{scenario}} · {{variant}} · run {{run}}"),
                width=HALF,
                show_name=True,
            ),
            stat(
                "Phase",
                "The phase that the run is in.",
                "short",
                Query("lab_phase_start_time_seconds", "{{phase}}"),
                show_name=True,
            ),
            stat(
                "Phase lasts",
                "Since the phase began.",
                "s",
                Query("time() - lab_phase_start_time_seconds", "for"),
                decimals=0,
            ),
            stat(
                "Alerts",
                "Alerts that are firing.",
                "short",
                Query(f"count({FIRING}) or vector(0)", "firing"),
                thresholds=((1, "red"),),
            ),
            stat(
                "Runs ended",
                "Runs of the suite that have ended.",
                "short",
                Query("sum(lab_runs_total)", "ended"),
            ),
            stat("Runs planned", "As far as is known now.", "short", Query("lab_suite_runs", "planned")),
            stat(
                "Invalid runs",
                "Runs that broke a rule and do not count.",
                "short",
                Query('lab_runs_total{outcome="invalid"}', "invalid"),
                thresholds=((1, "red"),),
            ),
            stat(
                "Progress of the phase",
                "Tasks done of those planned.",
                "percentunit",
                Query(
                    'lab_progress_tasks{state="done"} / ignoring (state) clamp_min(lab_progress_tasks{state="planned"}, 1)',
                    "done",
                ),
                thresholds=(),
            ),
            stat(
                "Progress of the suite",
                "Runs ended of those planned.",
                "percentunit",
                Query("sum(lab_runs_total) / on () clamp_min(sum(lab_suite_runs), 1)", "done"),
            ),
            stat(
                "Targets down",
                "Services that Prometheus cannot scrape.",
                "short",
                Query("count(up == 0) or vector(0)", "down"),
                thresholds=((1, "red"),),
            ),
            graph(
                "Tasks of the phase",
                "Planned and done, as the runner sees them.",
                "short",
                Query("lab_progress_tasks", "{{state}}"),
            ),
            graph(
                "Runs of the suite",
                "Ended, by whether they count, and planned.",
                "short",
                Query("lab_runs_total", "{{outcome}}"),
                Query("lab_suite_runs", "planned"),
            ),
            graph(
                "Tasks finished by the variant that is measured",
                "A second, over a minute; as recorded with scenario and run.",
                "ops",
                Query(
                    "sum by (variant, run) (variant:lab_tasks:rate1m)",
                    "{{variant}} run {{run}}",
                ),
            ),
            graph(
                "Workers up",
                "While a benchmark runs, that of the variant which is measured, and no other.",
                "short",
                Query(f"max by (variant) ({of_any('worker_up')})", "{{variant}}"),
                maximum=1,
            ),
            graph(
                "The lab's own cost",
                "CPU of all agents, of Prometheus and of the exporters, as a share of one core.",
                "percentunit",
                Query(f"sum by (role) (rate(lab_agent_cpu_seconds_total[{RATE}]))", "agents, {{role}}"),
                Query(f'rate(process_cpu_seconds_total{{job=~"prometheus|redis|host"}}[{RATE}])', "{{job}}"),
                width=HALF,
            ),
            graph(
                "Targets up",
                "Services that Prometheus scrapes with success, by kind.",
                "short",
                Query("sum by (job) (up)", "{{job}}"),
                width=HALF,
            ),
            table(
                "Nodes",
                "Every node that is scraped.",
                "short",
                Query("lab_node_info", "", instant=True),
                hidden_columns=("job", "Value"),
                width=HALF,
                height=10,
            ),
            table(
                "Targets",
                "Every service that is scraped: 1 where it answered.",
                "short",
                Query("up", "", instant=True),
                width=HALF,
                height=10,
            ),
        ],
    )
