"""Tests calls by Python's grpcio, another language's client, which shares no code with the server."""

import threading

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo

from callers import details

# Each test runs on the inline road and on the handler road, and on PostgreSQL.
ANSWERING = ["inline", "task"]
ENGINES = ["sqlite", "postgres"]
TIMEOUT = 60


def failure(call):
    """Returns the status code, message, ErrorInfo and BadRequest fields of a failed call."""
    with pytest.raises(grpc.RpcError) as raised:
        call()
    error = raised.value
    info, bad = details(error, ErrorInfo, BadRequest)
    return error.code(), error.details(), info, [violation.field for violation in bad.field_violations]


def test_create_get_list(pb, users):
    ada = users.CreateUser(pb.CreateUserRequest(email="ada@example.com", name="Ada"), timeout=TIMEOUT)
    assert users.GetUser(pb.GetUserRequest(user_id=ada.id), timeout=TIMEOUT) == ada
    listed = list(users.ListUsers(pb.ListUsersRequest(), timeout=TIMEOUT))
    assert [user.id for user in listed] == [ada.id]


def test_updates_have_headers_before_the_first_message(users):
    """Clients may wait for the headers before they send any message."""
    have_come = threading.Event()

    def requests():
        have_come.wait(TIMEOUT)
        return
        yield

    call = users.UserUpdates(requests(), timeout=TIMEOUT)
    call.initial_metadata()
    have_come.set()
    assert list(call) == []


def test_errors_carry_details(pb, users):
    users.CreateUser(pb.CreateUserRequest(email="ada@example.com"), timeout=TIMEOUT)
    code, message, info, fields = failure(
        lambda: users.CreateUser(pb.CreateUserRequest(email="nobody", password="x"), timeout=TIMEOUT))
    assert (code, message) == (grpc.StatusCode.INVALID_ARGUMENT, "Invalid email, password")
    assert (info.reason, info.domain, fields) == ("INVALID_REQUEST", "user.v1", ["email", "password"])
    code, message, info, _ = failure(
        lambda: users.CreateUser(pb.CreateUserRequest(email="ADA@EXAMPLE.COM"), timeout=TIMEOUT))
    assert (code, message) == (grpc.StatusCode.ALREADY_EXISTS, "Email already registered")
    code, message, info, _ = failure(lambda: users.GetUser(pb.GetUserRequest(user_id="né"), timeout=TIMEOUT))
    assert (code, message, info.reason) == (grpc.StatusCode.NOT_FOUND, "User né not found", "USER_NOT_FOUND")


def test_a_request_with_an_id_may_be_repeated(pb, users):
    def create(**fields):
        return users.CreateUser(pb.CreateUserRequest(**fields), timeout=TIMEOUT)

    rows = {"email": "ada@example.com", "name": "Ada", "password": "correct horse",
            "request_id": "0b0f3f3e-35c5-4f0b-8d47-6d9a7c0a4b11"}
    ada = create(**rows)
    assert create(**rows) == ada
    for other in ({"name": "Eve"}, {"email": "eve@example.com"}, {"password": "battery staple"}, {"password": ""}):
        code, message, info, fields = failure(lambda: create(**{**rows, **other}))
        assert (code, message) == (grpc.StatusCode.INVALID_ARGUMENT, "Invalid request_id")
        assert (info.reason, fields) == ("INVALID_REQUEST", ["request_id"])
    assert failure(lambda: create(**{**rows, "request_id": "one"}))[3] == ["request_id"]
    row = pb.CreateUserRequest(**rows)
    bob = pb.CreateUserRequest(email="bob@example.com", request_id="0b0f3f3e-35c5-4f0b-8d47-6d9a7c0a4b12")
    eve = pb.CreateUserRequest(email="eve@example.com", request_id="0b0f3f3e-35c5-4f0b-8d47-6d9a7c0a4b12")
    first = users.BulkCreateUsers(iter([row, bob, eve]), timeout=TIMEOUT)
    assert first.user_ids[0] == ada.id and first.created_count == 2
    assert [(one.index, one.status.code, one.status.message) for one in first.failures] == [
        (2, 3, "Invalid request_id")]
    assert users.BulkCreateUsers(iter([row, bob, eve]), timeout=TIMEOUT) == first
    assert len(list(users.ListUsers(pb.ListUsersRequest(), timeout=TIMEOUT))) == 2


