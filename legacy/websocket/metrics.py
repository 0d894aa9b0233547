"""The counters behind get_performance_metrics."""

from __future__ import annotations

from typing import Any

from exchanges.structs import ConnectionState, PerformanceMetrics

__all__ = ["record_processing", "snapshot"]

_EWMA_WEIGHT = 0.1
_LATENCY_LIMIT_MS = 1.0


def record_processing(metrics: PerformanceMetrics, started_s: float, ended_s: float) -> None:
    """Count one processed message; the average is exponentially weighted, 0.1 for the newest."""
    elapsed_ms = (ended_s - started_s) * 1000.0
    metrics.messages_processed += 1
    metrics.last_message_time = ended_s
    metrics.avg_processing_time_ms += _EWMA_WEIGHT * (elapsed_ms - metrics.avg_processing_time_ms)
    if elapsed_ms > metrics.max_processing_time_ms:
        metrics.max_processing_time_ms = elapsed_ms
    if elapsed_ms < _LATENCY_LIMIT_MS:
        metrics.sub_1ms_messages += 1
    else:
        metrics.latency_violations += 1


def snapshot(metrics: PerformanceMetrics, uptime_s: float, state: ConnectionState) -> dict[str, Any]:
    """What callers see; connection_state is the name of the state."""
    metrics.connection_uptime = uptime_s
    metrics.messages_per_second = metrics.messages_processed / uptime_s if uptime_s else 0.0
    return {
        "messages_processed": metrics.messages_processed,
        "messages_per_second": metrics.messages_per_second,
        "avg_processing_time_ms": metrics.avg_processing_time_ms,
        "max_processing_time_ms": metrics.max_processing_time_ms,
        "connection_uptime_seconds": uptime_s,
        "reconnection_count": metrics.reconnection_count,
        "error_count": metrics.error_count,
        "connection_state": state.name,
    }
