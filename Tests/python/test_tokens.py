"""Tests the tokens that an operator issues and revokes, and the keys that sign them."""

import json
import os
import pathlib
import subprocess
import threading

import grpc
import pytest

from callers import UNAUTHENTICATED, Caller, failure, service_token, token_id
from issuer import encode
from program import PROGRAM, TIMEOUT, run
from waiting import wait_until

# Each test runs on the inline road and on the handler road, and on PostgreSQL.
ANSWERING = ["inline", "task"]
ENGINES = ["sqlite", "postgres"]


@pytest.mark.parametrize("overlap", ["1h", "0s"])
def test_a_token_of_a_new_key_is_good_at_once(pb, secured, caller, overlap):
    """`keys rotate && token issue` is followed by a call without a wait."""
    caller.list(service_token(secured))
    for _ in range(3):
        assert run("keys", "rotate", "--database", secured.database, "--overlap", overlap).returncode == 0
        caller.list(service_token(secured))


@pytest.mark.engines("sqlite")
def test_made_up_keys_cost_little(secured, caller):
    """Each makes the service read the key files, but only a few times per second in all. A valid token is not held
    up."""
    token = service_token(secured)
    claims = token.split(".")[1]
    made_up = [f"{encode({'alg': 'EdDSA', 'kid': str(number), 'typ': 'at+jwt'})}.{claims}.AAAA" for number in range(64)]
    results, lock = [], threading.Lock()

    def call(text):
        answer = failure(lambda: caller.list(text))[:2]
        with lock:
            results.append(answer)

    threads = [threading.Thread(target=call, args=(text,)) for text in made_up]
    for thread in threads:
        thread.start()
    caller.list(token)
    for thread in threads:
        thread.join()
    assert results == [(UNAUTHENTICATED, "TOKEN_UNTRUSTED")] * len(made_up)
    caller.list(token)


@pytest.mark.engines("sqlite")
def test_a_token_is_issued_before_the_first_start_and_without_the_service(pb, serve, tmp_path):
    database = tmp_path / "new.db"
    missing = run("token", "issue", "--database", str(database), "--subject", "x", "--scope", "users:read")
    assert missing.returncode == 1 and "no such database" in missing.stderr
    assert list(tmp_path.iterdir()) == []
    assert run("migrate", "up", "--database", str(database)).returncode == 0
    token = run("token", "issue", "--database", str(database), "--subject", "x", "--scope", "users:read").stdout.strip()
    assert (tmp_path / "new.db.keys").stat().st_mode & 0o777 == 0o600
    service = serve(auth="on", database=database)
    with grpc.insecure_channel(service.address) as channel:
        assert Caller(pb, channel).list(token) == []


def keys_of(service):
    """Returns the file with the service's keys."""
    return pathlib.Path(os.environ.get("USER_SERVICE_AUTH_KEYS", service.database + ".keys"))


def test_rotating_keys(pb, secured, caller):
    before = service_token(secured)
    caller.list(before)
    rotated = run("keys", "rotate", "--database", secured.database, "--overlap", "1h")
    assert rotated.returncode == 0
    assert [line.split()[2] for line in rotated.stdout.splitlines()[1:]] == ["valid", "signs"]
    after = service_token(secured)

    def works(token):
        try:
            caller.list(token)
            return True
        except grpc.RpcError:
            return False

    assert works(after) and works(before)
    run("keys", "rotate", "--database", secured.database, "--overlap", "0s")
    wait_until(lambda: not works(before))
    assert not works(after)
    wait_until(lambda: works(service_token(secured)))
    listed = run("keys", "list", "--database", secured.database)
    assert listed.returncode == 0
    secret = json.loads(keys_of(secured).read_text())["keys"][-1]
    assert secret["kid"] in listed.stdout and secret["d"] not in listed.stdout


