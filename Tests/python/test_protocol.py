"""Tests what a call owes on the wire, frame by frame: rules 1 to 7, 14 to 16, 19, 20, 23 and 24."""

import base64
import contextlib

import hpack
import pytest

import frames
from frames import (
    CANCEL,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    MAX_CONCURRENT_STREAMS,
    NO_ERROR,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    STREAM_CLOSED,
    field,
    message,
    raw,
    request,
)

NOBODY = message(field(1, "nobody"))


@pytest.fixture
def service(shared_service):
    return shared_service


@pytest.mark.parametrize("content_type", [
    None, "", "text/html", "application/json", "application/grpcx", "application/grp"])
def test_another_content_type_is_415(client, content_type):
    """Rule 1: A request that is not gRPC gets a response in plain HTTP."""
    response = client.call(1, request("GetUser", content_type=content_type))
    assert response.headers[":status"] == "415"
    assert response.status is None
    assert response.body
    assert client.is_healthy(3)


def test_an_answer_in_http_waits_for_the_requests_end(client):
    """Rule 1: A client that is still sending would be cut off, and would often lose the response."""
    client.headers(1, request("GetUser", content_type="text/html"))
    client.send(frames.data(1, b"x" * 10_000), frames.data(1))
    client.round_trip()
    client.send(frames.data(1, end=True))
    response = client.response(1)
    assert (response.headers[":status"], response.ended, response.reset) == ("415", True, None)


@pytest.mark.parametrize("content_type", [
    "application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8", "application/grpc+x;y=z"])
def test_grpc_content_types_are_served(client, content_type):
    """Rule 1: Subtypes and parameters make no difference."""
    response = client.call(1, request("GetUser", content_type=content_type), NOBODY)
    assert (response.headers[":status"], response.status) == ("200", "5")
    assert response.headers["content-type"].startswith("application/grpc")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "post", "HEAD"])
def test_another_method_is_405(client, method):
    """Rule 2: The response names the allowed method. Responses to HEAD have no body (RFC 9110 section 9.3.2)."""
    client.headers(1, request("GetUser", method=method), end=True)
    response = client.response(1)
    assert (response.headers[":status"], response.headers["allow"]) == ("405", "POST")
    assert bool(response.body) == (method != "HEAD")
    assert response.status is None
    assert client.is_healthy(3)


@pytest.mark.parametrize("timeout", [
    "-1S", "-99999999n", "1", "S", "1x", "999999999S", "+1S", "1.5S", "", "1 S", "1SS", "0x1S"])
def test_a_malformed_timeout_is_400(client, timeout):
    """Rule 2: The gRPC status is INTERNAL."""
    response = client.call(1, request("GetUser", grpc_timeout=timeout))
    assert (response.headers[":status"], response.status) == ("400", "13")
    assert client.is_healthy(3)


@pytest.mark.parametrize("value", ["!", "A", "AAAAA", "====", "AA=A", "AAEC,!", "\u00e9"])
def test_malformed_binary_metadata_is_400(client, value):
    """Rule 2: The gRPC status is INTERNAL."""
    response = client.call(1, request("GetUser", ("x-bin", value)))
    assert (response.headers[":status"], response.status) == ("400", "13")
    assert client.is_healthy(3)


@pytest.mark.parametrize("path", [
    "/user.v1.UserService/getUser", "/user.v1.userservice/GetUser", "/user.v1.UserService/GetUser/",
    "/user.v1.UserService/GetUser?a=b", "/user.v1.UserService/EraseUser", "/user.v1.UserService/",
    "/user.v1.UserService", "/GetUser", "//user.v1.UserService/GetUser", "/",
    "/%75ser.v1.UserService/GetUser"])
def test_paths_are_exact(client, path):
    """Rule 3: Any path other than a method's own is UNIMPLEMENTED."""
    response = client.call(1, request("GetUser", path=path))
    assert (response.headers[":status"], response.status) == ("200", "12")
    assert client.is_healthy(3)


@pytest.mark.parametrize("timeout", [
    "1H", "99999999H", "99999999M", "99999999S", "99999999m", "99999999u", "00000060S"])
def test_a_far_deadline_is_no_overflow(client, timeout):
    """Rule 4: A time-out has one to eight digits and a unit."""
    assert client.call(1, request("GetUser", grpc_timeout=timeout)).status == "3"


@pytest.mark.parametrize("value", [
    "AAEC", "AAE=", "AAE", "AA==", "AA", "", "AAEC,AAE=,AA", "AAEC, AA", ",", "+/+/"])
def test_binary_metadata_is_accepted(client, value):
    """Rule 5: Values may be padded or not, and several values may be joined."""
    assert client.call(1, request("GetUser", ("x-bin", value))).status == "3"


