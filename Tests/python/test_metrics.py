"""Tests the metrics as Prometheus reads them, with the parser of its own client."""

import contextlib
import http.client
import socket
import subprocess
import threading
import time

import grpc
import pytest

from metrics import calls, families
from program import PROGRAM
from waiting import wait_until


@pytest.fixture
def metered(serve):
    return serve("--metrics-listen", "127.0.0.1:0")


@pytest.fixture
def stub(pb, metered):
    with grpc.insecure_channel(metered.address) as channel:
        yield pb.Stub(channel)


def test_calls_are_counted_by_method_and_status(pb, metered, stub):
    user = stub.CreateUser(pb.CreateUserRequest(email="ada@example.com"))
    for _ in range(3):
        stub.GetUser(pb.GetUserRequest(user_id=user.id))
    for request, status in (("nobody", "NOT_FOUND"), ("", "INVALID_ARGUMENT")):
        with pytest.raises(grpc.RpcError) as raised:
            stub.GetUser(pb.GetUserRequest(user_id=request))
        assert raised.value.code().name == status
    list(stub.ListUsers(pb.ListUsersRequest()))
    stub.BulkCreateUsers(iter([pb.CreateUserRequest(email="bob@example.com")]))
    users = "user.v1.UserService/"
    assert calls(metered, users + "GetUser") == (5, {"OK": 3, "NOT_FOUND": 1, "INVALID_ARGUMENT": 1})
    for method in ("CreateUser", "ListUsers", "BulkCreateUsers"):
        assert calls(metered, users + method) == (1, {"OK": 1})
    # Methods that were never called are listed with 0.
    assert calls(metered, "auth.v1.AuthService/SignIn") == (0, {})


def test_a_call_counts_as_started_while_it_runs(pb, metered, stub):
    stream = stub.UserUpdates(iter([]))
    method = "user.v1.UserService/UserUpdates"
    list(stream)
    assert calls(metered, method) == (1, {"OK": 1})
    over = threading.Event()
    waiting = stub.UserUpdates(none_until(over))
    wait_until(lambda: calls(metered, method) == (2, {"OK": 1}))
    waiting.cancel()
    wait_until(lambda: calls(metered, method) == (2, {"OK": 1, "CANCELLED": 1}))
    over.set()


def none_until(over):
    """Yields no requests, and does not end for now."""
    over.wait(120)
    yield from ()


def test_durations_are_a_histogram_in_seconds(pb, metered, stub):
    before = time.monotonic()
    for _ in range(10):
        with pytest.raises(grpc.RpcError):
            stub.GetUser(pb.GetUserRequest(user_id="nobody"))
    took = time.monotonic() - before
    family = families(metered)["grpc_server_call_duration_seconds"]
    assert family.type == "histogram"
    samples = [s for s in family.samples if s.labels.get("grpc_status") == "NOT_FOUND"]
    buckets = [s.value for s in samples if s.name.endswith("_bucket")]
    assert buckets == sorted(buckets) and buckets[-1] == 10 and len(buckets) == 42
    total = next(s.value for s in samples if s.name.endswith("_sum"))
    assert 0 < total <= took


def test_the_service_and_its_process_are_measured(metered, stub, pb):
    stub.CreateUser(pb.CreateUserRequest(email="ada@example.com"))
    found = families(metered)
    values = {name: family.samples[0].value for name, family in found.items() if len(family.samples) == 1}
    assert values["user_service_connections"] == 1
    assert values["user_service_writes_waiting"] == values["user_service_hashes_waiting"] == 0
    assert values["process_private_memory_bytes"] == pytest.approx(metered.memory, rel=0.2)
    assert values["process_resident_memory_bytes"] > values["process_private_memory_bytes"]
    assert 0 <= values["process_cpu_seconds"] < 60
    assert values["process_open_fds"] > 5
    assert abs(values["process_start_time_seconds"] - time.time()) < 600
    assert all(family.documentation for family in found.values())


def test_metrics_and_nothing_else(metered):
    host = metered.metrics.split("/")[2]
    for method, path, status in (("GET", "/", 404), ("GET", "/metrics/x", 404), ("POST", "/metrics", 404),
                                 ("DELETE", "/metrics", 404)):
        connection = http.client.HTTPConnection(host, timeout=10)
        connection.request(method, path, body="x" * 100)
        assert connection.getresponse().status == status, (method, path)
        connection.close()


def test_what_is_no_request_ends_its_connection(metered):
    host, port = metered.metrics.split("/")[2].split(":")
    for bytes_sent in (b"\x00" * 1_000, b"GET /metrics HTTP/1.1\r\n" + b"x: y\r\n" * 100_000):
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            try:
                connection.sendall(bytes_sent)
                while connection.recv(65_536):
                    pass
            except (ConnectionResetError, BrokenPipeError):
                pass
    families(metered)


def test_a_reader_that_stays_does_not_hold_the_service(metered):
    connection = http.client.HTTPConnection(metered.metrics.split("/")[2], timeout=10)
    connection.request("GET", "/metrics")
    connection.getresponse().read()
    assert metered.stop() == (0, "")


def stalled(service):
    """Returns a connection that requests more than its buffers hold, and reads nothing."""
    host, port = service.metrics.split("/")[2].split(":")
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    connection.connect((host, int(port)))
    connection.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 500)
    return connection


def test_a_reader_that_does_not_read_does_not_hold_the_service(metered):
    with stalled(metered):
        families(metered)
        begin = time.monotonic()
        assert metered.stop() == (0, "")
        # The grace time is 30 s.
        assert time.monotonic() - begin < 20


def test_readers_that_do_not_read_keep_nobody_out_for_long(metered):
    connections = [stalled(metered) for _ in range(70)]
    # Each stalled reader has 10 s.
    wait_until(lambda: answers(metered), 120)
    for connection in connections:
        connection.close()


def answers(service):
    try:
        return bool(families(service))
    except OSError:
        return False


def test_without_the_setting_there_is_no_such_server(service):
    assert service.metrics is None


def test_an_address_that_cannot_be_used_is_one_line(service, tmp_path):
    for address in (service.address, "somewhere", "unix:socket"):
        result = subprocess.run(
            [PROGRAM, "serve", "--listen", "127.0.0.1:0", "--database", tmp_path / "other.db", "--metrics-listen",
             address], capture_output=True, text=True, timeout=60)
        lines = [line for line in result.stderr.splitlines() if "signing key" not in line]
        assert result.returncode == 1 and result.stdout == "" and len(lines) == 1, result
        assert "metrics" in lines[0] and address in lines[0]
