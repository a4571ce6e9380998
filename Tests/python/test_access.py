"""Tests access to methods, with tokens of the service, by grpcio."""

import threading

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from callers import DENIED, UNAUTHENTICATED, Caller, bearer, failure, service_token
from program import TIMEOUT

# Each test runs on the inline road and on the handler road.
ANSWERING = ["inline", "task"]


def test_the_seeds_table(secured, caller):
    """Without a token only CreateUser works; with one every method works."""
    ada = caller.create()
    calls = [
        lambda token: caller.get(ada.id, token), caller.list, caller.bulk,
        lambda token: caller.update(ada.id, token, name="Ada"),
    ]
    for call in calls:
        assert failure(lambda: call(None))[:2] == (UNAUTHENTICATED, "TOKEN_MISSING")
    token = service_token(secured)
    for call in calls:
        call(token)
    caller.create("bob@example.com", token=token)


def test_a_user_may_read_and_update_itself_and_nobody_else(caller):
    ada, bob = caller.create(), caller.create("bob@example.com")
    token = caller.sign_in().access_token
    assert caller.get(ada.id, token) == ada
    assert caller.get(ada.id.upper(), token) == ada
    assert caller.update(ada.id, token, name="Ada")[0].name == "Ada"
    # Authorisation precedes validation: a user that is not the caller is denied, existing or not, valid or not.
    for other in [bob.id, "0" * 8 + ada.id[8:], "", "nonsense"]:
        assert failure(lambda: caller.get(other, token))[:2] == (DENIED, "PERMISSION_DENIED")
        assert failure(lambda: caller.update(other, token, email="?"))[:2] == (DENIED, "PERMISSION_DENIED")
    for call in [caller.list, caller.bulk]:
        assert failure(lambda: call(token))[:2] == (DENIED, "PERMISSION_DENIED")


@pytest.mark.parametrize("scope, allowed", [
    ("users:read", {"get", "list"}), ("users:write", {"bulk", "update"}),
    ("users:read,users:write", {"get", "list", "bulk", "update"})])
def test_scopes(secured, caller, scope, allowed):
    ada = caller.create()
    token = service_token(secured, scope)
    calls = {
        "get": lambda: caller.get(ada.id, token), "list": lambda: caller.list(token),
        "bulk": lambda: caller.bulk(token), "update": lambda: caller.update(ada.id, token, name="x"),
    }
    for name, call in calls.items():
        if name in allowed:
            call()
        else:
            assert failure(call)[:2] == (DENIED, "PERMISSION_DENIED")


def test_public_methods_take_no_notice_of_a_token_that_is_no_good(caller):
    caller.create(token="nonsense")
    caller.sign_in()
    assert len(caller.auth.GetJsonWebKeySet(
        caller.pb.auth.GetJsonWebKeySetRequest(), timeout=TIMEOUT, metadata=bearer("x")).keys) == 1


@pytest.mark.parametrize("value", [
    "", "Bearer", "Basic YTpi", "Bearer a.b", "Bearer a.b.c.d", "bearer", "Bearer ....", "Token x",
    "Bearer " + "." * 100, "Bearer  x.y.z", "Bearer a.b.c d", "Bearerx.y.z"])
def test_malformed_authorization(caller, value):
    code, reason, _ = failure(lambda: caller.get("x", metadata=[("authorization", value)]))
    assert (code, reason) == (UNAUTHENTICATED, "TOKEN_MALFORMED")


def test_two_authorizations_are_none(secured, caller):
    token = service_token(secured)
    assert failure(lambda: caller.get("x", metadata=bearer(token) * 2))[:2] == (UNAUTHENTICATED, "TOKEN_MALFORMED")


def test_the_scheme_is_in_any_letter_case(secured, caller):
    ada = caller.create()
    for scheme in ["bearer", "BEARER", "bEaReR"]:
        caller.get(ada.id, metadata=[("authorization", f"{scheme} {service_token(secured)}")])


def test_reflection_can_be_private(pb, serve):
    service = serve(auth="on", settings={"auth.reflection.public": "false"})
    with grpc.insecure_channel(service.address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")

        def names(metadata):
            answers = list(stub.ServerReflectionInfo(iter([request]), timeout=TIMEOUT, metadata=metadata))
            return {service.name for service in answers[0].list_services_response.service}

        assert failure(lambda: names(None))[:2] == (UNAUTHENTICATED, "TOKEN_MISSING")
        assert "auth.v1.AuthService" in names(bearer(service_token(service)))


@pytest.mark.parametrize("changes", [{"password": "another horse"}, {"password": ""}, {"status": 2}])
def test_a_change_ends_tokens_at_once_and_for_good(pb, serve, tmp_path, changes):
    database = tmp_path / "users.db"
    service = serve(auth="on", database=database)
    with grpc.insecure_channel(service.address) as channel:
        caller = Caller(pb, channel)
        ada = caller.create()
        tokens, own = caller.sign_in(), caller.sign_in()
        service_tokens = [
            service_token(service, "", ada.id), service_token(service, "users:read", ada.id)]
        for token in [tokens.access_token, own.access_token, *service_tokens]:
            caller.get(ada.id, token)
        # The user itself makes the change, which revokes its own token too.
        caller.update(ada.id, own.access_token, current_password="correct horse", **changes)

    def ended(caller):
        for token in [tokens.access_token, own.access_token, *service_tokens]:
            assert failure(lambda: caller.get(ada.id, token))[:2] == (UNAUTHENTICATED, "TOKEN_REVOKED")
        assert failure(lambda: caller.refresh(tokens.refresh_token))[0] == UNAUTHENTICATED

    with grpc.insecure_channel(service.address) as channel:
        ended(Caller(pb, channel))
    assert service.stop()[0] == 0
    again = serve(auth="on", database=database)
    with grpc.insecure_channel(again.address) as channel:
        ended(Caller(pb, channel))


def test_a_running_stream_ends_with_its_token(caller):
    ada = caller.create()
    token = caller.sign_in().access_token
    answered = threading.Semaphore(1)

    def updates():
        password = {"password": "another horse", "current_password": "correct horse"}
        for change in [{"name": "Ada"}, password, {"name": "Eve"}]:
            assert answered.acquire(timeout=TIMEOUT)
            yield caller.pb.UserUpdateRequest(user_id=ada.id, **change)

    call = caller.users.UserUpdates(updates(), timeout=TIMEOUT, metadata=bearer(token))
    names = []

    def read():
        for user in call:
            names.append(user.name)
            answered.release()

    assert failure(read)[:2] == (UNAUTHENTICATED, "TOKEN_REVOKED")
    assert names == ["Ada", "Ada"]