@pytest.mark.parametrize("name,value", [
    ("x", ""), ("x", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"), ("x", "a  b\tc"), ("x", "\u00e9"), ("_.-0", "x"),
    ("grpc-custom", "x"), ("grpc-previous-rpc-attempts", "1"), ("user-agent", ""), ("authorization", "%")])
def test_odd_metadata_is_no_error(client, name, value):
    """Rule 5: Every value that HTTP allows is accepted."""
    assert client.call(1, request("GetUser", (name, value), (name, value))).status == "3"


def test_binary_metadata_is_sent_without_padding(client):
    """Rule 5: grpc-status-details-bin has no padding."""
    for stream in (1, 3, 5):
        # Of three lengths, at least one would be padded.
        response = client.call(stream, request("GetUser"), message(field(1, "x" * stream)))
        details = response.trailers["grpc-status-details-bin"]
        assert base64.b64decode(details + "=" * (-len(details) % 4))
        assert "=" not in details


def header_list_size(headers):
    return sum(len(name) + len(value) + 32 for name, value in headers)


@pytest.mark.parametrize("excess,status", [(0, "3"), (1, "8"), (50_000, "8")])
def test_the_header_list_has_a_limit(service, connect, excess, status):
    """Rule 6: The limit is 8 KiB. A larger list is refused, and the connection and its HPACK tables stay usable."""
    client = connect(service.address)
    room = 8_192 - header_list_size(request("GetUser", ("x-large", "")))
    large = hpack.NeverIndexedHeaderTuple("x-large", "x" * (room + excess))
    # The large field precedes the rest, so that the next request refers to fields beyond the limit.
    fields = request("GetUser")
    block = client.block([*fields[:4], large, *fields[4:]])
    pieces = [block[start:start + 16_384] for start in range(0, len(block), 16_384)]
    client.send(
        raw(HEADERS, 0, 1, pieces[0]),
        *(raw(frames.CONTINUATION, 0, 1, piece) for piece in pieces[1:]),
        raw(frames.CONTINUATION, END_HEADERS, 1), frames.data(1, message(), end=True))
    assert client.response(1).status == status
    assert client.is_healthy(3)


def test_many_small_headers_count_in_full(client):
    """Rule 6: Each counts its overhead of 32 bytes, even when HPACK encodes it in one byte."""
    response = client.call(1, request("GetUser", *[("x", "")] * 300))
    assert response.status == "8"
    assert client.is_healthy(3)


def test_a_client_may_keep_no_table(client):
    """Rule 6: The server's HPACK encoder uses no table when the client asks for none."""
    client.send(frames.settings({frames.HEADER_TABLE_SIZE: 0}))
    client.round_trip()
    client.decoder.max_allowed_table_size = 0
    assert all(client.is_healthy(stream) for stream in (1, 3, 5))


@pytest.mark.parametrize("method", ["GetUser", "CreateUser", "ListUsers"])
def test_a_call_without_its_message(client, method):
    """Rule 7: END_STREAM on HEADERS is UNIMPLEMENTED for a method with one message."""
    client.headers(1, request(method), end=True)
    assert client.response(1).status == "12"


@pytest.mark.parametrize("method", ["BulkCreateUsers", "UserUpdates"])
def test_a_stream_without_messages(client, method):
    """Rule 7: END_STREAM on HEADERS ends a client's stream like any other."""
    client.headers(1, request(method), end=True)
    assert client.response(1).status == "0"


@pytest.mark.parametrize("end", [True, False])
@pytest.mark.parametrize("method", ["GetUser", "ListUsers"])
def test_a_call_with_two_messages(client, method, end):
    """Rule 7: The status is UNIMPLEMENTED, whether the client is half-closed or not."""
    client.headers(1, request(method))
    client.send(frames.data(1, message() + message(), end=end))
    assert client.response(1).status == "12"
    assert client.is_healthy(3)


def test_request_trailers_end_the_request(client):
    """Rule 7: Request trailers end the request like END_STREAM on DATA."""
    client.headers(1, request("GetUser"))
    client.send(frames.data(1, NOBODY), client.header_frame(1, [("x", "y")], end=True))
    assert client.response(1).status == "5"
    assert client.is_healthy(3)


def test_a_response_is_headers_messages_and_trailers(client, pb):
    """Rule 14: The status is in the trailers, even when it is OK."""
    response = client.call(1, request("CreateUser"), message(field(1, "ada@example.com")))
    assert len(response.blocks) == 2
    assert response.headers[":status"] == "200"
    assert "grpc-status" not in response.headers
    assert response.trailers["grpc-status"] == "0"
    assert ":status" not in response.trailers
    (flag, payload), = response.messages
    assert (flag, pb.User.FromString(payload).email) == (0, "ada@example.com")


def test_the_status_message_is_percent_encoded(client):
    """Rule 14: All characters except printable ASCII are encoded, and so is the percent sign."""
    response = client.call(1, request("GetUser"), message(b"\x0a\x05n\xc3\xa9%\x7f"))
    assert response.trailers["grpc-message"] == "User n%C3%A9%25%7F not found"


@pytest.mark.parametrize("method,status", [("GetUser", "3"), ("Nothing", "12")])
def test_an_immediate_error_is_trailers_only(client, method, status):
    """Rule 15: The response has one header block, and no message."""
    response = client.call(1, request(method))
    assert (len(response.blocks), response.body, response.status) == (1, b"", status)
    assert response.headers[":status"] == "200"
    assert response.headers["content-type"].startswith("application/grpc")


@pytest.mark.parametrize("headers", [request("Nothing"), request("GetUser", grpc_timeout="x")])
def test_an_answer_before_the_requests_end_tells_to_stop(client, headers):
    """Rule 16: RST_STREAM(NO_ERROR) follows; DATA still in flight is not an error."""
    client.headers(1, headers)
    client.until(lambda: client.stream(1).reset is not None)
    assert (client.stream(1).ended, client.stream(1).reset) == (True, NO_ERROR)
    client.send(frames.data(1, b"x" * 10_000), frames.data(1, end=True))
    assert client.is_healthy(3)


def test_a_complete_request_is_not_reset(client):
    """Rule 16: Only a request that the client has not ended is reset."""
    client.call(1, request("GetUser"))
    client.round_trip()
    assert client.stream(1).reset is None


@pytest.mark.parametrize("method", ["UserUpdates", "BulkCreateUsers", "GetUser", "ListUsers"])
@pytest.mark.parametrize("timeout", ["200m", "0S", "1n"])
def test_the_server_enforces_deadlines(client, method, timeout):
    """Rule 19: The client leaves the call open."""
    client.headers(1, request(method, grpc_timeout=timeout))
    response = client.response(1)
    assert response.status == "4" or response.reset == CANCEL
    assert client.is_healthy(3)


def test_a_deadline_holds_for_a_response_that_is_not_read(service, connect):
    """Rule 19: The stream is reset with CANCEL, because the status cannot overtake the messages."""
    client = connect(service.address, window=0)
    body = message(field(1, "unread@example.com"))
    assert client.call(1, request("CreateUser", grpc_timeout="300m"), body).reset == CANCEL
    assert client.is_healthy(3)


@pytest.mark.parametrize("step", [2, 128, 2_048])
def test_every_call_of_many_is_found(serve, connect, step):
    """The calls of one connection are told apart, whatever the ids of their streams have in common."""
    # The calls wait for the disk together, each with a task: more than the default memory of a connection.
    limits = {"grpc.max.concurrent.streams": 400, "grpc.max.connection.memory": 64 << 20}
    client = connect(serve(settings=limits).address)
    streams = [1 + step * number for number in range(300)]
    client.send(*(client.header_frame(stream, request("CreateUser")) for stream in streams))
    # The bodies arrive in another order than the headers.
    for stream in reversed(streams):
        client.send(frames.data(stream, message(field(1, f"u{stream}@example.com")), end=True))
    for stream in streams:
        response = client.response(stream)
        assert response.status == "0"
        assert f"u{stream}@example.com".encode() in response.messages[0][1]


@pytest.mark.parametrize("loses", [False, True])
def test_a_call_ends_with_its_stream_or_connection(serve, connect, loses):
    """Rule 20: Its handler is cancelled, so it no longer counts as a running call."""
    service = serve(settings={"grpc.max.concurrent.streams": 10})
    client = connect(service.address)
    for stream in range(1, 21, 2):
        client.headers(stream, request("UserUpdates"))
    client.round_trip()
    if loses:
        client.socket.close()
    else:
        client.send(*(frames.reset(stream) for stream in range(1, 21, 2)))
        client.round_trip()
        assert all(client.call(stream, request("GetUser")).status == "3" for stream in range(21, 41, 2))
    # The default grace time is 30 s: a running call would delay the exit.
    service.process.terminate()
    assert service.process.wait(timeout=20) == 0


@pytest.mark.parametrize("acknowledges", [True, False])
def test_streams_beyond_the_limit_are_refused(serve, connect, acknowledges):
    """Rule 23: Only those are refused, whether the client has acknowledged SETTINGS or not."""
    client = connect(serve(settings={"grpc.max.concurrent.streams": 10}).address, acknowledges=acknowledges)
    for stream in range(1, 641, 2):
        client.headers(stream, request("UserUpdates", ("x-request", str(stream))))
    client.until(lambda: sum(one.is_over for one in client.streams.values()) == 310)
    assert client.settings[MAX_CONCURRENT_STREAMS] == 10
    assert {client.stream(stream).reset for stream in range(21, 641, 2)} == {REFUSED_STREAM}
    assert not any(client.stream(stream).is_over for stream in range(1, 21, 2))
    client.send(frames.data(1, end=True))
    assert client.response(1).status == "0"
    assert client.is_healthy(641)


def test_a_lower_stream_id_is_a_connection_error(client):
    """Rule 24: Stream ids must ascend (RFC 9113 section 5.1.1)."""
    client.headers(5, request("UserUpdates"))
    client.headers(3, request("UserUpdates"))
    assert client.end().error_code == PROTOCOL_ERROR


@pytest.mark.parametrize("frame,codes", [
    (raw(HEADERS, END_HEADERS | END_STREAM, 2, b"\x82"), {PROTOCOL_ERROR}),
    (raw(HEADERS, END_HEADERS | END_STREAM, 0, b"\x82"), {PROTOCOL_ERROR}),
    (frames.data(0, b"x"), {PROTOCOL_ERROR}),
    (frames.data(7, b"x"), {PROTOCOL_ERROR, STREAM_CLOSED}),
    (frames.data(1, b"x"), {STREAM_CLOSED}),
    (frames.reset(7), {PROTOCOL_ERROR}),
    (frames.window_update(7, 1), {PROTOCOL_ERROR}),
    (frames.window_update(0, 0), {PROTOCOL_ERROR}),
    (frames.window_update(0, 2**31 - 1), {frames.FLOW_CONTROL_ERROR}),
    (raw(frames.SETTINGS, 0, 1), {PROTOCOL_ERROR}),
    (raw(frames.SETTINGS, 0, 0, b"x"), {0x6}),
    (frames.settings({frames.INITIAL_WINDOW_SIZE: 2**31}), {frames.FLOW_CONTROL_ERROR}),
    (raw(frames.PING, 0, 0, b"x"), {0x6}),
    (raw(frames.PING, 0, 1, bytes(8)), {PROTOCOL_ERROR}),
    (raw(frames.PUSH_PROMISE, END_HEADERS, 1, bytes(4)), {PROTOCOL_ERROR}),
    (raw(frames.CONTINUATION, END_HEADERS, 1), {PROTOCOL_ERROR}),
    (raw(HEADERS, END_HEADERS, 7, b"\xff\xff\xff\xff\xff\xff"), {0x9}),
    (raw(HEADERS, 0, 7, b"\x82") + raw(frames.PING, 0, 0, bytes(8)), {PROTOCOL_ERROR}),
    (b"\xff\xff\xff\x04\x00\x00\x00\x00\x00", {0x6}),
])
def test_connection_errors_end_the_connection_in_good_order(service, connect, frame, codes):
    """Rule 24: Every error of the connection leads to GOAWAY, then the end (RFC 9113 section 5.4.1)."""
    client = connect(service.address)
    assert client.is_healthy(1)
    with contextlib.suppress(ConnectionError):
        client.send(frame)
    assert client.end().error_code in codes
    assert connect(service.address).is_healthy(1)


@pytest.mark.parametrize("extra", [
    ("connection", "close"), ("transfer-encoding", "chunked"), ("Upper", "case"), ("x", "a\nb"), ("x y", "z"),
    (":path", "/again"), (":unknown", "x"), ("te", "gzip"), ("content-length", "x")])
def test_malformed_requests_are_reset(client, extra):
    """Rule 24: A request that HTTP/2 forbids is a stream error (RFC 9113 section 8.1.1)."""
    response = client.call(1, request("GetUser", extra))
    assert response.reset == PROTOCOL_ERROR
    assert client.is_healthy(3)


def test_five_hundred_connections_at_once(service, connect):
    """Rule 31: Each connection makes a call while the others are open."""
    clients = [connect(service.address) for _ in range(500)]
    for client in clients:
        client.send(client.header_frame(1, request("GetUser")), frames.data(1, message(), end=True))
    assert all(client.response(1).status == "3" for client in clients)


def test_a_hundred_streams_on_each_of_ten_connections(service, connect):
    """Rule 23: All streams below the limit are served."""
    clients = [connect(service.address) for _ in range(10)]
    for stream in range(1, 201, 2):
        for client in clients:
            client.headers(stream, request("UserUpdates"))
    for stream in range(1, 201, 2):
        for client in clients:
            client.send(frames.data(stream, end=True))
    assert all(client.response(stream).status == "0" for client in clients for stream in range(1, 201, 2))
