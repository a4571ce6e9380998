"""Tests what one caller may use, and that others still get their share: rate limits, turns in the hash queue, and
bulk loads whose token becomes invalid."""

import threading

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo

from callers import Caller, bearer, details, failure, service_token
from databases import count_users
from frames import data, field, message, request
from program import run
from waiting import wait_until

# Each test runs on the inline road and on the handler road, and on PostgreSQL.
ANSWERING = ["inline", "task"]
ENGINES = ["sqlite", "postgres"]
TIMEOUT = 60
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED


# Bulk loads.


def end_by_rotation(service, caller, token):
    assert run("keys", "rotate", "--database", service.database, "--overlap", "0s").returncode == 0

    def refused():
        try:
            caller.list(token)
            return False
        except grpc.RpcError:
            return True

    wait_until(refused)


def end_by_status(service, caller, token):
    caller.update(caller.ada.id, token, status=2)


@pytest.mark.parametrize("end, reason", [(end_by_rotation, "TOKEN_UNTRUSTED"), (end_by_status, "TOKEN_REVOKED")])
def test_a_bulk_load_stores_nothing_once_its_token_has_ended(pb, serve, end, reason):
    service = serve(auth="on")
    with grpc.insecure_channel(service.address) as channel:
        caller = Caller(pb, channel)
        caller.ada = caller.create()
        token = service_token(service, "users:read,users:write", caller.ada.id)
        ended = threading.Event()

        def rows():
            for number in range(1_500):
                yield pb.CreateUserRequest(email=f"user{number}@example.com")
            assert ended.wait(TIMEOUT)
            for number in range(1_500, 1_900):
                yield pb.CreateUserRequest(email=f"user{number}@example.com")

        call = caller.users.BulkCreateUsers.future(rows(), timeout=TIMEOUT, metadata=bearer(token))
        wait_until(lambda: count_users(service.database) == 1_001)
        end(service, caller, token)
        ended.set()
        with pytest.raises(grpc.RpcError) as raised:
            call.result()
        [info] = details(raised.value, ErrorInfo)
        assert (raised.value.code(), info.reason) == (UNAUTHENTICATED, reason)
        assert info.metadata["created_count"] == "1000"
        assert count_users(service.database) == 1_001


@pytest.mark.engines("sqlite")
def test_a_private_reflection_stream_ends_with_its_token(pb, serve):
    from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

    service = serve(auth="on", settings={"auth.reflection.public": "false"})
    with grpc.insecure_channel(service.address) as channel:
        caller = Caller(pb, channel)
        token = service_token(service)
        ended = threading.Event()

        def questions():
            yield reflection_pb2.ServerReflectionRequest(list_services="")
            assert ended.wait(TIMEOUT)
            yield reflection_pb2.ServerReflectionRequest(list_services="")

        answers = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
            questions(), timeout=TIMEOUT, metadata=bearer(token))
        next(answers)
        end_by_rotation(service, caller, token)
        ended.set()
        with pytest.raises(grpc.RpcError) as raised:
            next(answers)
        assert details(raised.value, ErrorInfo)[0].reason == "TOKEN_UNTRUSTED"


# Rates.


def test_invalid_tokens_are_looked_into_at_a_limited_rate(pb, serve):
    service = serve(auth="on", settings={"peer.rate": "0.001", "peer.burst": "20"})
    with grpc.insecure_channel(service.address) as channel:
        caller = Caller(pb, channel)
        ada = caller.create()
        token, unseen = service_token(service), service_token(service, "users:read")
        caller.get(ada.id, token)

        def forged(number):
            return f"{token[:-12]}{number:08}{token[-4:]}"

        answers = [failure(lambda: caller.get(ada.id, forged(number)))[:2] for number in range(40)]
        assert answers[0][0] == UNAUTHENTICATED
        assert answers[:20] == answers[:1] * 20
        assert answers[20:] == [(EXHAUSTED, "PEER_LIMIT_EXCEEDED")] * 20
        # The limit applies to any method, even where a token only exempts from the rate limit.
        forgery = forged(99)
        for call in [lambda: caller.list(forgery), lambda: caller.bulk(forgery),
                     lambda: caller.create("eve@example.com", token=forgery)]:
            code, reason, wait = failure(call)
            assert (code, reason) == (EXHAUSTED, "PEER_LIMIT_EXCEEDED") and wait > 0
        # The cached token works, and so do calls without a token.
        caller.get(ada.id, token)
        caller.create("bob@example.com")
        caller.sign_in()
        assert failure(lambda: caller.get(ada.id, unseen))[1] == "PEER_LIMIT_EXCEEDED"


