"""The host, and the nodes on it."""

from infrastructure.grafana.boards.queries import RATE, REAL_FILES, of_any, rate
from infrastructure.grafana.panels import QUARTER, THIRD, Dashboard, Query, Row, graph

WHICH = "role, framework, variant"


def system() -> Dashboard:
    """The host and the nodes on it."""
    name = "{{role}} {{framework}} {{variant}}"
    disks = 'device!~"loop.*|ram.*|sr.*"'
    files = REAL_FILES
    interfaces = 'device!~"veth.*"'
    return Dashboard(
        uid="queuelab-system",
        title="System",
        description="CPU, memory, network and disk of the host and of each node on it, and what the lab itself takes of them.",
        content=[
            Row("Host"),
            graph(
                "CPU by mode",
                "In cores, stacked; steal is what the hypervisor withheld.",
                "short",
                Query(f'sum by (mode) (rate(node_cpu_seconds_total{{mode!="idle"}}[{RATE}]))', "{{mode}}"),
                width=THIRD,
                stacked=True,
            ),
            graph(
                "Load and cores",
                "Processes that run or wait to, over 1, 5 and 15 minutes.",
                "short",
                Query("node_load1", "1 min"),
                Query("node_load5", "5 min"),
                Query("node_load15", "15 min"),
                Query('count(node_cpu_seconds_total{mode="idle"})', "cores"),
                width=THIRD,
            ),
            graph(
                "Memory",
                "Of the whole host.",
                "bytes",
                Query("node_memory_MemTotal_bytes - node_memory_MemAvailable_bytes", "used"),
                Query("node_memory_MemTotal_bytes", "total"),
                Query("node_memory_Cached_bytes", "page cache and memory files"),
                width=THIRD,
            ),
            graph(
                "Swapping",
                "Pages in and out; any of it spoils a measurement.",
                "short",
                Query(f"rate(node_vmstat_pswpin[{RATE}])", "in"),
                Query(f"rate(node_vmstat_pswpout[{RATE}])", "out"),
                width=QUARTER,
            ),
            graph(
                "Disk",
                "Bytes read and written.",
                "Bps",
                Query(f"sum by (device) (rate(node_disk_read_bytes_total{{{disks}}}[{RATE}]))", "{{device}} read"),
                Query(f"sum by (device) (rate(node_disk_written_bytes_total{{{disks}}}[{RATE}]))", "{{device}} written"),
                width=QUARTER,
            ),
            graph(
                "Disk busy",
                "Share of the time in which a disk had something to do.",
                "percentunit",
                Query(f"rate(node_disk_io_time_seconds_total{{{disks}}}[{RATE}])", "{{device}}"),
                width=QUARTER,
                maximum=1,
            ),
            graph(
                "Disk space left",
                "Share of each file system that is free.",
                "percentunit",
                Query(f"node_filesystem_avail_bytes{{{files}}} / node_filesystem_size_bytes{{{files}}}", "{{mountpoint}}"),
                width=QUARTER,
                maximum=1,
            ),
            graph(
                "Network of the host, received",
                "Bytes into each of its interfaces; the local lab's own traffic goes over lo, that of containers over bridges.",
                "Bps",
                Query(f"rate(node_network_receive_bytes_total{{{interfaces}}}[{RATE}])", "{{device}}"),
            ),
            graph(
                "Network of the host, sent",
                "Bytes out of each of its interfaces.",
                "Bps",
                Query(f"rate(node_network_transmit_bytes_total{{{interfaces}}}[{RATE}])", "{{device}}"),
            ),
            Row("Nodes"),
            graph(
                "CPU of worker nodes",
                "Of each node's cgroup, its agent included, in cores.",
                "short",
                Query(rate(of_any("cgroup_cpu_seconds_total")), "{{variant}}"),
                width=THIRD,
            ),
            graph(
                "Memory of worker nodes",
                "Of each node's cgroup.",
                "bytes",
                Query(f"max by (variant) ({of_any('cgroup_memory_bytes')})", "{{variant}}"),
                width=THIRD,
            ),
            graph(
                "Throttling of worker nodes",
                "Share of the time for which a node was kept off the CPU by its limit.",
                "percentunit",
                Query(rate(of_any("cgroup_throttled_seconds_total")), "{{variant}}"),
                width=THIRD,
            ),
            graph(
                "Network, received",
                "Bytes into each node: from Redis, the runner and Prometheus.",
                "Bps",
                Query(rate("lab_node_network_receive_bytes_total", WHICH), name),
                width=THIRD,
            ),
            graph(
                "Network, sent",
                "Bytes out of each node.",
                "Bps",
                Query(rate("lab_node_network_transmit_bytes_total", WHICH), name),
                width=THIRD,
            ),
            graph(
                "CPU of agents",
                "What the lab itself takes in each node, as a share of one core.",
                "percentunit",
                Query(rate("lab_agent_cpu_seconds_total", WHICH), name),
                width=THIRD,
            ),
            graph(
                "Memory of agents",
                "RSS of each node's agent, which is in no worker's figures.",
                "bytes",
                Query(f"max by ({WHICH}) (lab_agent_resident_memory_bytes)", name),
                width=THIRD,
            ),
            graph(
                "Event logs",
                "Size of each node's event log, which lies in memory.",
                "bytes",
                Query(f"max by ({WHICH}) (lab_event_log_bytes)", name),
                width=THIRD,
            ),
            graph(
                "Scrapes",
                "How long Prometheus takes for a scrape, at most, by job.",
                "s",
                Query("max by (job) (scrape_duration_seconds)", "{{job}}"),
                width=THIRD,
            ),
            Row("Mock API"),
            graph(
                "Answers",
                "Delayed requests answered, a second, by status.",
                "reqps",
                Query(
                    f"sum by (status) (rate(mock_api_requests_total[{RATE}]))",
                    "{{status}}",
                ),
            ),
            graph(
                "Requests waiting",
                "Delayed requests that wait for their answer.",
                "short",
                Query("mock_api_requests_in_flight", "in flight"),
            ),
        ],
    )
