"""Tests attackers, and their effect on other clients: rules 27 to 31."""

import concurrent.futures
import threading

import grpc
import pytest

import attacks
import frames
from frames import CANCEL, ENHANCE_YOUR_CALM, INTERNAL_ERROR, PROTOCOL_ERROR, data, message, request, reset
from waiting import wait_until

ROOM = 16 << 20


class HealthyClient:
    """Creates users and reads them, one call after another in its own thread, until the block ends."""

    def __init__(self, service, pb):
        self.channel = grpc.insecure_channel(service.address)
        self.users, self.pb = pb.Stub(self.channel), pb
        self.calls, self.failures = 0, []
        self.changed = threading.Condition()
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        self.more(30)
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()
        self.channel.close()

    def run(self):
        while not self.stopping.is_set():
            try:
                row = self.pb.CreateUserRequest(email=f"healthy{self.calls}@example.com")
                created = self.users.CreateUser(row, timeout=frames.TIMEOUT)
                wanted = self.pb.GetUserRequest(user_id=created.id)
                assert self.users.GetUser(wanted, timeout=frames.TIMEOUT) == created
            except Exception as error:
                self.failures.append(error)
            with self.changed:
                self.calls += 1
                self.changed.notify_all()

    def more(self, count):
        """Returns after `count` more calls."""
        with self.changed:
            target = self.calls + count
            assert self.changed.wait_for(lambda: self.calls >= target, timeout=frames.TIMEOUT * 2)


@pytest.mark.parametrize("name", attacks.ATTACKS)
def test_an_attack_ends_its_own_connection_and_nothing_else(serve, connect, pb, name):
    """Tests rule 31, and the rule from 6 or 27 to 30 whose number begins the attack's name."""
    attack, connection = attacks.ATTACKS[name]
    service = serve(settings=attacks.SETTINGS)
    with HealthyClient(service, pb) as healthy:
        before = service.memory
        goaway = attack(connect(service.address, **connection))
        healthy.more(10)
        assert service.memory - before < ROOM
    assert healthy.failures == []
    if name.startswith(("27", "28", "29")):
        # libnghttp2 chooses another code for some attacks.
        assert goaway.error_code in (ENHANCE_YOUR_CALM, PROTOCOL_ERROR, INTERNAL_ERROR)
    if name.startswith("27"):
        assert goaway.error_code == ENHANCE_YOUR_CALM
        assert b"reset before their responses ended" in goaway.additional_data


def test_honest_cancellations_are_no_attack(shared_service, connect):
    """Rule 27: Cancellations within the budget are served."""
    client = connect(shared_service.address)
    for stream in range(1, 1_001, 2):
        client.send(client.header_frame(stream, request("GetUser")), reset(stream))
    assert client.is_healthy(1_001)


def test_a_listing_that_is_not_read_is_reset(serve, connect, pb):
    """Rule 30: The connection survives, whether it has other calls or not."""
    service = serve(settings={"grpc.send.timeout": "1s"})
    writer = connect(service.address)
    assert writer.call(1, request("CreateUser"), message(frames.field(1, "ada@example.com"))).status == "0"
    for streams in ([1], [1, 3]):
        client = connect(service.address, window=0)
        for stream in streams[:-1]:
            client.headers(stream, request("UserUpdates"))
        listing = streams[-1]
        client.send(client.header_frame(listing, request("ListUsers")), data(listing, message(), end=True))
        assert client.response(listing).reset == CANCEL
        assert client.is_healthy(listing + 2)


def test_a_client_that_reads_nothing_at_all_loses_its_connection(serve, connect, pb):
    """Rule 30: Its socket is full, so no GOAWAY can reach it."""
    service = serve(settings=attacks.SETTINGS)
    rows = b"".join(message(frames.field(1, f"user{number}@example.com")) for number in range(2_000))
    listening = service.sockets
    with frames.Client(service.address) as writer:
        assert writer.call(1, request("BulkCreateUsers"), rows).status == "0"
    client = connect(service.address, buffer=4_096)
    for stream in range(1, 201, 2):
        client.send(client.header_frame(stream, request("ListUsers")), data(stream, message(), end=True))
    wait_until(lambda: service.sockets == listening)
    assert connect(service.address).is_healthy(1)


def test_a_half_open_connection_is_closed(serve, connect):
    """Rule 30: A connection with an unanswered ping is closed; one with an answered ping stays."""
    service = serve(settings={"grpc.keepalive.time": "200ms", "grpc.keepalive.timeout": "1s"})
    living, dead = connect(service.address), connect(service.address, acknowledges=False)
    living.until(lambda: len(living.pings) == 10)
    dead.until(lambda: dead.ended)
    assert dead.pings
    assert living.is_healthy(1)


@pytest.mark.parametrize("name", ["27-rapid_reset", "29-empty_data", "30-slow_headers", "30-half_open"])
def test_attackers_together(serve, connect, pb, name):
    """Rule 31: Ten attackers at once are no worse than one."""
    attack, connection = attacks.ATTACKS[name]
    service = serve(settings=attacks.SETTINGS)
    with HealthyClient(service, pb) as healthy:
        before = service.memory
        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            list(pool.map(attack, [connect(service.address, **connection) for _ in range(10)]))
        healthy.more(10)
        assert service.memory - before < ROOM
    assert healthy.failures == []


@pytest.mark.parametrize("method", ["CreateUser", "BulkCreateUsers"])
def test_uploads_that_are_never_complete_take_little_memory(serve, connect, pb, method):
    """Rules 30 and 31: The uploads also leave their connection's window to other calls."""
    service = serve()
    with HealthyClient(service, pb) as healthy:
        before = service.memory
        client = connect(service.address)
        for stream in range(1, 199, 2):
            client.headers(stream, request(method))
            client.upload(stream, message(bytes(8_000))[:-1], end=False)
        client.round_trip()
        # Only uploads beyond the connection's memory have ended.
        assert {one.status for one in client.streams.values() if one.is_over} <= {"8"}
        # The window may be replenished right after the acknowledgement.
        client.until(lambda: client.room(199) > 65_000)
        assert client.is_healthy(199)
        healthy.more(10)
        assert service.memory - before < ROOM
    assert healthy.failures == []
