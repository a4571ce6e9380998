"""Tests ExportUsers, and the permissions of imports and exports, by grpcio."""

import time

import grpc
import pytest

import hashes
from callers import UNAUTHENTICATED, bearer, failure, service_token
from foreign_users import EVERYTHING, Conversation, Rows
from issuer import ISSUER, make_key, make_token, write_keys
from program import TIMEOUT
from user_calls import DENIED, UserCalls, invalid, refusal
from waiting import wait_until

# Each test runs on SQLite and on PostgreSQL.
ENGINES = ["sqlite", "postgres"]


def test_an_export_continues_after_any_of_its_page_tokens(calls, row):
    rows = Rows(row, 11)
    calls.imports(*[rows.valid() for _ in range(1_000)])
    exported = calls.export()
    ends = [index for index, user in enumerate(exported) if user.page_token]
    assert len(ends) >= 5 and ends[-1] == len(exported) - 1
    for end in ends:
        assert calls.export(page_token=exported[end].page_token) == exported[end + 1:]
    # Users that were created meanwhile follow.
    eve = calls.create("eve@example.com")
    assert [user.id for user in calls.export(page_token=exported[-1].page_token)] == [eve.id]
    for token in ("x", exported[-1].page_token[:-1] + "!", "A" * 43):
        assert "page_token" in invalid(lambda: calls.export(page_token=token))


def test_an_export_has_hashes_only_on_request(calls, row):
    text = hashes.make("md5", "correct horse")
    calls.imports(row(email="ada@example.com", password_hash=text), row(email="bob@example.com"))
    assert {user.email: user.password_hash for user in calls.export(password_hashes=True)} == {
        "ada@example.com": text, "bob@example.com": ""}
    assert all(not user.password_hash and not user.password for user in calls.export())


# Permissions


@pytest.mark.parametrize("scope, permitted", [
    ("users:read,users:write", []), ("users:import", ["import"]), ("users:export", ["export"]),
    ("users:export,users:export-hashes", ["export", "hashes"]), ("users:export-hashes", [])])
def test_imports_exports_and_hashes_have_scopes_of_their_own(pb, secured, row, scope, permitted):
    with grpc.insecure_channel(secured.address) as channel:
        calls = UserCalls(pb, pb.Stub(channel), service_token(secured, scope))
        needs = {
            "import": (lambda: calls.imports(row(email="ada@example.com")), "users:import"),
            "export": (calls.export, "users:export"),
            "hashes": (lambda: calls.export(password_hashes=True), None)}
        for name, (call, missing) in needs.items():
            if name in permitted:
                call()
                continue
            status = refusal(call)
            assert status[:2] == DENIED
            first = "users:export-hashes" if "users:export" in scope.split(",") else "users:export"
            assert status.metadata == {"scope": missing or first}


@pytest.fixture
def trusting(serve, tmp_path):
    """A service that trusts another issuer, and the issuer's key."""
    key = make_key("ES256", "key")
    write_keys(tmp_path / "jwks.json", [key])
    return serve(auth="on", settings={
        "auth.jwks.file": tmp_path / "jwks.json", "auth.jwks.issuer": ISSUER}), key


def short_token(key, scope):
    """Returns a token that the service accepts for 3 to 4 more seconds, and the time of its end by the monotonic clock."""
    expires = int(time.time()) + 4
    # The tolerated difference of clocks is 30 seconds.
    return make_token(key, exp=expires - 30, scope=scope), time.monotonic() + expires - time.time()


def test_a_token_that_expires_ends_an_import_and_the_rows_before_stay(pb, trusting, row):
    service, key = trusting
    with grpc.insecure_channel(service.address) as channel:
        token, end = short_token(key, "users:import")
        conversation = Conversation(UserCalls(pb, pb.Stub(channel), token))
        conversation.send(row(email="ada@example.com"))
        assert not conversation.result().HasField("status")
        wait_until(lambda: time.monotonic() > end)
        conversation.send(row(email="bob@example.com"))
        assert failure(conversation.result)[:2] == (UNAUTHENTICATED, "TOKEN_EXPIRED")
        conversation.end()
        calls = UserCalls(pb, pb.Stub(channel), service_token(service, EVERYTHING))
        assert [user.email for user in calls.listing()] == ["ada@example.com"]


def test_a_token_that_expires_ends_an_export(pb, trusting, row):
    service, key = trusting
    # The flow-control window stays at 64 KiB.
    with grpc.insecure_channel(service.address, [("grpc.http2.bdp_probe", 0)]) as channel:
        calls = UserCalls(pb, pb.Stub(channel), service_token(service, EVERYTHING))
        calls.imports(*[row(email=f"user{number}@example.com", name="\U0001f40e" * 256) for number in range(2_000)])
        token, end = short_token(key, "users:export")
        export = calls.stub.ExportUsers(pb.ExportUsersRequest(), timeout=TIMEOUT, metadata=bearer(token))
        assert next(export).email
        wait_until(lambda: time.monotonic() > end)
        assert failure(lambda: list(export))[:2] == (UNAUTHENTICATED, "TOKEN_EXPIRED")
