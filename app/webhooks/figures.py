"""The ledger as Prometheus reads it. Every gateway on one store tells the same, so these are never to be summed."""

import itertools
from collections.abc import Callable, Iterator, Mapping

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from app.webhooks.ledger import Figures
from app.webhooks.outbox import LATENCIES

# Behind every description: who adds up replicas would count each delivery once for each of them.
_WHOSE = "Of the whole fleet, the same on every gateway: take max by (account), never the sum of gateways."

_COUNTERS: dict[str, tuple[str, Callable[[Figures], int]]] = {
    "accepted": (
        "Accepted: an event counts once for each webhook that wants it, once if none does, and once more for each "
        "replay of what had not died.",
        lambda one: one.accepted,
    ),
    "delivered": ("Deliveries that a CRM has answered with 2xx.", lambda one: one.delivered),
    "unmatched": ("Events that no webhook wanted when they came.", lambda one: one.unmatched),
}
# What has died can be sent again, and is dead no more: so it is no counter.
_GAUGES: dict[str, tuple[str, Callable[[Figures], float]]] = {
    "pending": ("Deliveries that are due, wait for their next attempt, or are under way.", lambda one: one.pending),
    "dead": ("Deliveries that were given up, and not sent again.", lambda one: one.dead),
    "balance": (
        "Accepted - delivered - pending - dead - unmatched. Anything but 0 is a fault of the gateway.",
        lambda one: one.balance,
    ),
    "oldest_due_seconds": (
        "For how long the oldest delivery that is due has been due. 0: nobody is late.",
        lambda one: one.overdue.total_seconds(),
    ),
}


def families(ledgers: Mapping[str, Figures]) -> Iterator[Metric]:
    """The metrics of these accounts' ledgers."""
    for name, (what, counted) in _COUNTERS.items():
        counter = CounterMetricFamily(_name(name), _help(what), labels=("account",))
        for account, figures in ledgers.items():
            counter.add_metric((account,), counted(figures))
        yield counter
    for name, (what, measured) in _GAUGES.items():
        gauge = GaugeMetricFamily(_name(name), _help(what), labels=("account",))
        for account, figures in ledgers.items():
            gauge.add_metric((account,), measured(figures))
        yield gauge
    yield _attempts(ledgers)
    yield _delivery_seconds(ledgers)
    yield _webhooks(ledgers)
    yield _webhook_pending(ledgers)


def _attempts(ledgers: Mapping[str, Figures]) -> Metric:
    what = "Attempts at deliveries, by outcome. hindered: the fault was ours, and the CRM was not asked."
    family = CounterMetricFamily(_name("attempts"), _help(what), labels=("account", "outcome"))
    for account, figures in ledgers.items():
        for outcome, number in figures.attempts.items():
            family.add_metric((account, outcome), number)
    return family


def _delivery_seconds(ledgers: Mapping[str, Figures]) -> Metric:
    what = "From the acceptance of an event to the CRM's 2xx, attempts that failed and replays included."
    family = HistogramMetricFamily(_name("delivery_seconds"), _help(what), labels=("account",))
    bounds = [*(str(float(bound)) for bound in LATENCIES), "+Inf"]
    for account, figures in ledgers.items():
        cumulative = itertools.accumulate(figures.latencies)
        family.add_metric((account,), list(zip(bounds, cumulative, strict=True)), figures.latency.total_seconds())
    return family


def _webhooks(ledgers: Mapping[str, Figures]) -> Metric:
    family = GaugeMetricFamily(_name("webhooks"), _help("Registered webhooks."), labels=("account", "state"))
    for account, figures in ledgers.items():
        family.add_metric((account, "enabled"), figures.enabled)
        family.add_metric((account, "disabled"), figures.disabled)
    return family


def _webhook_pending(ledgers: Mapping[str, Figures]) -> Metric:
    what = "Pending deliveries of each registered webhook."
    family = GaugeMetricFamily(_name("webhook_pending"), _help(what), labels=("account", "webhook"))
    for account, figures in ledgers.items():
        for webhook, number in figures.depths.items():
            family.add_metric((account, webhook), number)
    return family


def _name(thing: str) -> str:
    return f"wazzup_gateway_ledger_{thing}"


def _help(what: str) -> str:
    return f"{what} {_WHOSE}"