def test_bulk_and_resumed_listing(pb, users):
    rows = [pb.CreateUserRequest(email=f"user{number}@example.com") for number in range(5_000)]
    response = users.BulkCreateUsers(iter([*rows, pb.CreateUserRequest(email="bad")]), timeout=TIMEOUT)
    assert response.created_count == 5_000
    assert [(one.index, one.status.code) for one in response.failures] == [(5_000, 3)]
    listed = list(users.ListUsers(pb.ListUsersRequest(page_size=1_000), timeout=TIMEOUT))
    assert [user.id for user in listed] == list(response.user_ids)
    tokens = [index for index, user in enumerate(listed) if user.page_token]
    assert tokens == [999, 1_999, 2_999, 3_999, 4_999]
    rest = list(users.ListUsers(pb.ListUsersRequest(page_token=listed[1_999].page_token), timeout=TIMEOUT))
    assert [user.id for user in rest] == list(response.user_ids)[2_000:]


def test_updates_answer_one_by_one(pb, users):
    ada = users.CreateUser(pb.CreateUserRequest(email="ada@example.com"), timeout=TIMEOUT)
    answered = threading.Semaphore(1)

    def requests():
        # Each request is sent after the previous response: the stream is not batched.
        for name in ["one", "two", "three"]:
            assert answered.acquire(timeout=TIMEOUT)
            yield pb.UserUpdateRequest(user_id=ada.id, name=name)

    names = []
    for user in users.UserUpdates(requests(), timeout=TIMEOUT):
        names.append(user.name)
        answered.release()
    assert names == ["one", "two", "three"]


@pytest.mark.parametrize("body", [b"\xff", b"\x0a\xff", b"\x0a\x05a", b"\x0a\x02\xc3\x28", b"\x00" * 100])
def test_undecodable_requests_are_internal_errors(channel, body):
    """Rule 11: The requests are broken protobuf, or have invalid UTF-8 in a string (the last but one)."""
    call = channel.unary_unary("/user.v1.UserService/GetUser", lambda data: data, lambda data: data)
    code, _, info, _ = failure(lambda: call(body, timeout=TIMEOUT))
    assert (code, info.reason) == (grpc.StatusCode.INTERNAL, "UNDECODABLE_REQUEST")


def test_unknown_method(channel):
    """Rule 3: The status is UNIMPLEMENTED."""
    call = channel.unary_unary("/user.v1.UserService/EraseUser", lambda data: data, lambda data: data)
    code, *_ = failure(lambda: call(b"", timeout=TIMEOUT))
    assert code == grpc.StatusCode.UNIMPLEMENTED


def test_a_message_over_the_limit_ends_its_call_and_nothing_else(pb, users):
    """Rule 9: The status is RESOURCE_EXHAUSTED."""
    code, *_ = failure(
        lambda: users.CreateUser(pb.CreateUserRequest(name="x" * (5 << 20)), timeout=TIMEOUT))
    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
    users.CreateUser(pb.CreateUserRequest(email="ada@example.com"), timeout=TIMEOUT)


def test_rows_that_cannot_be_decoded_are_failures_of_their_own(pb, channel, users):
    call = channel.stream_unary(
        "/user.v1.UserService/BulkCreateUsers", lambda data: data, pb.BulkCreateResponse.FromString)
    good = [
        pb.CreateUserRequest(email=f"user{number}@example.com").SerializeToString() for number in range(3)]
    response = call(iter([good[0], b"\x0a\x02\xc3\x28", good[1], b"\xff", good[2]]), timeout=TIMEOUT)
    assert response.created_count == 3
    assert [(one.index, one.status.code) for one in response.failures] == [(1, 13), (3, 13)]
    assert len(list(users.ListUsers(pb.ListUsersRequest(), timeout=TIMEOUT))) == 3


def test_an_update_that_cannot_be_decoded_ends_the_stream_with_its_index(pb, channel, users):
    ada = users.CreateUser(pb.CreateUserRequest(email="ada@example.com"), timeout=TIMEOUT)
    call = channel.stream_stream(
        "/user.v1.UserService/UserUpdates", lambda data: data, pb.GetUserRequest.FromString)
    good = pb.UserUpdateRequest(user_id=ada.id, name="good").SerializeToString()
    code, _, info, _ = failure(lambda: list(call(iter([good, b"\xff", good]), timeout=TIMEOUT)))
    assert (code, info.reason, info.metadata["request_index"]) == (
        grpc.StatusCode.INTERNAL, "UNDECODABLE_REQUEST", "1")
    assert users.GetUser(pb.GetUserRequest(user_id=ada.id), timeout=TIMEOUT).name == "good"
