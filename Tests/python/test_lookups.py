"""Tests GetUserByEmail, BatchGetUsers, labels and creations that are only checked, by grpcio."""

import uuid

import grpc
import pytest

from callers import Caller, service_token
from user_calls import DENIED, NOT_FOUND, TAKEN, UserCalls, invalid, refusal

# Each test runs on the inline road and on the handler road, and on PostgreSQL.
ANSWERING = ["inline", "task"]
ENGINES = ["sqlite", "postgres"]


@pytest.fixture(scope="module")
def calls(shared_calls):
    return shared_calls


# GetUserByEmail


def test_users_are_found_by_their_addresses(calls, address):
    ada = calls.create(address, name="Ada", labels={"tenant": "a"})
    for text in (address, address.upper(), f" {address}\n"):
        assert calls.find(text) == ada
    moved = calls.update(ada.id, email="x" + address)
    assert calls.find("x" + address) == moved
    assert refusal(lambda: calls.find(address))[:2] == NOT_FOUND


@pytest.mark.parametrize("stored, asked", [
    ("\u00c9va@{}.example", "\u00e9VA@{}.EXAMPLE"), ("\u00c9va@{}.example", "E\u0301va@{}.example"),
    ("stra\u00dfe@{}.example", "STRASSE@{}.example"), ("\u03c3\u03c2@{}.example", "\u03a3\u03a3@{}.example")])
def test_addresses_are_compared_in_any_script(calls, stored, asked):
    number = uuid.uuid4().hex[:8]
    user = calls.create(stored.format(number))
    assert calls.find(asked.format(number)) == user
    assert refusal(lambda: calls.create(asked.format(number)))[:2] == TAKEN


def test_domains_are_compared_by_their_a_labels(calls):
    domain = f"b\u00fccher-{uuid.uuid4().hex[:8]}.example"
    user = calls.create(f"ada@{domain}")
    assert calls.find(f"ada@{domain.encode('idna').decode()}") == user


def test_an_address_is_required(calls):
    for text, reason in (("", "REQUIRED"), ("x", "MALFORMED"), ("x" * 65 + "@example.com", "TOO_LONG")):
        assert invalid(lambda: calls.find(text)) == {"email": reason}
    assert refusal(lambda: calls.find(f"{uuid.uuid4().hex}@example.com"))[:2] == NOT_FOUND


def test_deleted_users_are_found_only_on_request(calls, address):
    ada = calls.delete(calls.create(address).id)
    for read in (lambda **more: calls.find(address, **more), lambda **more: calls.get(ada.id, **more),
                 lambda **more: calls.batch([ada.id], **more)[0]):
        assert refusal(read)[:2] == NOT_FOUND
        assert read(show_deleted=True) == ada


def test_an_answer_to_another_caller_does_not_depend_on_who_has_an_address(pb, secured):
    with grpc.insecure_channel(secured.address) as channel:
        caller = Caller(pb, channel)
        ada, bob = caller.create(), caller.create("bob@example.com")
        calls = UserCalls(pb, caller.users, caller.sign_in().access_token)
        gone = caller.create("gone@example.com")
        calls.bearing(service_token(secured)).delete(gone.id)
        assert calls.find("ADA@example.com") == ada
        seen = {repr(refusal(lambda: calls.find(text, show_deleted=deleted)))
                for text in (bob.email, "eve@example.com", gone.email) for deleted in (False, True)}
        assert len(seen) == 1
        status = refusal(lambda: calls.find(bob.email))
        assert status[:2] == DENIED and status.metadata == {"scope": "users:read"}


# BatchGetUsers


@pytest.fixture(scope="module")
def thousand(pb, shared_service):
    """The ids of 1,000 users."""
    with grpc.insecure_channel(shared_service.address) as channel:
        calls = UserCalls(pb, pb.Stub(channel))
        prefix = uuid.uuid4().hex
        rows = [pb.CreateUserRequest(email=f"{prefix}{number}@example.com") for number in range(1_000)]
        return list(calls.bulk(*rows).user_ids)


def test_a_batch_has_the_order_of_its_ids(calls, thousand):
    ids = [thousand[7], thousand[3], thousand[7].upper(), thousand[0], thousand[7]]
    found = calls.batch(ids)
    assert [user.id for user in found] == [id.lower() for id in ids]
    assert found[0] == found[2] == found[4] == calls.get(thousand[7])


def test_a_batch_has_at_most_1000_ids(calls, thousand):
    assert [user.id for user in calls.batch(thousand[::-1])] == thousand[::-1]
    assert [user.id for user in calls.batch([thousand[0]] * 1_000)] == [thousand[0]] * 1_000
    for ids in ([*thousand, thousand[0]], []):
        assert invalid(lambda: calls.batch(ids)) == {"user_ids": "OUT_OF_RANGE"}
    assert invalid(lambda: calls.batch([thousand[0], ""])) == {"user_ids": "REQUIRED"}


