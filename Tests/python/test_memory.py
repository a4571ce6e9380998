"""Tests how much memory and processor time one peer can use, and the effect on others: rules 9, 13, 18, 30 and 31."""

import contextlib
import itertools
import pathlib
import re
import subprocess
import sys
import threading
import time

import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

import flood
import frames
from flood import AUTH, HEALTH, METHODS, call_of, compressed, text
from frames import CANCEL, data, field, message, request
from waiting import wait_until

# The maximum growth of the service's memory under ten attackers, at its peak.
ROOM = 16 << 20
CONNECTIONS, STREAMS = 10, 100
# The maximum latency of an uninvolved client's calls, at the 99th percentile.
PATIENCE = 0.25
# Other load on the machine slows calls too, but not in each attempt.
ATTEMPTS = 3

every_method = pytest.mark.parametrize("name,method", METHODS, ids=lambda name: name.removeprefix("grpc."))


def test_the_table_has_every_method(pb):
    services = [
        pb.DESCRIPTOR.services_by_name["UserService"], pb.auth.DESCRIPTOR.services_by_name["AuthService"],
        health_pb2.DESCRIPTOR.services_by_name["Health"],
        reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"]]
    known = {(service.full_name, method.name) for service in services for method in service.methods}
    assert known <= set(METHODS) and len(METHODS) == len(known) + 1


@every_method
def test_a_methods_limit_is_known_from_the_prefix(shared_service, connect, name, method):
    """Rule 9: A message one byte too long is refused before it has arrived."""
    client = connect(shared_service.address)
    limit = METHODS[name, method][1]
    client.headers(1, call_of(name, method))
    client.send(data(1, b"\0" + (limit + 1).to_bytes(4, "big")))
    assert client.response(1).status == "8"
    client.headers(3, call_of(name, method))
    client.send(data(3, b"\0" + limit.to_bytes(4, "big")))
    client.round_trip()
    assert not client.stream(3).is_over


@every_method
def test_a_methods_limit_holds_while_a_message_is_inflated(shared_service, connect, name, method):
    """Rule 13: The limit counts the inflated bytes."""
    client = connect(shared_service.address)
    number, limit = METHODS[name, method]
    body = compressed(text(number, limit))
    assert len(body) < 200
    assert client.call(1, call_of(name, method, grpc_encoding="gzip"), body).status == "8"


class HealthyClient:
    """Makes one call after another in its own thread until the block ends, and records their latencies."""

    def __init__(self, service):
        self.client = frames.Client(service.address)
        self.times, self.failures = [], []
        self.changed, self.stopping = threading.Condition(), threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()
        self.client.socket.close()

    def run(self):
        for stream in itertools.count(1, 2):
            if self.stopping.is_set():
                break
            began = time.monotonic()
            try:
                assert self.client.call(stream, request("GetUser"), message(field(1, "nobody"))).status == "5"
            except Exception as error:
                self.failures.append(error)
            with self.changed:
                self.times.append(time.monotonic() - began)
                self.changed.notify_all()
            if self.failures:
                break

    def more(self, count):
        """Returns after `count` more calls, or the first failure."""
        with self.changed:
            target = len(self.times) + count
            assert self.changed.wait_for(
                lambda: len(self.times) >= target or self.failures, timeout=frames.TIMEOUT * 2)

    @property
    def slowest(self):
        """Returns the 99th percentile of the latencies."""
        return sorted(self.times)[len(self.times) * 99 // 100 - 1]


@contextlib.contextmanager
def attacker(service, *arguments):
    """Runs `flood.py`, and yields once it has begun. It ends with the block."""
    process = subprocess.Popen(
        [sys.executable, flood.__file__, service.address, *map(str, arguments)], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "begun\n"
        yield process
    finally:
        process.said, _ = process.communicate(timeout=60)


def peak(service, reset=False):
    """Returns the peak of resident bytes since the last reset."""
    process = pathlib.Path(f"/proc/{service.process.pid}")
    if reset:
        (process / "clear_refs").write_text("5")
    return int(re.search(r"VmHWM:\s+(\d+) kB", (process / "status").read_text())[1]) * 1_024


def test_an_idle_service_gives_the_memory_of_a_load_back(serve):
    service = serve()
    before = service.memory
    fill(service, 60_000, "x" * 256)
    assert service.memory > before + (4 << 20)
    wait_until(lambda: service.memory < before + (3 << 20))


@pytest.mark.parametrize("kind,name,method", [
    *((kind, *method) for kind in ["bomb", "long", "compressed", "plain"] for method in METHODS),
    *(("empty", *method) for method in METHODS if method[1] in flood.MANY)])
def test_ten_connections_take_little_memory(serve, connect, name, method, kind):
    """Rules 30 and 31: Each connection has the maximum number of calls and reads no responses. The messages inflate
    to 4 MiB, are too long, or have the maximum length; or each call has a thousand empty messages."""
    service = serve()
    if method == "BulkCreateUsers":
        # The rows fill SQLite's page cache, which is bounded and grows with any writes.
        fill(service, 60_000, "x" * 256)
    for _ in range(ATTEMPTS):
        with HealthyClient(service) as healthy:
            healthy.more(200)
            before = peak(service, reset=True)
            with attacker(service, name, method, kind, CONNECTIONS, STREAMS):
                healthy.more(100)
                grown = peak(service) - before
        assert healthy.failures == []
        # The outcomes of the rows are kept until the calls end: 12 MiB in all.
        assert grown < ROOM + (8 << 20 if kind == "empty" else 0)
        if healthy.slowest < PATIENCE:
            break
    assert healthy.slowest < PATIENCE
    assert connect(service.address).is_healthy(1)


def test_bombs_take_little_processor_time(serve):
    """Rule 13: Each call of two callers without a token would inflate to 4 MiB, which takes at least 10 ms."""
    service = serve()
    for _ in range(ATTEMPTS):
        before = service.processor_time
        with HealthyClient(service) as healthy, attacker(service, AUTH, "RefreshToken", "bomb", 1, 0) as one, \
                    attacker(service, AUTH, "RefreshToken", "bomb", 1, 0) as two:
            healthy.times.clear()
            healthy.more(500)
        assert healthy.failures == []
        calls = int(one.said) + int(two.said)
        assert calls > 20
        # The budget includes the other client's calls.
        assert service.processor_time - before < 0.3 + 0.002 * calls
        if healthy.slowest < PATIENCE:
            break
    assert healthy.slowest < PATIENCE


def test_sixty_uploads_of_a_client_that_sends_all_it_may_succeed(serve, connect):
    """Rule 18: grpc-go fills every window at once. None of its calls fails for that, and each stores all its rows."""
    client = connect(serve().address)
    rest = {}
    for number in range(60):
        stream = 2 * number + 1
        rows = (field(1, f"{number}.{row}@example.com") + text(2, 250) for row in range(2_000))
        rest[stream] = b"".join(message(row) for row in rows)
        client.headers(stream, request("BulkCreateUsers"))
    while rest:
        client.until(lambda: any(client.room(stream) > 0 or client.stream(stream).is_over for stream in rest))
        for stream in list(rest):
            length = 0 if client.stream(stream).is_over else max(0, min(client.room(stream), frames.FRAME_SIZE))
            piece, rest[stream] = rest[stream][:length], rest[stream][length:]
            if piece:
                client.sent.update({0: len(piece), stream: len(piece)})
                client.send(data(stream, piece, end=not rest[stream]))
            if not rest[stream] or client.stream(stream).is_over:
                del rest[stream]
    assert {client.response(stream).status for stream in range(1, 120, 2)} == {"0"}
    assert {client.stream(stream).messages[0][1][:3] for stream in range(1, 120, 2)} == {b"\x08\xd0\x0f"}


def test_uploads_go_on_beside_those_that_stall(serve, connect, pb):
    """Rule 18: Handlers that do not read leave the connection's window to others."""
    service = serve()
    client = connect(service.address, window=0)
    created = connect(service.address).call(1, request("CreateUser"), message(field(1, "ada@example.com")))
    user = pb.User.FromString(created.messages[0][1])
    update = message(pb.UserUpdateRequest(user_id=user.id, name="x" * 256).SerializeToString())
    for stream in range(1, 7, 2):
        client.headers(stream, request("UserUpdates"))
        # The unread responses fill the handler's buffer, and then the requests fill the stream's window.
        while client.room(stream) >= len(update):
            client.upload(stream, update, end=False)
            client.round_trip()
    client.headers(7, request("BulkCreateUsers"))
    client.send(frames.window_update(7, 1 << 20), frames.window_update(0, 1 << 20))
    client.upload(7, message(field(1, "bob@example.com")) * 1_000)
    assert client.response(7).status == "0"


# The longest allowed message, with a name that is too long.
UPDATE = message(field(1, "nobody") + text(3, 8_100))


def test_calls_that_exceed_their_connections_memory_end_alone(serve, connect):
    """Rule 31: Earlier calls continue, and so do other connections."""
    service = serve(settings={"grpc.max.connection.memory": 262_144})
    client = connect(service.address)
    streams = range(1, 81, 2)
    for stream in streams:
        client.headers(stream, request("UserUpdates"))
        client.upload(stream, UPDATE[:-1], end=False)
    # Each call counts its 8 KiB and a little more, so some twenty fit in three quarters of the memory. Of two
    # concurrent calls either may be refused, so a late call can take the place of an earlier one.
    client.until(lambda: sum(client.stream(stream).is_over for stream in streams) >= 15)
    ended = [client.stream(stream) for stream in streams if client.stream(stream).is_over]
    assert {(response.status, response.reason) for response in ended} == {("8", "OVERLOADED")}
    assert len(ended) < 20
    for stream in range(1, 9, 2):
        client.upload(stream, UPDATE[-1:])
        assert client.response(stream).status == "3"
    assert connect(service.address).call(1, request("UserUpdates"), message(field(1, "nobody"))).status == "5"


def test_calls_that_are_cancelled_give_their_memory_back(serve, connect):
    """Rule 31: Hundreds of calls would fill it, if each left something."""
    service = serve(settings={"grpc.max.connection.memory": 65_536})
    client = connect(service.address)
    for stream in range(1, 401, 2):
        client.headers(stream, request("UserUpdates"))
        client.until(lambda: client.stream(stream).blocks)
        client.send(frames.reset(stream))
    assert client.call(401, request("UserUpdates"), message(field(1, "nobody"))).status == "5"


def test_what_waits_for_the_service_is_not_overdue(serve, connect):
    """Rule 30: A message that came in two parts is complete, even while it waits for another call's work."""
    service = serve(settings={"grpc.max.connection.memory": 65_536, "grpc.receive.timeout": "200ms"})
    client = connect(service.address)
    # The hashes take longer than the time-out, and the halves of two messages leave no room for more work.
    rows = (field(1, f"{number}@example.com") + field(3, "correct horse") for number in range(60))
    client.headers(1, request("BulkCreateUsers"))
    client.upload(1, b"".join(message(row) for row in rows))
    for stream in (3, 5, 7):
        client.headers(stream, request("UserUpdates"))
    client.upload(3, message(field(1, "nobody"))[:-1], end=False)
    client.round_trip()
    client.upload(5, UPDATE[:-1], end=False)
    client.upload(7, UPDATE[:-1], end=False)
    client.upload(3, message(field(1, "nobody"))[-1:])
    for stream in (5, 7):
        assert client.response(stream).status == "4"
    assert client.response(3).status == "5"
    assert client.response(1).status == "0"


def test_connections_share_the_memory_of_the_process(serve, connect):
    """Rule 31: A connection that holds little is served although others have exhausted the memory."""
    service = serve(settings={"grpc.max.memory": 1 << 20})
    clients = [connect(service.address) for _ in range(3)]
    for client in clients:
        for stream in range(1, 161, 2):
            client.headers(stream, request("UserUpdates"))
            client.upload(stream, UPDATE[:-1], end=False)
            # The service compares a connection's memory with the free memory after it has read all available bytes.
            client.round_trip()
    first, *_, last = [{one.status for one in client.streams.values()} for client in clients]
    assert first == {None} and last == {None, "8"}
    assert connect(service.address).call(1, request("UserUpdates"), message(field(1, "nobody"))).status == "5"


def fill(service, count, name=""):
    rows = (message(field(1, f"user{number}@example.com") + text(2, len(name))) for number in range(count))
    with frames.Client(service.address) as client:
        assert client.call(1, request("BulkCreateUsers"), b"".join(rows)).status == "0"


LISTING = message(b"\x08\xe8\x07")


def test_listings_that_are_not_read_share_their_connections_room(serve, connect):
    """Rules 17 and 31: Listings without room begin once there is room; other calls do not wait."""
    service = serve()
    fill(service, 1_000, "x" * 100)
    client = connect(service.address, window=0)
    before = service.memory
    for stream in range(1, 181, 2):
        client.send(client.header_frame(stream, request("ListUsers")), data(stream, LISTING, end=True))
    client.round_trip()
    # Without sharing, each would hold a page of 190 KB.
    assert service.memory - before < 8 << 20
    assert sum(bool(one.blocks) for one in client.streams.values()) < 10
    client.send(client.header_frame(181, request("GetUser")), data(181, message(), end=True))
    assert client.response(181).status == "3"
    client.send(frames.settings({frames.INITIAL_WINDOW_SIZE: frames.LARGEST_WINDOW}))
    client.send(frames.window_update(0, frames.LARGEST_WINDOW - 65_535))
    for stream in range(1, 181, 2):
        assert client.response(stream).status == "0"
        assert len(client.stream(stream).messages) == 1_000


def test_listings_that_are_not_read_make_room_for_those_that_wait(serve, connect):
    """Rule 30: The room is made long before the send time-out."""
    service = serve(settings={"grpc.receive.timeout": "500ms"})
    fill(service, 1_000, "x" * 100)
    client = connect(service.address, window=0)
    for stream in range(1, 41, 2):
        client.headers(stream, request("ListUsers"))
        # A request that comes in two parts is complete, however long it waits.
        client.round_trip()
        client.send(data(stream, LISTING, end=True))
    client.until(lambda: client.stream(1).is_over)
    assert client.stream(1).reset == CANCEL
    assert not any(client.stream(stream).status for stream in range(1, 41, 2))
    assert client.is_healthy(41)


def test_a_thousand_health_watches_take_little_memory(serve, connect):
    """Rules 31 and 32: No watch keeps its request, or has a task; every watch learns of the drain."""
    service = serve()

    def watch(count):
        client = connect(service.address)
        for stream in range(1, 2 * count, 2):
            client.headers(stream, call_of(HEALTH, "Watch"))
            client.send(data(stream, message(text(1, 1_000)), end=True))
        client.until(lambda: all(len(client.stream(1 + 2 * number).messages) == 1 for number in range(count)))
        return client

    watch(STREAMS)
    before = service.memory
    clients = [watch(STREAMS) for _ in range(CONNECTIONS)]
    assert service.memory - before < CONNECTIONS * (STREAMS * 6_144 + 40_000)
    clients[0].send(*(frames.reset(stream) for stream in range(3, 2 * STREAMS, 2)))
    service.process.terminate()
    for client in clients:
        assert client.response(1).status == "14"
    assert service.process.wait(timeout=20) == 0
