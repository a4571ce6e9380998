"""Tests the greeter of Examples/, another service on the transport, as its clients see it."""

import os
import pathlib
import signal
import subprocess

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

PROGRAM = pathlib.Path(os.environ["USER_SERVICE_PROGRAM"]).with_name("greeter-example")
TIMEOUT = 60


@pytest.fixture(scope="module")
def greeter():
    with subprocess.Popen([PROGRAM], stdout=subprocess.PIPE, text=True) as process:
        address = process.stdout.readline().split()[-1]
        with grpc.insecure_channel(address) as channel:
            yield channel
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT) == 0


def greet(channel, name):
    method = channel.unary_unary(
        "/greeter.v1.Greeter/Greet", StringValue.SerializeToString, StringValue.FromString)
    return method(StringValue(value=name), timeout=TIMEOUT).value


def test_the_greeter_greets_by_name(greeter):
    assert greet(greeter, "Ada") == "Hello, Ada!"


def test_the_greeter_greets_each_name_as_it_arrives(greeter):
    method = greeter.stream_stream(
        "/greeter.v1.Greeter/GreetAll", StringValue.SerializeToString, StringValue.FromString)
    answers = method((StringValue(value=name) for name in ["Ada", "Bob"]), timeout=TIMEOUT)
    assert [answer.value for answer in answers] == ["Hello, Ada!", "Hello, Bob!"]


def test_the_greeter_refuses_an_empty_name_and_the_transport_one_that_is_too_long(greeter):
    for name, code in [("", grpc.StatusCode.INVALID_ARGUMENT), ("x" * 300, grpc.StatusCode.RESOURCE_EXHAUSTED)]:
        with pytest.raises(grpc.RpcError) as failure:
            greet(greeter, name)
        assert failure.value.code() == code
