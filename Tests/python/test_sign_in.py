"""Tests passwords, guesses and sessions by grpcio."""

import subprocess
import threading
import time

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest
from joserfc import jwt
from joserfc.jwk import OKPKey

from callers import DENIED, EXHAUSTED, UNAUTHENTICATED, Caller, details, failure, service_token
from databases import bytes_literal, execute, lengthen_waits
from program import TIMEOUT, run

# Each test runs on the inline road and on the handler road, and on PostgreSQL.
ANSWERING = ["inline", "task"]
ENGINES = ["sqlite", "postgres"]


def test_tokens_can_be_verified_with_the_published_keys(secured, caller):
    ada = caller.create()
    tokens = caller.sign_in()
    keys = caller.auth.GetJsonWebKeySet(caller.pb.auth.GetJsonWebKeySetRequest(), timeout=TIMEOUT).keys
    key = OKPKey.import_key({field.name: value for field, value in keys[0].ListFields()})
    token = jwt.decode(tokens.access_token, key, algorithms=["EdDSA"])
    assert token.header["kid"] == keys[0].kid and token.header["typ"] == "at+jwt"
    claims = token.claims
    assert (claims["sub"], claims["iss"], claims["aud"]) == (ada.id, "user-service", "user-service")
    assert claims["exp"] - claims["iat"] == 900
    assert claims["exp"] == tokens.access_token_expires_at.seconds
    assert "scope" not in claims


def test_refusals_of_a_sign_in_are_alike(secured, caller):
    admin = service_token(secured)
    caller.create()
    caller.create("nopass@example.com", password="")
    off = caller.create("off@example.com")
    caller.update(off.id, admin, status=2)
    answers = {
        failure(lambda: caller.sign_in(email, password))
        for email, password in [
            ("ada@example.com", "wrong horse"), ("ada@example.com", "x"), ("nobody@example.com", "correct horse"),
            ("nopass@example.com", "correct horse"), ("off@example.com", "correct horse")]}
    assert answers == {(UNAUTHENTICATED, "CREDENTIALS_INVALID", 0)}
    for email, password in [("", ""), ("ada", "x"), ("ada@example.com", ""), ("ada@example.com", "x" * 1_025)]:
        assert failure(lambda: caller.sign_in(email, password))[1] == "INVALID_REQUEST"


def test_guessing_is_slowed_down_and_a_restart_does_not_help(pb, serve):
    database = None
    for restart in range(2):
        service = serve(auth="on", database=database)
        database = service.database
        with grpc.insecure_channel(service.address) as channel:
            caller = Caller(pb, channel)
            if not restart:
                caller.create()
                for _ in range(5):
                    assert failure(lambda: caller.sign_in(password="wrong horse"))[0] == UNAUTHENTICATED
            code, reason, wait = failure(caller.sign_in)
            assert (code, reason) == (EXHAUSTED, "TOO_MANY_ATTEMPTS")
            assert 0 < wait <= (60_000 if restart else 1_000)
        assert service.stop()[0] == 0
        if not restart:
            lengthen_waits(database)


@pytest.fixture
def two_networks(pb, serve):
    """A service, and callers of it from two networks."""
    service = serve(auth="on", listen=("127.0.0.1:0", "[::1]:0"), settings={"peer.rate": "none"})
    with grpc.insecure_channel(service.addresses[0]) as here, grpc.insecure_channel(service.addresses[1]) as there:
        yield service, Caller(pb, here), Caller(pb, there)


def test_a_stranger_does_not_keep_the_right_password_out(two_networks):
    service, stranger, home = two_networks
    home.create()
    for _ in range(5):
        assert failure(lambda: stranger.sign_in(password="wrong horse"))[1] == "CREDENTIALS_INVALID"
        home.sign_in()
    lengthen_waits(service.database)
    assert failure(stranger.sign_in)[1] == "TOO_MANY_ATTEMPTS"
    home.sign_in()


