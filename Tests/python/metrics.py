"""Reads a service's metrics with Prometheus' own parser."""

import urllib.request

from prometheus_client.parser import text_string_to_metric_families


def families(service):
    """Returns the metrics by name, each with the labels and values of its samples."""
    with urllib.request.urlopen(service.metrics, timeout=10) as response:
        assert response.status == 200
        assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        return {family.name: family for family in text_string_to_metric_families(response.read().decode())}


def calls(service, method):
    """Returns the number of started calls of the method, and the numbers of ended ones by status."""
    found = families(service)
    started = [s.value for s in found["grpc_server_call_started"].samples if s.labels["grpc_method"] == method]
    ended = {s.labels["grpc_status"]: s.value for s in found["grpc_server_call_duration_seconds"].samples
             if s.labels["grpc_method"] == method and s.name.endswith("_count") and s.value}
    assert len(started) == 1
    return started[0], ended


def inline_calls(service, method):
    """Returns the number of calls of the method that were answered inline."""
    found = [s.value for s in families(service)["user_service_calls_inline"].samples
             if s.labels["grpc_method"] == method]
    assert len(found) == 1
    return found[0]
