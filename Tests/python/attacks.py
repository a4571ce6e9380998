"""Defines attacks on the service.

Each attack takes a newly connected `frames.Client`. It returns the last GOAWAY once the server has closed the
connection, or None if the server only ended the calls and the connection serves others.
"""

import itertools
import select

import frames
from frames import (
    ACK,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PADDED,
    data,
    field,
    message,
    raw,
    request,
    reset,
    window_update,
)

ATTACKS = {}
# The limits end slow attackers soon. No other client is so slow.
SETTINGS = {
    "grpc.receive.timeout": "500ms", "grpc.send.timeout": "500ms", "grpc.connection.timeout": "500ms",
    "grpc.keepalive.time": "500ms", "grpc.keepalive.timeout": "500ms",
}
# The count exceeds any forgiven burst, plus the allowance per second.
MANY = 4_000


def attack(rule, **connection):
    """Adds the function to ATTACKS. `connection` has arguments of `frames.Client`."""

    def add(function):
        ATTACKS[f"{rule}-{function.__name__}"] = (function, connection)
        return function

    return add


def odd(count=MANY):
    return range(1, count * 2, 2)


def repeat(*frame, count=MANY):
    """Repeats the same bytes, a few at a time."""
    chunk = b"".join(frame) * 20
    return itertools.repeat(chunk, count // 20)


def on_streams(client, headers, *rest, end=False):
    """Yields HEADERS, and the frames that `rest` makes for the id, for each of many streams."""
    for stream in odd():
        yield client.header_frame(stream, headers, end) + b"".join(one(stream) for one in rest)


@attack(6)
def hpack_bomb(client):
    """Sends a field of 4,000 bytes, and then one-byte references to it."""
    client.send(client.header_frame(1, request("GetUser", ("x", "x" * 3_900)), end=True))
    entry = bytes([0x80 | 62])
    return client.flood([raw(HEADERS, END_HEADERS | END_STREAM, 3, entry * 15_000)])


@attack(27)
def rapid_reset(client):
    return client.flood(on_streams(client, request("GetUser"), reset))


@attack(27)
def rapid_reset_of_whole_requests(client):
    return client.flood(on_streams(client, request("ListUsers"), lambda id: data(id, message(), True), reset))


@attack(28)
def made_to_reset_by_window_overflow(client):
    client.send(frames.settings({frames.INITIAL_WINDOW_SIZE: 1_000}))
    return client.flood(on_streams(client, request("UserUpdates"), lambda id: window_update(id, 2**31 - 1)))


@attack(28)
def made_to_reset_by_content_length(client):
    headers = request("UserUpdates", content_length="1")
    return client.flood(on_streams(client, headers, lambda id: data(id, b"too long", True)))


@attack(28)
def made_to_reset_by_malformed_headers(client):
    return client.flood(on_streams(client, request("GetUser", ("connection", "close"))))


@attack(28)
def made_to_refuse(client):
    return client.flood(on_streams(client, request("UserUpdates")))


@attack(28)
def made_to_reset_without_reading(client):
    """Fills the server's queue with responses, not the socket's."""
    for chunk in on_streams(client, request("GetUser", ("connection", "close"))):
        client.send(chunk)
    return client.end()


@attack(29)
def continuations(client):
    first = raw(HEADERS, 0, 1, client.block(request("GetUser")))
    return client.flood([first, *repeat(raw(frames.CONTINUATION, 0, 1, client.block([("x", "y")])))])


@attack(29)
def empty_continuations(client):
    block = client.block(request("GetUser"))
    return client.flood([raw(HEADERS, 0, 1, block), *repeat(raw(frames.CONTINUATION, 0, 1))])


@attack(29)
def empty_data(client):
    client.headers(1, request("UserUpdates"))
    return client.flood(repeat(data(1)))


@attack(29)
def padding_without_data(client):
    """Sends DATA frames that have bytes but no data."""
    client.headers(1, request("UserUpdates"))
    return client.flood(repeat(raw(frames.DATA, PADDED, 1, b"\0")))


@attack(29)
def settings(client):
    return client.flood(repeat(frames.settings({frames.INITIAL_WINDOW_SIZE: 100})))


@attack(29)
def empty_settings(client):
    return client.flood(repeat(frames.settings()))


@attack(29)
def settings_acknowledgements(client):
    return client.flood(repeat(raw(frames.SETTINGS, ACK)))


@attack(29)
def long_settings(client):
    return client.flood([raw(frames.SETTINGS, payload=bytes([0, 0x42, 0, 0, 0, 1]) * 2_000)])


@attack(29)
def priorities(client):
    return client.flood(repeat(raw(frames.PRIORITY, 0, 3, bytes(5))))


@attack(29, window=65_535)
def window_updates_of_the_connection(client):
    return client.flood(repeat(window_update(0, 1)))


@attack(29, window=65_535)
def window_updates_of_a_stream(client):
    client.headers(1, request("UserUpdates"))
    return client.flood(repeat(window_update(1, 1)))


@attack(29)
def unknown_frames(client):
    return client.flood(repeat(raw(0x42, 0, 0, b"?")))


@attack(29)
def priority_updates(client):
    return client.flood(repeat(raw(0x10, 0, 0, bytes([0, 0, 0, 1]) + b"u=1")))


@attack(29)
def resets_of_an_old_stream(client):
    client.headers(1, request("UserUpdates"))
    return client.flood(repeat(reset(1)))


@attack(29)
def pings(client):
    return client.flood(repeat(raw(frames.PING, 0, 0, bytes(8))))


@attack(29)
def pings_between_calls(client):
    """Sends more pings than responses forgive."""
    calls = on_streams(client, request("GetUser"), lambda id: data(id, message(), True))
    return client.flood(call + raw(frames.PING, 0, 0, bytes(8)) * 5 for call in calls)


@attack(29)
def ping_acknowledgements(client):
    return client.flood(repeat(raw(frames.PING, ACK, 0, bytes(8))))


def drip(client, payload):
    """Sends a byte now and then until the server closes the connection."""
    for byte in payload:
        try:
            client.send(bytes([byte]))
        except ConnectionError:
            break
        if select.select([client.socket], [], [], 0.05)[0]:
            client.receive()
        if client.ended:
            break
    return client.end()


@attack(30)
def slow_frame_header(client):
    client.send(b"\0\0\x08\x06")
    return client.end()


@attack(30)
def slow_headers(client):
    client.send(raw(HEADERS, 0, 1, client.block(request("GetUser"))))
    return client.end()


@attack(30)
def dripping_headers(client):
    return drip(client, client.header_frame(1, request("GetUser", ("x", "x" * 1_000))))


def outlived(client, streams, status):
    """Returns once the server has ended the calls, and nothing else."""
    for stream in streams:
        assert client.response(stream).status == status
    assert client.is_healthy(max(streams) + 2)


@attack(30)
def slow_unary_body(client):
    client.headers(1, request("GetUser"))
    client.send(data(1, message(field(1, "nobody"))[:-1]))
    outlived(client, [1], "4")


@attack(30)
def endless_unary_request(client):
    """Sends a complete message, but never END_STREAM."""
    client.headers(1, request("GetUser"))
    client.send(data(1, message(field(1, "nobody"))))
    outlived(client, [1], "4")


@attack(30)
def headers_without_a_request(client):
    client.headers(1, request("CreateUser"))
    outlived(client, [1], "4")


@attack(30)
def slow_message_of_a_stream(client):
    client.headers(1, request("UserUpdates"))
    client.send(data(1, message(field(1, "nobody"))[:3]))
    outlived(client, [1], "4")


@attack(30)
def dripping_body(client):
    client.headers(1, request("UserUpdates"))
    for byte in message(b"x" * 1_000):
        client.send(data(1, bytes([byte])))
        if select.select([client.socket], [], [], 0.05)[0]:
            client.receive()
        if client.stream(1).is_over:
            break
    outlived(client, [1], "4")


@attack(30)
def slow_uploads(client):
    """Sends incomplete messages on the maximum number of streams."""
    for stream in odd(90):
        client.headers(stream, request("CreateUser"))
        client.send(data(stream, b"\0\0\0\x1f\x40" + bytes(4_000)))
    outlived(client, odd(90), "4")


@attack(30, preface=False)
def no_preface(client):
    return client.end()


@attack(30, preface=False)
def slow_preface(client):
    return drip(client, frames.PREFACE + b"\0" * 1_000)


@attack(30, preface=False)
def no_settings(client):
    client.send(frames.PREFACE)
    return client.end()


@attack(30, window=0)
def shut_windows(client):
    for stream in odd(90):
        client.send(client.header_frame(stream, request("ListUsers")), data(stream, message(), True))
    outlived(client, odd(90), None)
    assert {client.stream(stream).reset for stream in odd(90)} == {frames.CANCEL}


@attack(30, acknowledges=False)
def half_open(client):
    """Never answers the server's pings."""
    client.headers(1, request("UserUpdates"))
    return client.end()
