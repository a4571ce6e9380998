"""Runs gRPC's interoperability test cases for servers with the official Python package (github.com/grpc/grpc,
doc/interop-test-descriptions.md), also over TLS."""

import importlib
import os
import pathlib
import re
import subprocess
import sys
import threading

import grpc
import pytest
from grpc_tools import protoc

from conftest import ROOT

PROGRAM = pathlib.Path(os.environ["USER_SERVICE_PROGRAM"]).with_name("interop-server")
TIMEOUT = 60
INITIAL = ("x-grpc-test-echo-initial", "test_initial_metadata_value")
TRAILING = ("x-grpc-test-echo-trailing-bin", b"\xab\xab\xab")


@pytest.fixture(scope="module")
def messages(tmp_path_factory):
    out = tmp_path_factory.mktemp("interop")
    protos = ROOT / "Tests/InteropProtos/protos"
    assert protoc.main([
        "protoc", f"-I{protos}", f"--python_out={out}", f"--grpc_python_out={out}", "grpc/testing/test.proto",
    ]) == 0
    # The modules are imported outside the package grpc, which belongs to gRPC.
    sys.path.insert(0, str(out / "grpc" / "testing"))
    code = (out / "grpc" / "testing" / "test_pb2_grpc.py")
    code.write_text(re.sub(r"from grpc\.testing import", "import", code.read_text()))
    module = importlib.import_module("test_pb2")
    module.Stub = importlib.import_module("test_pb2_grpc").TestServiceStub
    return module


@pytest.fixture(scope="module", params=["cleartext", "TLS"])
def channel(request, tmp_path_factory):
    arguments, credentials = [], None
    if request.param == "TLS":
        folder = tmp_path_factory.mktemp("tls")
        key, certificate = folder / "server.key", folder / "server.pem"
        subprocess.run(
            [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                "-keyout", key, "-out", certificate,
            ], check=True, capture_output=True)
        arguments = ["--tls-cert", certificate, "--tls-key", key]
        credentials = grpc.ssl_channel_credentials(certificate.read_bytes())
    with subprocess.Popen([PROGRAM, *arguments], stdout=subprocess.PIPE, text=True) as process:
        port = process.stdout.readline().rsplit(":", 1)[1].strip()
        address = f"127.0.0.1:{port}"
        made = grpc.secure_channel(address, credentials) if credentials else grpc.insecure_channel(address)
        with made as channel:
            yield channel
        process.terminate()


@pytest.fixture
def stub(channel, messages):
    return messages.Stub(channel)


def payload(messages, size):
    return messages.Payload(body=bytes(size))


def output(messages, *sizes, body=0):
    parameters = [messages.ResponseParameters(size=size) for size in sizes]
    return messages.StreamingOutputCallRequest(response_parameters=parameters, payload=payload(messages, body))


def test_empty_unary(stub, messages):
    assert stub.EmptyCall(messages.Empty(), timeout=TIMEOUT) == messages.Empty()


def large(messages, **fields):
    return messages.SimpleRequest(response_size=314_159, payload=payload(messages, 271_828), **fields)


def test_large_unary(stub, messages):
    assert stub.UnaryCall(large(messages), timeout=TIMEOUT).payload.body == bytes(314_159)


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_client_compressed_unary(stub, messages, compression):
    request = large(messages, expect_compressed=messages.BoolValue(value=True))
    with pytest.raises(grpc.RpcError) as raised:
        stub.UnaryCall(request, timeout=TIMEOUT)
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert stub.UnaryCall(request, compression=compression, timeout=TIMEOUT).payload.body == bytes(314_159)


def test_server_compressed_unary(stub, messages):
    request = large(messages, response_compressed=messages.BoolValue(value=True))
    call = stub.UnaryCall.with_call(request, timeout=TIMEOUT)
    assert call[0].payload.body == bytes(314_159)


def test_client_streaming(stub, messages):
    sizes = [27_182, 8, 1_828, 45_904]
    requests = (messages.StreamingInputCallRequest(payload=payload(messages, size)) for size in sizes)
    assert stub.StreamingInputCall(requests, timeout=TIMEOUT).aggregated_payload_size == sum(sizes)


def test_client_compressed_streaming(stub, messages):
    requests = [
        messages.StreamingInputCallRequest(
            payload=payload(messages, size), expect_compressed=messages.BoolValue(value=True))
        for size in (27_182, 45_904)]
    call = stub.StreamingInputCall(iter(requests), compression=grpc.Compression.Gzip, timeout=TIMEOUT)
    assert call.aggregated_payload_size == 73_086