def test_right_sign_ins_at_once_do_not_refuse_each_other(caller):
    caller.create()
    failures = []

    def sign_in():
        try:
            caller.sign_in()
        except grpc.RpcError as error:
            failures.append(error)

    threads = [threading.Thread(target=sign_in) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def disable(service, caller, user_id):
    """Disables sign-in: one more failure makes 100 of an account's 99."""
    account = bytes_literal(service.database, bytes.fromhex(user_id.replace("-", "")))
    execute(service.database, f"INSERT INTO sign_in_accounts VALUES ({account}, 99, {int(time.time() * 1e6)})")
    assert failure(lambda: caller.sign_in(password="wrong horse"))[1] == "CREDENTIALS_INVALID"
    assert failure(caller.sign_in)[:2] == (grpc.StatusCode.FAILED_PRECONDITION, "SIGN_IN_DISABLED")


def test_100_failures_end_sign_in_but_not_for_a_known_device(two_networks):
    service, stranger, home = two_networks
    ada = home.create()
    device = home.sign_in().refresh_token
    disable(service, stranger, ada.id)
    assert failure(home.sign_in)[1] == "SIGN_IN_DISABLED"
    home.sign_in(device=device)
    home.sign_in()


def test_an_operator_unlocks_a_user(two_networks):
    service, stranger, home = two_networks
    ada = home.create()
    admin = service_token(service)
    for unlock in [
        lambda: run("users", "unlock", ada.id, "--database", service.database),
        lambda: home.update(ada.id, admin, status=1),
        lambda: home.update(ada.id, admin, password="correct horse"),
    ]:
        disable(service, stranger, ada.id)
        assert failure(home.sign_in)[1] == "SIGN_IN_DISABLED"
        done = unlock()
        if isinstance(done, subprocess.CompletedProcess):
            assert done.returncode == 0
            assert done.stdout == f"unlocked {ada.id}: 100 consecutive failures reset\n"
        home.sign_in()
        stranger.sign_in()


@pytest.mark.parametrize("user, database, code", [
    ("01a20e13-53dc-756f-b844-595a9b132cb5", None, 3), ("ada", None, 3), ("ada", "/nonexistent.db", 1)])
def test_what_cannot_be_unlocked(secured, user, database, code):
    done = run("users", "unlock", user, "--database", database or secured.database)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith("Error: ")


def test_guesses_through_a_request_id_are_counted(secured, caller):
    request = {"email": "ada@example.com", "request_id": "b1b2c3d4-0000-4000-8000-000000000001"}

    def create(password):
        return caller.users.CreateUser(
            caller.pb.CreateUserRequest(password=password, **request), timeout=TIMEOUT)

    ada = create("correct horse")
    assert create("correct horse") == ada
    for _ in range(5):
        assert failure(lambda: create("wrong horse"))[1] == "INVALID_REQUEST"
    lengthen_waits(secured.database)
    assert failure(lambda: create("correct horse"))[:2] == (EXHAUSTED, "TOO_MANY_ATTEMPTS")
    assert failure(caller.sign_in)[1] == "TOO_MANY_ATTEMPTS"


@pytest.mark.parametrize("changes", [{"email": "new@example.com"}, {"password": "another horse"}, {"password": ""}])
def test_a_leaked_access_token_does_not_become_the_account(secured, caller, changes):
    ada = caller.create()
    token = caller.sign_in().access_token
    assert failure(lambda: caller.update(ada.id, token, **changes))[:2] == (DENIED, "CURRENT_PASSWORD_REQUIRED")
    for _ in range(5):
        assert failure(lambda: caller.update(ada.id, token, current_password="wrong horse", **changes))[:2] == (
            DENIED, "CURRENT_PASSWORD_WRONG")
    lengthen_waits(secured.database)
    right = {"current_password": "correct horse", **changes}
    assert failure(lambda: caller.update(ada.id, token, **right))[1] == "TOO_MANY_ATTEMPTS"
    assert failure(caller.sign_in)[1] == "TOO_MANY_ATTEMPTS"
    # A caller with users:write needs no current password.
    other = caller.create("bob@example.com")
    caller.update(other.id, service_token(secured), password="another horse", email="carl@example.com")
    own = caller.sign_in("carl@example.com", "another horse").access_token
    caller.update(other.id, own, current_password="another horse", **changes)


@pytest.mark.parametrize("password, reason", [
    ("1234567", "TOO_SHORT"), ("пароль", "TOO_SHORT"), ("Password1", "TOO_COMMON"), ("ada.lovelace", "TOO_SIMILAR"),
    ("Ada.Lovelace@example.com", "TOO_SIMILAR"), ("countess1815", "TOO_SIMILAR"), ("User-Service!", "TOO_SIMILAR"),
    ("correct\0horse", "FORBIDDEN_CHARACTER"), ("x" * 1_025, "TOO_LONG")])
def test_passwords_that_are_refused(caller, password, reason):
    with pytest.raises(grpc.RpcError) as raised:
        caller.users.CreateUser(
            caller.pb.CreateUserRequest(email="ada.lovelace@example.com", name="Countess", password=password),
            timeout=TIMEOUT)
    [violations] = details(raised.value, BadRequest)
    assert [(violation.field, violation.reason) for violation in violations.field_violations] == [
        ("password", reason)]


def test_the_shortest_password_is_a_setting(pb, serve):
    service = serve(auth="on", settings={"password.min.length": "15"})
    with grpc.insecure_channel(service.address) as channel:
        caller = Caller(pb, channel)
        assert failure(caller.create)[1] == "INVALID_REQUEST"
        caller.create(password="correct horse battery")


def test_refresh_and_revoke(caller):
    ada = caller.create()
    first = caller.sign_in()
    second = caller.refresh(first.refresh_token)
    assert caller.refresh(first.refresh_token).refresh_token == second.refresh_token
    caller.get(ada.id, second.access_token)
    caller.revoke(second.refresh_token)
    for token in [first, second]:
        assert failure(lambda: caller.get(ada.id, token.access_token))[:2] == (UNAUTHENTICATED, "TOKEN_REVOKED")
        assert failure(lambda: caller.refresh(token.refresh_token))[:2] == (UNAUTHENTICATED, "TOKEN_REVOKED")
    caller.revoke(second.refresh_token)
    for text, reason in [
        ("", "TOKEN_MALFORMED"), ("x" * 64, "TOKEN_UNTRUSTED"), ("x" * 900, "TOKEN_MALFORMED"),
        (first.access_token, "TOKEN_MALFORMED")]:
        assert failure(lambda: caller.refresh(text))[:2] == (UNAUTHENTICATED, reason)
        assert failure(lambda: caller.revoke(text))[:2] == (UNAUTHENTICATED, reason)


def test_an_ended_session_is_over_after_a_restart_too(pb, serve):
    service = serve(auth="on")
    with grpc.insecure_channel(service.address) as channel:
        caller = Caller(pb, channel)
        ada, ended, going_on = caller.create(), caller.sign_in(), caller.sign_in()
        caller.revoke(ended.refresh_token)
    assert service.stop()[0] == 0
    service = serve(auth="on", database=service.database)
    with grpc.insecure_channel(service.address) as channel:
        caller = Caller(pb, channel)
        assert failure(lambda: caller.get(ada.id, ended.access_token))[1] == "TOKEN_REVOKED"
        caller.get(ada.id, going_on.access_token)
        caller.refresh(going_on.refresh_token)


def test_many_refreshes_at_once_give_one_successor(caller):
    caller.create()
    token = caller.sign_in().refresh_token
    successors, lock = set(), threading.Lock()

    def refresh():
        answer = caller.refresh(token)
        with lock:
            successors.add(answer.refresh_token)

    threads = [threading.Thread(target=refresh) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(successors) == 1


def test_one_address_cannot_sign_up_or_guess_without_end(pb, serve):
    service = serve(auth="on", settings={"peer.rate": "0.001", "peer.burst": "3"})
    with grpc.insecure_channel(service.address) as channel:
        caller = Caller(pb, channel)
        ada = caller.create()
        caller.sign_in()
        failure(lambda: caller.create("nobody"))
        for call in [lambda: caller.create("bob@example.com"), caller.sign_in]:
            code, reason, wait = failure(call)
            assert (code, reason) == (EXHAUSTED, "PEER_LIMIT_EXCEEDED")
            assert 0 < wait <= 1_000_000
        # Nothing else is limited, and neither is a service with users:write.
        token = service_token(service)
        for number in range(10):
            caller.get(ada.id, token)
            caller.create(f"user{number}@example.com", token=token)
