"""What no gRPC client would send, written frame by frame."""

import socket

import h2.config
import h2.connection
import h2.events
import pytest

TIMEOUT = 30


def call(address, headers, body=b"\x00\x00\x00\x00\x00"):
    """The trailers of one GetUser call with extra headers, or None if its stream was reset."""
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=TIMEOUT) as connection:
        http = h2.connection.H2Connection(h2.config.H2Configuration(validate_outbound_headers=False))
        http.initiate_connection()
        http.send_headers(1, [
            (":method", "POST"), (":scheme", "http"), (":path", "/user.v1.UserService/GetUser"),
            (":authority", address), ("content-type", "application/grpc"), ("te", "trailers"), *headers,
        ])
        http.send_data(1, body, end_stream=True)
        connection.sendall(http.data_to_send())
        seen = {}
        while data := connection.recv(65_536):
            for event in http.receive_data(data):
                if isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)):
                    seen.update({name.decode(): value.decode() for name, value in event.headers})
                if isinstance(event, h2.events.StreamEnded):
                    return seen
                if isinstance(event, h2.events.StreamReset):
                    return None
            connection.sendall(http.data_to_send())
    return None


@pytest.mark.parametrize("timeout", ["-1S", "-99999999n", "1", "S", "1x", "999999999S", "+1S", "1.5S", ""])
def test_a_malformed_timeout_ends_its_call_and_not_the_service(service, timeout):
    trailers = call(service.address, [("grpc-timeout", timeout)])
    assert trailers is None or trailers["grpc-status"] not in ("0", "3")
    # An empty id, which only a call that is let through gets to hear of.
    assert call(service.address, [])["grpc-status"] == "3"


def test_a_far_deadline_is_no_overflow(service):
    assert call(service.address, [("grpc-timeout", "99999999H")])["grpc-status"] == "3"


@pytest.mark.parametrize("body", [b"", b"\x00", b"\x00\x00\x00\x00\x05ab", b"\x00\xff\xff\xff\xff", b"\x01\x00\x00\x00\x00"])
def test_broken_messages_end_their_call_and_not_the_service(service, body):
    trailers = call(service.address, [], body)
    assert trailers is None or trailers["grpc-status"] != "0"
    assert call(service.address, [])["grpc-status"] == "3"
