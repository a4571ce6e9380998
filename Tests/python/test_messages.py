"""Tests messages in DATA frames, their sizes, encodings and windows: rules 8 to 13, 17 and 18."""

import gzip
import itertools
import string
import zlib

import pytest

import frames
from frames import END_HEADERS, END_STREAM, HEADERS, PADDED, data, field, message, raw, request

# Each test runs on SQLite and on PostgreSQL.
ENGINES = ["sqlite", "postgres"]

NOBODY = message(field(1, "nobody"))


@pytest.fixture
def service(shared_service):
    return shared_service


def users(prefix, count):
    return [message(field(1, f"{prefix}{number}@example.com")) for number in range(count)]


def padded(stream, payload, padding, end=False):
    flags = PADDED | (END_STREAM if end else 0)
    return raw(frames.DATA, flags, stream, bytes([padding]) + payload + bytes(padding))


@pytest.mark.parametrize("name,split", [
    ("bytes", lambda body: [data(1, bytes([byte])) for byte in body]),
    ("one", lambda body: [data(1, body)]),
    ("halves", lambda body: [data(1, body[:7]), data(1, body[7:])]),
    ("empty", lambda body: [data(1), data(1, body[:2]), data(1), data(1), data(1, body[2:]), data(1)]),
    ("padded", lambda body: [padded(1, body[:3], 0), padded(1, b"", 255), padded(1, body[3:], 255)]),
    ("other", lambda body: [raw(0x42, 0xFF, 1, b"?"), data(1, body), raw(frames.PRIORITY, 0, 1, bytes(5))]),
])
def test_frames_and_messages_have_no_common_bounds(client, pb, name, split):
    """Rule 8: The messages may be cut into frames anywhere."""
    client.headers(1, request("BulkCreateUsers"))
    client.send(*split(b"".join(users(name, 3))), data(1, end=True))
    response = client.response(1)
    assert response.status == "0"
    assert pb.BulkCreateResponse.FromString(response.messages[0][1]).created_count == 3


def test_bytes_may_come_one_by_one(service, connect):
    """Rule 8: Frames and TCP segments have no common bounds either."""
    client = connect(service.address, preface=False)
    everything = [
        frames.PREFACE, frames.settings(), client.header_frame(1, request("GetUser")),
        padded(1, NOBODY, 3, end=True)]
    for byte in b"".join(everything):
        client.send(bytes([byte]))
    assert client.response(1).status == "5"


def test_header_blocks_may_be_padded_and_continued(client):
    """Rule 8: RFC 9113 section 6.2 allows padding, and the priority that older clients send."""
    block = client.block(request("GetUser"))
    first = b"\x05" + bytes(5) + block[:20] + bytes(5)
    client.send(
        raw(HEADERS, PADDED | 0x20, 1, first), raw(frames.CONTINUATION, 0, 1, block[20:30]),
        raw(frames.CONTINUATION, END_HEADERS, 1, block[30:]), data(1, NOBODY, end=True))
    assert client.response(1).status == "5"


def test_a_stream_of_many_small_frames_is_no_flood(client, pb):
    """Rule 8: A frame for each of 20,000 messages is an ordinary call."""
    client.headers(1, request("BulkCreateUsers"))
    rows = users("small", 20_000)
    for row in rows:
        client.upload(1, row, end=False)
    client.send(data(1, end=True))
    response = client.response(1)
    assert response.status == "0"
    assert pb.BulkCreateResponse.FromString(response.messages[0][1]).created_count == 20_000


@pytest.mark.parametrize("length", [4 * 1_024 * 1_024 + 1, 2**32 - 1])
@pytest.mark.parametrize("method", ["GetUser", "BulkCreateUsers", "UserUpdates"])
def test_a_message_over_the_limit_is_refused_by_its_prefix(client, method, length):
    """Rule 9: The status is RESOURCE_EXHAUSTED at once, before the body has been sent."""
    client.headers(1, request(method))
    client.send(data(1, b"\0" + length.to_bytes(4, "big")))
    assert client.response(1).status == "8"
    assert client.is_healthy(3)


def test_the_limit_is_a_messages_largest_size(serve, connect):
    """Rule 9: A message of exactly this size is served."""
    client = connect(serve(settings={"grpc.max.recv.msg.size": 100}).address)
    assert client.call(1, request("GetUser"), message(field(1, "x" * 98))).status == "5"
    assert client.call(3, request("GetUser"), message(field(1, "x" * 99))).status == "8"


@pytest.mark.parametrize("body", [b"\0", b"\0\0\0\0", b"\0\0\0\0\5", b"\0\0\0\0\5ab"])
@pytest.mark.parametrize("method", ["GetUser", "ListUsers", "BulkCreateUsers", "UserUpdates"])
def test_a_truncated_request_is_an_error(client, method, body):
    """Rule 10: END_STREAM cuts off a prefix or a message."""
    assert client.call(1, request(method), body).status == "13"
    assert client.is_healthy(3)


