"""Tests what ends a call or its connection, and how the client is told."""

import gzip
import signal

import hpack
import pytest

import frames
from frames import (
    END_HEADERS,
    ENHANCE_YOUR_CALM,
    HEADERS,
    NO_ERROR,
    PROTOCOL_ERROR,
    data,
    field,
    message,
    raw,
    request,
    reset,
)

NOBODY = message(field(1, "nobody"))
IMPATIENT = {"grpc.receive.timeout": "500ms"}


@pytest.fixture
def client(shared_service, connect):
    return connect(shared_service.address)


@pytest.mark.parametrize("method,body", [
    ("CreateUser", b""), ("CreateUser", b"\0"), ("GetUser", NOBODY), ("ListUsers", message()[:3]),
    ("BulkCreateUsers", NOBODY[:-1]), ("UserUpdates", b"\0\0\0\0\x10half")])
def test_a_stalled_request_ends_alone(serve, connect, method, body):
    """Behind a proxy the connection has calls of other clients too (RFC 9113 section 5.4.2)."""
    client = connect(serve(settings=IMPATIENT).address)
    client.headers(1, request("UserUpdates"))
    client.headers(3, request(method))
    client.send(data(3, body))
    response = client.response(3)
    assert (response.status, response.reason) == ("4", "DEADLINE_EXCEEDED")
    client.until(lambda: response.reset is not None)
    assert response.reset == NO_ERROR
    client.send(data(3, b"too late", end=True), data(1, end=True))
    assert client.response(1).status == "0"
    assert client.is_healthy(5)
    assert not client.goaways


def test_a_stalled_request_that_is_no_grpc_ends_alone(serve, connect):
    """It gets a response in plain HTTP."""
    client = connect(serve(settings=IMPATIENT).address)
    client.headers(1, request("GetUser", content_type="text/html"))
    assert client.response(1).headers[":status"] == "415"
    assert client.is_healthy(3)


@pytest.mark.parametrize("beginning", [b"\0\0\x08\6", raw(HEADERS, 0, 3, b"\x82")])
def test_what_stalls_the_connection_ends_it(serve, connect, beginning):
    """After half a frame, or an incomplete header block, no other frame can come before the rest."""
    service = serve("--log-level", "info", settings=IMPATIENT)
    client = connect(service.address)
    client.headers(1, request("UserUpdates"))
    client.send(beginning)
    goaway = client.end()
    assert (goaway.error_code, bytes(goaway.additional_data)) == (
        ENHANCE_YOUR_CALM, b"a frame was not completed in time")
    assert "reason=a frame was not completed in time" in service.stop()[1].replace('"', "")


def test_resets_after_a_response_are_no_attack(client):
    """grpc-java resets a call that it has not half-closed when it receives the trailers."""
    for stream in range(1, 5_001, 2):
        client.headers(stream, request("Nothing"))
        assert client.response(stream).status == "12"
        client.send(reset(stream))
    assert client.is_healthy(5_001)


def test_resets_of_ended_streams_are_bounded(client):
    """Repeated resets of an ended stream do nothing, and so count as an attack."""
    assert client.is_healthy(1)
    goaway = client.flood(reset(1) * 20 for _ in range(200))
    assert goaway.error_code == ENHANCE_YOUR_CALM
    assert bytes(goaway.additional_data) == b"too many frames without a request"


def test_rapid_resets_end_their_connection_with_a_reason(serve, connect):
    """The log has the reason too (CVE-2023-44487)."""
    service = serve("--log-level", "info")
    client = connect(service.address)
    streams = range(1, 8_001, 2)
    goaway = client.flood(client.header_frame(stream, request("UserUpdates")) + reset(stream) for stream in streams)
    reason = "too many streams were reset before their responses ended"
    assert (goaway.error_code, bytes(goaway.additional_data).decode()) == (ENHANCE_YOUR_CALM, reason)
    assert reason in service.stop()[1]


@pytest.mark.parametrize("name,value", [
    ("x", " both sides\t"), ("x", " "), ("user-agent", "trailing "), ("x-bin", " AAEC "), ("grpc-timeout", " 60S"),
    ("content-type", "application/grpc "), ("content-type", "Application/GRPC"),
    ("content-type", "APPLICATION/grpc+Proto"),
    ("te", "Trailers"), (":authority", ""), (":authority", None), (":authority", "/run/x.sock"),
    (":authority", "%2Frun%2Fx.sock"), (":authority", "user@host"), ("host", "/run/x.sock"), ("host", "")])
def test_what_other_servers_of_grpc_accept(client, name, value):
    """White space around values may be stripped, media types ignore case, and Unix-domain sockets have no host."""
    fields = [pair for pair in request("GetUser") if pair[0] != name]
    if name.startswith(":"):
        fields = ([(name, value)] if value is not None else []) + fields
    else:
        fields.append((name, value))
    assert client.call(1, fields).status == "3"