def test_everything_costly_that_needs_no_token_is_limited(pb, serve):
    from grpc_health.v1 import health_pb2, health_pb2_grpc
    from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

    def reflect(channel, count):
        asked = [reflection_pb2.ServerReflectionRequest(list_services="")] * count
        return len(list(reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
            iter(asked), timeout=TIMEOUT)))

    def admitted(caller, call):
        """Returns how often the call is admitted, whatever its response."""
        for number in range(200):
            try:
                call(caller)
            except grpc.RpcError as error:
                if details(error, ErrorInfo)[0].reason == "PEER_LIMIT_EXCEEDED":
                    return number
        return 200

    counts = {}
    for name, call in {
        "refresh": lambda caller: caller.refresh("x" * 64),
        "revoke": lambda caller: caller.revoke("x" * 64),
        "keys": lambda caller: caller.auth.GetJsonWebKeySet(
            pb.auth.GetJsonWebKeySetRequest(), timeout=TIMEOUT),
        "reflection": lambda caller: reflect(caller.channel, 1),
        "reflection, many messages": lambda caller: reflect(caller.channel, 4),
    }.items():
        service = serve(auth="on", settings={"peer.rate": "0.001", "peer.burst": "2"})
        with grpc.insecure_channel(service.address) as channel:
            caller = Caller(pb, channel)
            caller.channel = channel
            counts[name] = admitted(caller, call)
            # Load balancers still learn that the service is healthy.
            for _ in range(50):
                health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT)
    assert counts == {"refresh": 8, "revoke": 8, "keys": 20, "reflection": 20, "reflection, many messages": 5}


def test_own_updates_do_not_tell_at_any_rate_which_addresses_are_registered(pb, serve):
    service = serve(auth="on", settings={"peer.rate": "0.001", "peer.burst": "6"})
    with grpc.insecure_channel(service.address) as channel:
        caller = Caller(pb, channel)
        ada = caller.create()
        caller.create("bob@example.com")
        own = caller.sign_in().access_token
        for number in range(20):
            caller.update(ada.id, own, name=f"Ada {number}")
        for _ in range(3):
            assert failure(lambda: caller.update(
                ada.id, own, email="bob@example.com", current_password="correct horse"))[1] == "EMAIL_ALREADY_REGISTERED"
        for changes in [{"email": "bob@example.com"}, {"email": "free@example.com"}, {"password": "x"},
                        {"email": "nonsense"}]:
            code, reason, wait = failure(lambda: caller.update(ada.id, own, **changes))
            assert (code, reason) == (EXHAUSTED, "PEER_LIMIT_EXCEEDED") and wait > 0
        # The limit also applies within a stream, after an update that is not counted.
        updates = [pb.UserUpdateRequest(user_id=ada.id, name="Ada"),
                   pb.UserUpdateRequest(user_id=ada.id, email="bob@example.com")]
        with pytest.raises(grpc.RpcError) as raised:
            list(caller.users.UserUpdates(iter(updates), timeout=TIMEOUT, metadata=bearer(own)))
        [info] = details(raised.value, ErrorInfo)
        assert (info.reason, info.metadata["request_index"]) == ("PEER_LIMIT_EXCEEDED", "1")
        # A service may change any number of users.
        token = service_token(service)
        for number in range(20):
            caller.update(ada.id, token, email=f"ada{number}@example.com")


# Turns in the hash queue.


@pytest.mark.engines("sqlite")
def test_a_bulk_load_with_passwords_does_not_keep_sign_ins_out(pb, serve):
    """Twelve hashes compete for a queue of four."""
    service = serve(auth="on", settings={
        "argon2.threads": "1", "argon2.queue": "4", "peer.rate": "none"})
    with grpc.insecure_channel(service.address) as channel:
        caller = Caller(pb, channel)
        caller.create()
        token = service_token(service)
        # A batch is hashed when it is full, or the stream has ended.
        batches = [iter([pb.CreateUserRequest(email=f"user{load}.{number}@example.com", password="correct horse")
                         for number in range(40)]) for load in range(3)]
        calls = [caller.users.BulkCreateUsers.future(batch, timeout=5 * TIMEOUT, metadata=bearer(token))
                 for batch in batches]
        during = 0
        while not any(call.done() for call in calls):
            caller.sign_in()
            during += 1
        assert during > 0
        for call in calls:
            assert call.result().created_count == 40


@pytest.mark.engines("sqlite")
def test_nine_addresses_do_not_keep_a_tenth_out(pb, serve, connect):
    service = serve(auth="on", settings={"argon2.threads": "1", "argon2.queue": "36"})
    with grpc.insecure_channel(service.address) as channel:
        caller = Caller(pb, channel)
        caller.create()
        crowd = [connect(service.address, source=f"127.0.0.{2 + number}") for number in range(9)]
        for index, client in enumerate(crowd):
            for number in range(20):
                stream = 1 + 2 * number
                body = field(1, f"user{index}.{number}@example.com") + field(3, "correct horse")
                client.send(client.header_frame(stream, request("CreateUser")),
                            data(stream, message(body), end=True))
        # All calls of the others are in the queue, or were refused.
        for client in crowd:
            client.round_trip()
        for _ in range(3):
            caller.sign_in()
        statuses = {client.response(1 + 2 * number).status for client in crowd for number in range(20)}
        assert statuses <= {"0", "8"}
