"""Tests health and reflection with the official Python packages."""

import signal

import grpc
import pytest
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from conftest import Service

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
TIMEOUT = 60


@pytest.mark.parametrize("name", [
    "", "user.v1.UserService", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"])
def test_check(channel, name):
    stub = health_pb2_grpc.HealthStub(channel)
    assert stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=TIMEOUT).status == SERVING


def test_list(channel):
    stub = health_pb2_grpc.HealthStub(channel)
    statuses = stub.List(health_pb2.HealthListRequest(), timeout=TIMEOUT).statuses
    assert {"", "user.v1.UserService"} <= set(statuses)
    assert all(one.status == SERVING for one in statuses.values())


def test_check_of_an_unknown_name(channel):
    """Rule 32: The status is NOT_FOUND."""
    stub = health_pb2_grpc.HealthStub(channel)
    with pytest.raises(grpc.RpcError) as raised:
        stub.Check(health_pb2.HealthCheckRequest(service="nobody"), timeout=TIMEOUT)
    assert raised.value.code() == grpc.StatusCode.NOT_FOUND


def test_watch_sends_at_once_and_says_not_serving_at_drain(service, channel):
    """Rules 21 and 32 require both."""
    stub = health_pb2_grpc.HealthStub(channel)
    known = stub.Watch(health_pb2.HealthCheckRequest(service="user.v1.UserService"), timeout=TIMEOUT)
    unknown = stub.Watch(health_pb2.HealthCheckRequest(service="nobody"), timeout=TIMEOUT)
    assert next(known).status == SERVING
    assert next(unknown).status == SERVICE_UNKNOWN
    service.process.send_signal(signal.SIGTERM)
    assert next(known).status == NOT_SERVING
    # Watches do not delay the shutdown: the service ends long before its grace time of 30 s.
    assert service.process.wait(timeout=20) == 0


def ask(channel, package, **question):
    request = reflection_pb2.ServerReflectionRequest(**question)
    call = channel.stream_stream(
        f"/grpc.reflection.{package}.ServerReflection/ServerReflectionInfo",
        reflection_pb2.ServerReflectionRequest.SerializeToString,
        reflection_pb2.ServerReflectionResponse.FromString)
    # An unknown symbol comes first: the stream continues after its error.
    unknown = reflection_pb2.ServerReflectionRequest(file_containing_symbol="no.Such")
    answers = list(call(iter([unknown, request]), timeout=TIMEOUT))
    assert answers[0].error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
    return answers[1]


@pytest.mark.parametrize("package", ["v1", "v1alpha"])
def test_services_are_listed(channel, package):
    answer = ask(channel, package, list_services="")
    assert [service.name for service in answer.list_services_response.service] == [
        "auth.v1.AuthService", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection", "user.v1.UserService",
    ]


@pytest.mark.parametrize("symbol,file", [
    ("auth.v1.AuthService.SignIn", "auth_service.proto"), ("user.v1.UserService", "user_service.proto"),
    ("user.v1.UserService.GetUser", "user_service.proto"),
    ("user.v1.User", "common.proto"), ("user.v1.User.email", "common.proto"),
    ("user.v1.UserStatus", "common.proto"), ("user.v1.USER_STATUS_ACTIVE", "common.proto"),
    ("grpc.health.v1.HealthCheckResponse.ServingStatus", "grpc/health/v1/health.proto"),
    ("google.rpc.BadRequest.FieldViolation", "google/rpc/error_details.proto"),
    ("grpc.reflection.v1alpha.ServerReflection", "grpc/reflection/v1alpha/reflection.proto"),
])
def test_symbols_are_found_with_what_their_file_imports(channel, symbol, file):
    """Rule 33: Symbols include methods, fields and enum values."""
    answer = ask(channel, "v1", file_containing_symbol=symbol)
    files = [descriptor_pb2.FileDescriptorProto.FromString(data)
             for data in answer.file_descriptor_response.file_descriptor_proto]
    assert files[0].name == file
    names = {one.name for one in files}
    assert all(set(one.dependency) <= names for one in files)


def test_a_client_without_proto_files_can_describe_the_service(pb, channel):
    database = ProtoReflectionDescriptorDatabase(channel)
    file = database.FindFileContainingSymbol("user.v1.UserService")
    contract = pb.DESCRIPTOR.services_by_name["UserService"]
    assert [method.name for method in file.service[0].method] == [method.name for method in contract.methods]


def test_reflection_can_be_left_out(tmp_path):
    service = Service(tmp_path / "users.db", "--no-reflection")
    with grpc.insecure_channel(service.address) as channel:
        with pytest.raises(grpc.RpcError) as raised:
            ask(channel, "v1", list_services="")
        assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert service.stop() == (0, "")
