"""Tests when and how the service ends a connection: rules 21, 25 and 26."""

import re
import signal

import pytest

import frames
from frames import ENHANCE_YOUR_CALM, NO_ERROR, data, field, message, raw, request
from metrics import families

HIGHEST_STREAM = 2**31 - 1
PING = raw(frames.PING, payload=bytes(8))


def terminate(service, client):
    """Sends SIGTERM, and returns when the client has received GOAWAY."""
    service.process.send_signal(signal.SIGTERM)
    client.until(lambda: client.goaways and client.pings)


def test_a_shutdown_lets_running_calls_finish(service, connect, pb):
    """Rule 21: The server sends GOAWAY for every stream and, after a round trip, GOAWAY with the last served stream."""
    client = connect(service.address, acknowledges=False)
    client.headers(1, request("BulkCreateUsers"))
    client.send(data(1, message(field(1, "before@example.com"))))
    client.round_trip()
    terminate(service, client)
    first, = client.goaways
    assert (first.last_stream_id, first.error_code) == (HIGHEST_STREAM, NO_ERROR)
    # This request was in flight when the first GOAWAY came. The server reads it together with the answer to the PING.
    answer = raw(frames.PING, frames.ACK, payload=client.pings[-1])
    client.send(client.header_frame(3, request("BulkCreateUsers")), answer)
    client.until(lambda: len(client.goaways) == 2)
    assert (client.goaways[1].last_stream_id, client.goaways[1].error_code) == (3, NO_ERROR)
    client.headers(5, request("BulkCreateUsers"), end=True)
    client.send(data(1, message(field(1, "after@example.com")), end=True), data(3, end=True))
    for stream, count in ((1, 2), (3, 0)):
        response = client.response(stream)
        assert response.status == "0"
        assert pb.BulkCreateResponse.FromString(response.messages[0][1]).created_count == count
    client.end()
    assert not client.stream(5).blocks
    assert service.process.wait(timeout=frames.TIMEOUT) == 0


def test_a_request_that_has_half_arrived_is_let_finish(service, connect):
    """Rule 21: The final GOAWAY includes its stream, so it is served."""
    client = connect(service.address, acknowledges=False)
    client.call(1, request("GetUser"))
    terminate(service, client)
    headers = client.header_frame(3, request("GetUser"))
    client.send(raw(frames.PING, frames.ACK, payload=client.pings[-1]) + headers[:20])
    client.until(lambda: len(client.goaways) == 2)
    assert client.goaways[1].last_stream_id == 3
    client.send(headers[20:], data(3, message(), end=True))
    assert client.response(3).status == "3"
    client.end()
    assert service.process.wait(timeout=frames.TIMEOUT) == 0


def test_a_malformed_request_does_not_hold_the_exit_back(service, connect):
    """Rule 21: The malformed request never became a call."""
    client = connect(service.address)
    client.headers(1, [("a-field-before", "the pseudo-headers"), *request("GetUser")], end=True)
    client.until(lambda: client.stream(1).reset is not None)
    client.call(3, request("GetUser"))
    service.process.send_signal(signal.SIGTERM)
    client.end()
    assert service.process.wait(timeout=frames.TIMEOUT) == 0


@pytest.mark.parametrize("connection", [{}, {"acknowledges": False}, {"preface": False}])
def test_an_idle_client_does_not_hold_the_exit_back(serve, connect, connection):
    """Rule 21: A client that sends nothing does not either. The grace time is longer than this test waits."""
    service = serve("--shutdown-grace", "1h")
    client = connect(service.address, **connection)
    client.until(lambda: client.settings)
    service.process.send_signal(signal.SIGTERM)
    client.end()
    assert service.process.wait(timeout=frames.TIMEOUT) == 0


@pytest.mark.parametrize("method,window", [("UserUpdates", 65_535), ("GetUser", 65_535), ("ListUsers", 0)])
def test_the_grace_has_an_end(serve, connect, method, window):
    """Rule 21: Unfinished calls are cut off, and the exit is still clean."""
    service = serve("--shutdown-grace", "300ms")
    ada = message(field(1, "ada@example.com"))
    assert connect(service.address).call(1, request("CreateUser"), ada).status == "0"
    client = connect(service.address, window=window)
    client.headers(1, request(method))
    client.send(data(1, message(), end=method == "ListUsers"))
    client.round_trip()
    assert service.stop() == (0, "")