def test_a_token_can_be_revoked_singly(pb, serve):
    service = serve(auth="on")
    database = service.database

    def revoke(*arguments, text=None):
        return subprocess.run(
            [PROGRAM, "token", "revoke", "--database", database, *arguments], capture_output=True, text=True,
            timeout=TIMEOUT, input=text or "")

    def refused(caller, token):
        try:
            caller.get(ada.id, token)
            return False
        except grpc.RpcError as error:
            assert error.code() == UNAUTHENTICATED
            return True

    with grpc.insecure_channel(service.address) as channel:
        caller = Caller(pb, channel)
        ada = caller.create()
        by_id, by_token, other = (service_token(service) for _ in range(3))
        own = caller.sign_in().access_token
        for token in [by_id, by_token, other]:
            caller.get(ada.id, token)
        caller.get(ada.id, own)
        done = revoke("--jti", token_id(by_id))
        assert (done.returncode, done.stdout) == (0, f"revoked token {token_id(by_id)}\n")
        done = revoke("--token-file", "-", text=by_token + "\n")
        assert (done.returncode, done.stdout) == (0, f"revoked token {token_id(by_token)} of billing\n")
        assert "was already revoked" in revoke("--jti", token_id(by_token)).stdout
        assert revoke("--token-file", "-", text=own).returncode == 0
        for token in [by_id, by_token, own]:
            wait_until(lambda: refused(caller, token))
            assert failure(lambda: caller.get(ada.id, token))[:2] == (UNAUTHENTICATED, "TOKEN_REVOKED")
        caller.list(other)
        caller.get(ada.id, caller.sign_in().access_token)
    assert service.stop()[0] == 0
    # The revocation survives a restart, and works without the service.
    again = serve(auth="on", database=database)
    with grpc.insecure_channel(again.address) as channel:
        caller = Caller(pb, channel)
        assert refused(caller, by_id) and refused(caller, by_token) and refused(caller, own)
        caller.list(other)
    listed = run("token", "list", "--database", database)
    assert listed.returncode == 0
    rows = [line.split() for line in listed.stdout.splitlines()]
    assert rows[0] == ["TOKEN", "SUBJECT", "REVOKED", "EXPIRES"] and len(rows) == 4
    assert {row[0]: row[1] for row in rows[1:]} == {
        token_id(by_id): "unknown", token_id(by_token): "billing", token_id(own): ada.id}


def test_the_id_of_a_token_may_begin_with_a_hyphen(secured):
    revoked = run("token", "revoke", "--database", secured.database, "--jti", "-" + "A" * 21)
    assert (revoked.returncode, revoked.stdout) == (0, f"revoked token -{'A' * 21}\n")


def test_tokens_that_cannot_be_revoked(secured, tmp_path):
    def revoke(*arguments):
        result = run("token", "revoke", "--database", secured.database, *arguments)
        return result.returncode, result.stdout + result.stderr

    assert revoke()[0] == 2 and revoke("--jti", "x")[0] == 2
    (tmp_path / "token").write_text(service_token(secured))
    assert revoke("--jti", "A" * 22, "--token-file", str(tmp_path / "token"))[0] == 2
    (tmp_path / "token").write_text(service_token(secured)[:-4] + "AAAA")
    code, said = revoke("--token-file", str(tmp_path / "token"))
    assert code == 1 and "not a token of this service" in said
    assert revoke("--token-file", str(tmp_path / "missing"))[0] == 1
    missing = run("token", "revoke", "--database", str(tmp_path / "no.db"), "--jti", "A" * 22)
    assert missing.returncode == 1 and "no such database" in missing.stderr
    assert not (tmp_path / "no.db").exists() and not (tmp_path / "no.db.keys").exists()
    assert len(run("token", "list", "--database", secured.database).stdout.splitlines()) == 1


def test_an_issued_token_says_its_id_beside_it(secured):
    result = run("token", "issue", "--database", secured.database, "--subject", "x", "--scope", "users:read")
    assert f"token {token_id(result.stdout.strip())}, expires " in result.stderr


@pytest.mark.parametrize("arguments", [
    ["--subject", "", "--scope", "users:read"], ["--subject", "a b", "--scope", "users:read"],
    ["--subject", "x" * 65, "--scope", "users:read"], ["--subject", "x", "--scope", "users:delete"],
    ["--subject", "x"], ["--subject", "x", "--scope", "users:read", "--ttl", "91d"],
    ["--subject", "x", "--scope", "users:read", "--ttl", "0s"],
    ["--subject", "01a20e13-53dc-756f-b844-595a9b132cb5"]])
def test_tokens_that_are_not_issued(secured, arguments):
    result = run("token", "issue", "--database", secured.database, *arguments)
    assert (result.returncode, result.stdout) == (2, "")