def test_a_batch_names_what_is_missing(calls, thousand):
    unknown = [str(uuid.uuid4()) for _ in range(60)]
    status = refusal(lambda: calls.batch([thousand[0], unknown[0], "nonsense", thousand[1], unknown[0]]))
    assert status[:2] == NOT_FOUND
    assert status.metadata == {"missing": f"{unknown[0]},nonsense,{unknown[0]}"}
    status = refusal(lambda: calls.batch(unknown))
    assert status.metadata == {"missing": ",".join([*unknown[:50], "…"])}


def test_long_ids_do_not_make_long_trailers(calls):
    status = refusal(lambda: calls.batch(["x" * 100] * 500))
    assert status[:2] == NOT_FOUND and len(status.metadata["missing"]) < 4_096


# Labels

GOOD_LABELS = [
    {"a": ""}, {"0": "x"}, {"a-b": "x=y"}, {"x" * 63: "v" * 128}, {"k": "é" * 64}, {"k": "\"*\\ '"},
    {"xn--a": "\U0001f600"}, {f"k{number}": "v" * 128 for number in range(16)}]
BAD_LABELS = [
    ({f"k{number}": "" for number in range(17)}, "OUT_OF_RANGE"), ({"": "x"}, "MALFORMED"),
    ({"x" * 64: "x"}, "MALFORMED"), ({"A": "x"}, "MALFORMED"), ({"-a": "x"}, "MALFORMED"),
    ({"a-": "x"}, "MALFORMED"), ({"-": "x"}, "MALFORMED"), ({"a_b": "x"}, "MALFORMED"),
    ({"a.b": "x"}, "MALFORMED"), ({"é": "x"}, "MALFORMED"), ({"a b": "x"}, "MALFORMED"),
    ({"a=b": "x"}, "MALFORMED"), ({"a\n": "x"}, "MALFORMED"),
    ({"a": "v" * 129}, "TOO_LONG"), ({"a": "é" * 64 + "v"}, "TOO_LONG"), ({"a": "x\ny"}, "FORBIDDEN_CHARACTER"),
    ({"a": "\x00"}, "FORBIDDEN_CHARACTER"), ({"a": "\x7f"}, "FORBIDDEN_CHARACTER"),
    ({"a": "\x85"}, "FORBIDDEN_CHARACTER"), ({"a": "\u2028"}, "FORBIDDEN_CHARACTER")]


@pytest.mark.parametrize("labels", GOOD_LABELS)
def test_labels_are_stored_as_they_are(pb, calls, address, labels):
    made = calls.create(address, labels=labels)
    bob = calls.create("b" + address)
    assert dict(made.labels) == labels
    assert dict(calls.get(made.id).labels) == labels
    assert dict(calls.update(bob.id, labels=labels).labels) == labels
    [row] = calls.bulk(pb.CreateUserRequest(email="c" + address, labels=labels)).user_ids
    assert [dict(user.labels) for user in calls.batch([bob.id, row])] == [labels, labels]
    listed = {user.id: dict(user.labels) for user in calls.listing(page_size=1_000)}
    assert listed[made.id] == listed[bob.id] == listed[row] == labels


@pytest.mark.parametrize("labels, reason", BAD_LABELS)
def test_labels_beyond_their_bounds_are_refused(pb, calls, address, labels, reason):
    ada = calls.create(address)
    for options in ({}, {"validate_only": True}):
        assert invalid(lambda: calls.create("b" + address, labels=labels, **options)) == {"labels": reason}
        assert invalid(lambda: calls.update(ada.id, labels=labels, **options)) == {"labels": reason}
    [row] = calls.bulk(pb.CreateUserRequest(email="b" + address, labels=labels)).failures
    assert (row.status.code, row.status.message) == (3, "Invalid labels")
    assert calls.get(ada.id) == ada


# Creations


def test_a_creation_that_is_only_checked_stores_nothing(pb, calls, address):
    seen = calls.create(address, name="Ada", labels={"a": "b"}, password="correct horse", validate_only=True)
    assert seen == pb.User(email=address, name="Ada", status=1, labels={"a": "b"})
    assert refusal(lambda: calls.find(address, show_deleted=True))[:2] == NOT_FOUND
    ada = calls.create(address)
    for only in (True, False):
        assert refusal(lambda: calls.create(address.upper(), validate_only=only))[:2] == TAKEN
        assert invalid(lambda: calls.create("x", password="x", name="\n", request_id="x", validate_only=only)) == {
            "email": "MALFORMED", "password": "TOO_SHORT", "name": "FORBIDDEN_CHARACTER",
            "request_id": "MALFORMED"}
    assert calls.get(ada.id) == ada


def test_labels_are_among_the_fields_of_a_request_with_an_id(calls, address):
    request = str(uuid.uuid4())
    ada = calls.create(address, labels={"a": "b"}, request_id=request)
    assert calls.create(address, labels={"a": "b"}, request_id=request) == ada
    for labels in ({}, {"a": "c"}):
        assert invalid(lambda: calls.create(address, labels=labels, request_id=request)) == {
            "request_id": "ALREADY_USED"}
