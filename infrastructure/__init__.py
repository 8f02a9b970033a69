"""What runs beside the frameworks: the node agent, the mock API, the configuration of Redis, Prometheus and Grafana."""
