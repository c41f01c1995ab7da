"""Reads hookbox's metrics by Prometheus' own parser for the text format."""

import sys

from prometheus_client.parser import text_string_to_metric_families

families = list(text_string_to_metric_families(open(sys.argv[1], encoding="utf-8").read()))
samples = {
    (sample.name, tuple(sorted(sample.labels.items()))): sample.value
    for family in families
    for sample in family.samples
}
assert all(family.documentation and family.type != "unknown" for family in families)
assert samples["hookbox_events_emitted_total", ()] == 1
assert samples["hookbox_events_delivered_total", ()] == 1
assert samples["hookbox_attempt_duration_seconds_bucket", (("le", "+Inf"),)] == 1
assert samples["hookbox_commit_duration_seconds_count", (("write", "emit"),)] == 1
print(f"prometheus_client: {len(families)} metrics, {len(samples)} samples read")
