"""PromQL that the dashboards share."""

from infrastructure.grafana.panels import Variable

RATE = "$__rate_interval"
VARIANTS = Variable("variant", "Variant", 'label_values(lab_node_info{role="worker"}, variant)')
CHOSEN = 'variant=~"$variant"'
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
FIRING = '{__name__="ALERTS", alertname=~"Lab.+", alertstate="firing"}'
REAL_FILES = 'fstype!~"tmpfs|ramfs|overlay|squashfs"'


def of_any(suffix: str, *matchers: str) -> str:
    """A selector for a metric of every framework."""
    return f"{{{', '.join((f'__name__=~".+_{suffix}"', *matchers))}}}"


def quantile(share: float, selector: str, by: str = "variant", window: str = RATE) -> str:
    """A quantile of a histogram's increase; nothing where there was none."""
    labels = f"{by}, le" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({selector}[{window}]))) >= 0"


def rate(selector: str, by: str = "variant", window: str = RATE) -> str:
    """What is added up a second."""
    return f"sum by ({by}) (rate({selector}[{window}]))"