def test_server_streaming(stub, messages):
    sizes = [31_415, 9, 2_653, 58_979]
    responses = stub.StreamingOutputCall(output(messages, *sizes), timeout=TIMEOUT)
    assert [len(one.payload.body) for one in responses] == sizes


def test_server_compressed_streaming(stub, messages):
    request = messages.StreamingOutputCallRequest(response_parameters=[
        messages.ResponseParameters(size=31_415, compressed=messages.BoolValue(value=True)),
        messages.ResponseParameters(size=92_653, compressed=messages.BoolValue(value=False))])
    responses = stub.StreamingOutputCall(request, timeout=TIMEOUT)
    assert [len(one.payload.body) for one in responses] == [31_415, 92_653]


def test_ping_pong(stub, messages):
    turn = threading.Semaphore()

    def requests():
        for size, body in ((31_415, 27_182), (9, 8), (2_653, 1_828), (58_979, 45_904)):
            assert turn.acquire(timeout=TIMEOUT)
            yield output(messages, size, body=body)

    sizes = []
    for response in stub.FullDuplexCall(requests(), timeout=TIMEOUT):
        sizes.append(len(response.payload.body))
        turn.release()
    assert sizes == [31_415, 9, 2_653, 58_979]


def test_half_duplex(stub, messages):
    responses = stub.HalfDuplexCall((output(messages, size) for size in (10, 20)), timeout=TIMEOUT)
    assert [len(one.payload.body) for one in responses] == [10, 20]


def test_empty_stream(stub, messages):
    assert list(stub.FullDuplexCall(iter(()), timeout=TIMEOUT)) == []


def test_custom_metadata(stub, messages):
    unary = stub.UnaryCall.with_call(
        messages.SimpleRequest(response_size=1), metadata=[INITIAL, TRAILING], timeout=TIMEOUT)[1]
    duplex = stub.FullDuplexCall(iter([output(messages, 1)]), metadata=[INITIAL, TRAILING], timeout=TIMEOUT)
    assert len(list(duplex)) == 1
    for call in (unary, duplex):
        assert INITIAL in call.initial_metadata()
        assert TRAILING in call.trailing_metadata()


@pytest.mark.parametrize("text", [
    "test status message", "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n",
])
def test_status_code_and_message(stub, messages, text):
    status = messages.EchoStatus(code=2, message=text)
    calls = [
        lambda: stub.UnaryCall(messages.SimpleRequest(response_status=status), timeout=TIMEOUT),
        lambda: list(stub.FullDuplexCall(
            iter([messages.StreamingOutputCallRequest(response_status=status)]), timeout=TIMEOUT)),
    ]
    for call in calls:
        with pytest.raises(grpc.RpcError) as raised:
            call()
        assert (raised.value.code(), raised.value.details()) == (grpc.StatusCode.UNKNOWN, text)


@pytest.mark.parametrize("method", ["TestService/UnimplementedMethod", "UnimplementedService/UnimplementedCall"])
def test_unimplemented(channel, method):
    with pytest.raises(grpc.RpcError) as raised:
        channel.unary_unary(f"/grpc.testing.{method}")(b"", timeout=TIMEOUT)
    assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_cancel_after_begin(stub, messages):
    done = threading.Event()
    call = stub.StreamingInputCall.future(waiting(done))
    call.cancel()
    done.set()
    assert call.code() == grpc.StatusCode.CANCELLED
    assert stub.EmptyCall(messages.Empty(), timeout=TIMEOUT) == messages.Empty()


def test_cancel_after_first_response(stub, messages):
    done = threading.Event()
    call = stub.FullDuplexCall(waiting(done, output(messages, 31_415, body=27_182)), timeout=TIMEOUT)
    assert len(next(call).payload.body) == 31_415
    call.cancel()
    done.set()
    assert call.code() == grpc.StatusCode.CANCELLED
    assert stub.EmptyCall(messages.Empty(), timeout=TIMEOUT) == messages.Empty()


def test_timeout_on_sleeping_server(stub, messages):
    done = threading.Event()
    call = stub.FullDuplexCall(waiting(done, output(messages, 31_415, body=27_182)), timeout=0.001)
    with pytest.raises(grpc.RpcError) as raised:
        list(call)
    done.set()
    assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def waiting(done, *requests):
    """Yields the requests, and then stays open until `done`."""
    yield from requests
    done.wait(TIMEOUT)