@pytest.mark.parametrize("value", ["Bearer ", "Bearer", " Bearer x ", "", " "])
def test_a_token_that_is_missing_is_unauthenticated(serve, connect, value):
    """Each value lacks a token in another way."""
    client = connect(serve(auth="on").address)
    response = client.call(1, request("GetUser", ("authorization", value)))
    assert response.status == "16"
    assert response.reason in ("TOKEN_MALFORMED", "TOKEN_MISSING")


@pytest.mark.parametrize("name,value", [
    ("x", "a\1b"), ("x", "a\x7f"), ("authorization", "Bearer a\x1b[2J"), ("x(y", "z"), ("x/y", "z")])
def test_odd_fields_end_their_call_with_a_status(client, name, value):
    """HTTP/2 leaves these fields to the server."""
    response = client.call(1, request("GetUser", (name, value)))
    assert (response.headers[":status"], response.status, response.reason) == ("400", "13", "MALFORMED_CALL")
    assert client.is_healthy(3)


@pytest.mark.parametrize("fields", [
    request("GetUser", ("x", "a\0b")), request("GetUser", ("x", "a\rb")), request("GetUser", ("x", "a\nb")),
    request("GetUser", ("x\x7f", "y")), request("GetUser", ("x:y", "z")), request("GetUser", ("", "z")),
    request("GetUser", ("keep-alive", "1")), request("GetUser", ("proxy-connection", "x")),
    request("GetUser", ("upgrade", "h2c")), request("GetUser", (":status", "200")),
    request("GetUser", ("content-length", "5"), ("content-length", "5")),
    request("GetUser", content_length="-5"), request("GetUser", content_length=""),
    request("GetUser", path=""), request("GetUser", path=None), request("GetUser", path="user.v1.UserService/GetUser"),
    request("GetUser", path="*"), request("GetUser", path="/a b"), request("GetUser", scheme=None),
    request("GetUser", scheme=""), request("GetUser", method=None), request("GetUser", method=""),
    request("GetUser", method="P ST"), request("GetUser", (":authority", "x")), request("GetUser", (":method", "POST")),
    [*request("GetUser")[4:], *request("GetUser")[:4]], request("GetUser", authority="a\nb"),
    request("GetUser", method="CONNECT"),
])
def test_what_http2_forbids_is_reset(client, fields):
    """RFC 9113 sections 8.1.1, 8.2 and 8.3 forbid these fields."""
    response = client.call(1, fields)
    assert (response.blocks, response.reset) == ([], PROTOCOL_ERROR)
    assert client.is_healthy(3)


@pytest.mark.parametrize("body", [b"", NOBODY[:-1], NOBODY + b"x"])
@pytest.mark.parametrize("ends_with_trailers", [False, True])
def test_a_length_that_is_not_the_bodys_is_reset(client, body, ends_with_trailers):
    """RFC 9113 section 8.1.1 requires it, and the request has no effect."""
    client.headers(1, request("CreateUser", content_length=str(len(NOBODY))))
    client.send(data(1, body[:4]), data(1, body[4:], end=not ends_with_trailers))
    if ends_with_trailers and len(body) <= len(NOBODY):
        client.headers(1, [("x", "y")], end=True)
    response = client.response(1)
    assert (response.blocks, response.reset) == ([], PROTOCOL_ERROR)
    assert client.is_healthy(3)


def test_a_length_that_is_the_bodys_is_right(client):
    """It may be the length of a message, or zero."""
    assert client.call(1, request("GetUser", content_length=str(len(NOBODY))), NOBODY).status == "5"
    client.headers(3, request("BulkCreateUsers", content_length="0"), end=True)
    assert client.response(3).status == "0"


@pytest.mark.parametrize("trailers,end", [
    ([("x", "y")], False), ([(":path", "/")], True), ([("Upper", "x")], True), ([("x y", "z")], True),
    ([("connection", "close")], True), ([("x", "a\nb")], True)])
def test_malformed_trailers_are_reset(client, trailers, end):
    """RFC 9113 section 8.1: Trailers end the request, and have no pseudo-headers."""
    client.headers(1, request("UserUpdates"))
    client.headers(1, trailers, end=end)
    client.until(lambda: client.stream(1).reset is not None)
    assert client.stream(1).reset == PROTOCOL_ERROR
    assert client.is_healthy(3)


def compressed(payload):
    return message(gzip.compress(payload), flag=1)