def test_a_full_socket_does_not_hold_the_exit_back(serve, connect, pb):
    """Rule 21: The full socket is that of a client that does not read."""
    service = serve("--shutdown-grace", "300ms")
    rows = b"".join(message(field(1, f"user{number}@example.com")) for number in range(2_000))
    assert connect(service.address).call(1, request("BulkCreateUsers"), rows).status == "0"
    client = connect(service.address, buffer=4_096)
    for stream in range(1, 201, 2):
        client.send(client.header_frame(stream, request("ListUsers")), data(stream, message(), end=True))
    assert service.stop() == (0, "")


def test_a_second_signal_ends_the_service_at_once(service, connect):
    """Rule 21: Running calls do not delay the end."""
    client = connect(service.address)
    client.headers(1, request("UserUpdates"))
    terminate(service, client)
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(timeout=frames.TIMEOUT) == 1


def test_new_connections_are_not_taken_during_a_shutdown(service, connect):
    """Rule 21: Another instance may already have the address."""
    client = connect(service.address)
    client.headers(1, request("UserUpdates"))
    terminate(service, client)
    client.until(lambda: len(client.goaways) == 2)
    with pytest.raises((ConnectionError, frames.Ended)):
        connect(service.address)
    client.send(data(1, end=True))
    assert client.response(1).status == "0"
    assert service.process.wait(timeout=frames.TIMEOUT) == 0


def test_the_service_pings_a_silent_client(serve, connect):
    """Rule 25: The service closes the connection if the ping is not answered."""
    service = serve(settings={"grpc.keepalive.time": "200ms", "grpc.keepalive.timeout": "200ms"})
    client = connect(service.address, acknowledges=False)
    client.headers(1, request("UserUpdates"))
    client.end()
    assert client.pings


def test_a_client_that_answers_pings_stays(serve, connect):
    """Rule 25: The client stays for as long as it answers."""
    client = connect(serve(settings={"grpc.keepalive.time": "100ms", "grpc.keepalive.timeout": "5s"}).address)
    client.until(lambda: len(client.pings) == 5)
    assert client.is_healthy(1)
    assert not client.goaways


@pytest.mark.parametrize("has_call", [True, False])
def test_a_client_must_not_ping_too_often(service, connect, has_call):
    """Rule 25: Two early pings are forgiven, the third is not."""
    client = connect(service.address)
    if has_call:
        # The call is not answered before the end, and only responses forgive pings.
        client.headers(1, request("BulkCreateUsers"))
    client.send(PING * 3)
    client.until(lambda: len(client.pongs) == 3)
    client.round_trip()
    assert not client.goaways
    client.send(PING)
    goaway = client.end()
    assert (goaway.error_code, bytes(goaway.additional_data)) == (ENHANCE_YOUR_CALM, b"too_many_pings")


def test_responses_forgive_pings(client):
    """Rule 25: Clients probe the bandwidth with pings (gRFC A8)."""
    for stream in range(1, 41, 2):
        client.send(PING * 3)
        assert client.is_healthy(stream)
    client.until(lambda: len(client.pongs) == 60)
    assert not client.goaways


def test_pings_that_are_far_enough_apart_are_answered(serve, connect):
    """Rule 25: They are answered with calls or without."""
    client = connect(serve(settings={"grpc.keepalive.min.time": "0s"}).address)
    for count in range(1, 101):
        client.send(PING)
        client.until(lambda: len(client.pongs) == count)
    assert not client.goaways


def test_an_idle_connection_is_ended(serve, connect):
    """Rule 26: It gets GOAWAY; a connection with a call is not idle."""
    service = serve(settings={"grpc.max.connection.idle": "300ms"})
    busy, idle = connect(service.address), connect(service.address)
    busy.headers(1, request("UserUpdates"))
    used = connect(service.address)
    assert used.is_healthy(1)
    for client in (idle, used):
        client.end()
        assert {goaway.error_code for goaway in client.goaways} == {NO_ERROR}
        assert client.goaways[0].last_stream_id == HIGHEST_STREAM
    assert busy.is_healthy(3)
    busy.send(data(1, end=True))
    assert busy.response(1).status == "0"
    busy.end()


def test_an_old_connection_is_ended_when_its_calls_are(serve, connect):
    """Rule 26: Without a grace time, its calls may take as long as they need."""
    client = connect(serve(settings={"grpc.max.connection.age": "300ms"}).address)
    client.headers(1, request("UserUpdates"))
    client.until(lambda: len(client.goaways) == 2)
    assert [goaway.last_stream_id for goaway in client.goaways] == [HIGHEST_STREAM, 1]
    client.send(data(1, end=True))
    assert client.response(1).status == "0"
    client.end()