@pytest.mark.parametrize("payload", [b"\xff", b"\x0a\xff", b"\x0a\x05a", b"\x0a\x02\xc3\x28"])
def test_an_undecodable_request_is_internal(client, payload):
    """Rule 11: The status is INTERNAL, also for invalid UTF-8."""
    assert client.call(1, request("GetUser"), message(payload)).status == "13"


@pytest.mark.parametrize("encoding", ["snappy", "br", "GZIP", "x" * 1_000])
def test_an_unknown_encoding_is_unimplemented(client, encoding):
    """Rule 12: The response names the supported encodings."""
    response = client.call(1, request("GetUser", grpc_encoding=encoding), message(b"?", flag=1))
    assert response.status == "12"
    assert set(response.headers["grpc-accept-encoding"].split(",")) == {"identity", "deflate", "gzip"}


@pytest.mark.parametrize("headers", [{}, {"grpc_encoding": "identity"}])
def test_a_compressed_message_without_an_encoding_is_internal(client, headers):
    """Rule 12: Without an encoding the message cannot be inflated."""
    assert client.call(1, request("GetUser", **headers), message(gzip.compress(b""), flag=1)).status == "13"


@pytest.mark.parametrize("flag", [2, 3, 0x80, 0xFF])
def test_reserved_flags_are_an_error(client, flag):
    """Rule 12: They are an error even in a call with an encoding."""
    assert client.call(1, request("GetUser", grpc_encoding="gzip"), message(flag=flag)).status == "13"


def compress(encoding, payload):
    return {"gzip": gzip.compress, "deflate": zlib.compress}[encoding](payload)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_compressed_requests_are_served(client, encoding):
    """Rule 13: Each message is compressed separately, and some may be uncompressed."""
    headers = request("GetUser", grpc_encoding=encoding)
    assert client.call(1, headers, message(compress(encoding, NOBODY[5:]), flag=1)).status == "5"
    assert client.call(3, headers, NOBODY).status == "5"
    rows = [message(compress(encoding, row[5:]), flag=1) for row in users(encoding, 3)]
    assert client.call(5, request("BulkCreateUsers", grpc_encoding=encoding), b"".join(rows)).status == "0"


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("spoil", [
    lambda body: b"", lambda body: b"?", lambda body: body[:-1], lambda body: body + b"?",
    lambda body: body[:8] + b"????" + body[12:]], ids=["empty", "short", "cut", "long", "garbage"])
def test_a_message_that_cannot_be_inflated_is_internal(client, encoding, spoil):
    """Rule 13: The payload is garbage, or not exactly one whole message."""
    body = message(spoil(compress(encoding, NOBODY[5:] * 20)), flag=1)
    assert client.call(1, request("GetUser", grpc_encoding=encoding), body).status == "13"
    assert client.is_healthy(3)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_the_limit_holds_while_a_message_is_inflated(client, encoding):
    """Rule 13: A decompression bomb is RESOURCE_EXHAUSTED."""
    bomb = compress(encoding, bytes(50 << 20))
    assert client.call(1, request("GetUser", grpc_encoding=encoding), message(bomb, flag=1)).status == "8"
    assert client.is_healthy(3)


def test_a_hundred_bombs_at_once_take_no_memory(serve, connect):
    """Rule 13: A refused call does not keep memory either."""
    service = serve()
    client = connect(service.address)
    body = message(gzip.compress(bytes(5 << 20)), flag=1)
    client.call(1, request("GetUser", grpc_encoding="gzip"), body)
    before = service.memory
    for stream in range(3, 203, 2):
        client.headers(stream, request("GetUser", grpc_encoding="gzip"))
        client.upload(stream, body)
    assert all(client.response(stream).status == "8" for stream in range(3, 203, 2))
    assert service.memory - before < 16 << 20


@pytest.mark.parametrize("configured,accepted,expected", [
    ("identity", "gzip,deflate", None), ("gzip", None, None), ("gzip", "identity", None),
    ("gzip", "deflate", None), ("gzip", "identity,deflate, gzip", "gzip"), ("gzip", "gzip", "gzip"),
    ("deflate", "gzip,deflate", "deflate")])
def test_responses_are_compressed_for_those_who_accept_it(serve, connect, pb, configured, accepted, expected):
    """Rule 13: Responses are compressed only if the setting allows it."""
    settings = {"grpc.compression": configured, "grpc.compression.min.size": 100}
    client = connect(serve(settings=settings).address)
    body = message(field(1, "ada@example.com") + field(2, "A" * 100))
    response = client.call(1, request("CreateUser", grpc_accept_encoding=accepted), body)
    assert response.headers.get("grpc-encoding") in (expected, None if expected else "identity")
    (flag, payload), = response.messages
    assert flag == bool(expected)
    if expected:
        payload = {"gzip": gzip.decompress, "deflate": zlib.decompress}[expected](payload)
    assert pb.User.FromString(payload).name == "A" * 100