@pytest.mark.parametrize("headers,body,status,reason", [
    (request("GetUser", grpc_timeout="1x"), NOBODY, "13", "MALFORMED_CALL"),
    (request("GetUser", ("x-bin", "!")), NOBODY, "13", "MALFORMED_CALL"),
    (request("GetUser", ("grpc-status", "0")), NOBODY, "13", "MALFORMED_CALL"),
    (request("GetUser", ("x", "y" * 9_000)), NOBODY, "8", "MALFORMED_CALL"),
    (request("GetUser", grpc_encoding="br"), NOBODY, "12", "MALFORMED_CALL"),
    (request("GetUser"), b"\0\xff\xff\xff\xff", "8", "MALFORMED_CALL"),
    (request("GetUser"), NOBODY[:-1], "13", "MALFORMED_CALL"),
    (request("GetUser"), NOBODY * 2, "12", "MALFORMED_CALL"),
    (request("GetUser"), b"", "12", "MALFORMED_CALL"),
    (request("GetUser"), message(NOBODY, flag=1), "13", "MALFORMED_CALL"),
    (request("GetUser"), message(NOBODY, flag=2), "13", "MALFORMED_CALL"),
    (request("GetUser", grpc_encoding="gzip"), message(b"no gzip", flag=1), "13", "MALFORMED_CALL"),
    (request("GetUser", grpc_timeout="0S"), NOBODY, "4", "DEADLINE_EXCEEDED"),
    (request("CreateUser", grpc_timeout="0n"), NOBODY, "4", "DEADLINE_EXCEEDED"),
    (request("Nothing"), NOBODY, "12", None),
])
def test_errors_of_the_transport_carry_the_contracts_details(client, headers, body, status, reason):
    """Only the errors of methods that do not exist lack them."""
    response = client.call(1, headers, body)
    assert (response.status, response.reason) == (status, reason)
    assert client.is_healthy(3)


@pytest.mark.parametrize("method", ["UserUpdates", "GetUser", "BulkCreateUsers"])
def test_the_deadline_of_an_idle_stream_carries_details(client, method):
    """The transport ends the stream, not the handler."""
    client.headers(1, request(method, grpc_timeout="200m"))
    response = client.response(1)
    assert (response.status, response.reason) == ("4", "DEADLINE_EXCEEDED")


@pytest.mark.parametrize("method,body", [
    ("UserUpdates", b""), ("GetUser", message()[:2]), ("BulkCreateUsers", NOBODY), ("ListUsers", b"")])
def test_calls_that_the_grace_time_cuts_off_are_told(serve, connect, method, body):
    """The status is UNAVAILABLE, so that clients try another server."""
    service = serve("--shutdown-grace", "300ms", "--log-level", "info")
    client = connect(service.address)
    client.headers(1, request(method))
    client.send(data(1, body))
    client.round_trip()
    service.process.send_signal(signal.SIGTERM)
    response = client.response(1)
    assert (response.status, response.reason) == ("14", "SHUTTING_DOWN")
    client.end()
    _, log = service.process.communicate(timeout=frames.TIMEOUT)
    assert service.process.returncode == 0
    # A method with one message begins for the handler and the log only with a complete message.
    calls = [line for line in log.splitlines() if "/" + method in line]
    assert len(calls) == (method in ("UserUpdates", "BulkCreateUsers"))
    assert all("unavailable" in call and "SHUTTING_DOWN" in call for call in calls)


@pytest.mark.parametrize("frame,reason", [
    (data(0, b"x"), "PROTOCOL_ERROR: DATA: stream_id == 0"),
    (raw(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\xff\xff"), "COMPRESSION_ERROR"),
    (frames.window_update(0, 2**31 - 1), "FLOW_CONTROL_ERROR"),
    (raw(frames.PING, 0, 0, b"x"), "FRAME_SIZE_ERROR"),
])
def test_connections_that_libnghttp2_ends_are_logged(serve, connect, frame, reason):
    """The log has the reason that the client gets."""
    service = serve("--log-level", "info")
    client = connect(service.address)
    client.send(frame)
    client.end()
    assert reason in service.stop()[1]


def long_field(client, length):
    field = hpack.NeverIndexedHeaderTuple("x", "y" * length)
    block = client.block([*request("GetUser"), field])
    pieces = [block[start:start + 16_384] for start in range(0, len(block), 16_384)]
    client.send(
        raw(HEADERS, 0, 1, pieces[0]), *(raw(frames.CONTINUATION, 0, 1, piece) for piece in pieces[1:]),
        raw(frames.CONTINUATION, END_HEADERS, 1), data(1, message(), end=True))


def test_a_field_of_64_kib_is_refused(client):
    """It is refused like any header list over the limit."""
    long_field(client, 65_536)
    response = client.response(1)
    assert (response.status, response.reason) == ("8", "MALFORMED_CALL")
    assert client.is_healthy(3)


def test_a_longer_field_ends_the_connection(client):
    """libnghttp2's HPACK decoder accepts no longer field, and cannot continue without it (RFC 7541 section 5.2)."""
    long_field(client, 65_537)
    assert client.end().error_code == 0x9