def test_an_old_connections_grace_has_an_end(serve, connect):
    """Rule 26: Its calls are cut off, with a status."""
    service = serve(settings={"grpc.max.connection.age": "300ms", "grpc.max.connection.grace": "300ms"})
    client = connect(service.address)
    client.headers(1, request("UserUpdates"))
    assert client.end().error_code == NO_ERROR
    assert (client.stream(1).status, client.stream(1).reason) == ("14", "SHUTTING_DOWN")


@pytest.mark.parametrize("beginning", [
    b"", b"PRI", frames.PREFACE, frames.PREFACE + b"\0\0\0\4", frames.PREFACE + PING])
def test_a_preface_must_come_in_time(serve, connect, beginning):
    """Rule 26: The preface includes SETTINGS."""
    service = serve(settings={"grpc.connection.timeout": "500ms"})
    client = connect(service.address)
    late = connect(service.address, preface=False)
    late.send(beginning)
    late.end()
    assert client.is_healthy(1)


@pytest.mark.parametrize("beginning", [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", bytes(100)])
def test_another_protocol_is_turned_away(service, connect, beginning):
    """Rule 26: The server does not wait for the rest of an invalid preface."""
    client = connect(service.address, preface=False)
    client.send(beginning)
    client.end()
    assert connect(service.address).is_healthy(1)


def busy(connect, *arguments, **keywords):
    """Returns a connection with a running call."""
    client = connect(*arguments, **keywords)
    client.headers(1, request("UserUpdates"))
    client.round_trip()
    return client


def test_connections_beyond_the_limit_are_closed(serve, connect):
    """Rule 26: New connections are refused when all others have calls, and accepted again when one has ended."""
    service = serve(settings={"grpc.max.connections": 2})
    first, second = busy(connect, service.address), busy(connect, service.address)
    connect(service.address, preface=False).end()
    assert first.is_healthy(3) and second.is_healthy(3)


def test_the_longest_idle_connection_makes_room(serve, connect):
    """A connection with a call stays, and so does one used more recently. The closed client learns that it may retry.
    """
    service = serve(settings={"grpc.max.connections": 3})
    working, used, idle = busy(connect, service.address), connect(service.address), connect(service.address)
    assert used.is_healthy(1)
    new = connect(service.address)
    goaway = idle.end()
    assert (goaway.error_code, goaway.last_stream_id) == (NO_ERROR, 0)
    assert all(client.is_healthy(3) for client in (working, used, new))
    assert not used.goaways


def test_idle_connections_keep_no_client_out(serve, connect):
    """The maximum number of idle connections answers pings; later clients are served all the same."""
    service = serve(settings={"grpc.max.connections": 50})
    hoard = [connect(service.address) for _ in range(50)]
    for _ in range(100):
        assert connect(service.address).is_healthy(1)
    assert len(hoard) == 50


def test_a_network_has_its_share_of_the_connections(serve, connect):
    """Beyond its share, a network's own idle connections make room; if all have calls, it is refused. Others are
    served."""
    service = serve(settings={"grpc.max.network.connections": 2})
    first = busy(connect, service.address)
    idle = connect(service.address)
    second = busy(connect, service.address)
    assert idle.end().error_code == NO_ERROR
    connect(service.address, preface=False).end()
    assert connect(service.address, source="127.0.0.2").is_healthy(1)
    assert first.is_healthy(3) and second.is_healthy(3)


def test_refused_connections_are_counted_and_not_logged_one_by_one(serve, connect):
    """The log has one line at once, and then one per second with the count."""
    service = serve("--log-level", "info", "--metrics-listen", "127.0.0.1:0", settings={"grpc.max.connections": 1})
    only = busy(connect, service.address)
    for _ in range(300):
        connect(service.address, preface=False).end()
    assert families(service)["user_service_connections_refused"].samples[0].value == 300
    assert only.is_healthy(3)
    only.socket.close()
    code, errors = service.stop()
    counts = [int(number) for number in re.findall(r"count=(\d+) .*connections refused", errors)]
    assert code == 0 and sum(counts) == 300 and len(counts) < 100, errors
    assert counts[0] == 1
    assert "the connection limit is reached" in errors