@pytest.mark.parametrize("name,is_compressed", [("A" * 256, False), ("\N{GRINNING FACE}" * 256, True)])
def test_responses_are_compressed_from_a_length_on(serve, connect, pb, name, is_compressed):
    """Rule 13: The default length is 1,024 bytes."""
    client = connect(serve(settings={"grpc.compression": "gzip"}).address)
    body = message(pb.CreateUserRequest(email="ada@example.com", name=name).SerializeToString())
    (flag, payload), = client.call(1, request("CreateUser", grpc_accept_encoding="gzip"), body).messages
    assert flag == is_compressed
    assert pb.User.FromString(gzip.decompress(payload) if flag else payload).name == name


def test_a_response_that_compression_does_not_make_smaller_goes_as_it_is(serve, connect, pb):
    """Rule 13: The small messages of a page beside a large one stay uncompressed too."""
    client = connect(serve(settings={"grpc.compression": "gzip", "grpc.compression.min.size": 1}).address)
    # A name of 64 different letters does not compress, whatever id and time are beside it.
    names = ["", (string.ascii_letters + string.digits + "-_")[::-1], "A" * 200]
    for number, name in enumerate(names):
        body = message(pb.CreateUserRequest(email=f"{number}@example.com", name=name).SerializeToString())
        assert client.call(1 + 2 * number, request("CreateUser"), body).status == "0"
    listing = client.call(7, request("ListUsers", grpc_accept_encoding="gzip")).messages
    assert [flag for flag, _ in listing] == [0, 0, 1]
    users = [pb.User.FromString(gzip.decompress(payload) if flag else payload) for flag, payload in listing]
    assert [user.name for user in users] == names


def fill(service, count):
    with frames.Client(service.address) as client:
        assert client.call(1, request("BulkCreateUsers"), b"".join(users("user", count))).status == "0"


LISTING = message(b"\x08\xe8\x07")


@pytest.mark.parametrize("window", [0, 1, 1_000, 50_000])
def test_the_windows_of_the_peer_hold(serve, connect, pb, window):
    """Rule 17: The server fills the stream's window, and then each increment."""
    service = serve()
    fill(service, 1_000)
    client = connect(service.address, window=window)
    client.send(client.header_frame(1, request("ListUsers")), data(1, LISTING, end=True))
    for size in (window, window + 500):
        client.until(lambda: client.stream(1).blocks and len(client.stream(1).body) == size)
        client.round_trip()
        assert len(client.stream(1).body) == size
        client.send(frames.window_update(1, 500))
    client.send(frames.window_update(1, 1_000_000), frames.window_update(0, 1_000_000))
    assert client.response(1).status == "0"
    assert len(client.stream(1).messages) == 1_000


def test_a_window_may_become_negative(serve, connect, pb):
    """Rule 17: The client lowers the window by SETTINGS (RFC 9113 section 6.9.2)."""
    service = serve()
    fill(service, 1_000)
    client = connect(service.address, window=10_000)
    client.send(client.header_frame(1, request("ListUsers")), data(1, LISTING, end=True))
    client.until(lambda: len(client.stream(1).body) == 10_000)
    client.send(frames.settings({frames.INITIAL_WINDOW_SIZE: 0}), frames.window_update(1, 10_000))
    client.round_trip()
    assert len(client.stream(1).body) == 10_000
    client.send(frames.window_update(1, 1))
    client.until(lambda: len(client.stream(1).body) == 10_001)


@pytest.mark.engines("sqlite")
def test_a_stalled_listing_takes_no_memory(serve, connect):
    """Rule 17: 100,000 rows stay in the database until the client reads."""
    service = serve()
    fill(service, 100_000)

    def stall():
        client = connect(service.address, window=65_535)
        for stream in range(1, 9, 2):
            client.send(client.header_frame(stream, request("ListUsers")), data(stream, LISTING, end=True))
        client.until(lambda: sum(len(one.body) for one in client.streams.values()) == 65_535)
        # Each of these calls takes its turn after the listings.
        assert all(client.is_healthy(stream) for stream in range(9, 209, 2))

    stall()
    before = service.memory
    stall()
    assert service.memory - before < 1 << 20


def test_the_window_of_an_upload_waits_for_its_handler(service, connect, pb):
    """Rule 18: A handler whose responses are not read reads no more requests."""
    other = connect(service.address)
    body = message(field(1, "upload@example.com"))
    user = pb.User.FromString(other.call(1, request("CreateUser"), body).messages[0][1])
    client = connect(service.address, window=0)
    client.headers(1, request("UserUpdates"))
    update = message(pb.UserUpdateRequest(user_id=user.id, name="x" * 256).SerializeToString())
    sent, idle, streams = 0, 0, itertools.count(3, 2)
    while idle < 100:
        if client.room(1) >= len(update):
            client.upload(1, update, end=False)
            sent, idle = sent + 1, 0
            assert sent * len(update) < 1 << 20
        else:
            # Writes run in order, so each of these gives the handler time for one.
            number = next(streams)
            body = message(field(1, f"writer{number}@example.com"))
            assert other.call(number, request("CreateUser"), body).status == "0"
            client.round_trip()
            idle += 1
    client.send(frames.window_update(1, 10_000_000), frames.window_update(0, 10_000_000), data(1, end=True))
    assert client.response(1).status == "0"
    assert len(client.stream(1).messages) == sent
