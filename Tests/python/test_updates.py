"""Tests UpdateUser, and what UserUpdates shares with it, by grpcio."""

import time
import uuid

import grpc
import pytest

from callers import Caller, service_token
from user_calls import CHANGED, DENIED, NOT_FOUND, TAKEN, UserCalls, invalid, refusal

# Each test runs on the inline road and on the handler road, and on PostgreSQL.
ANSWERING = ["inline", "task"]
ENGINES = ["sqlite", "postgres"]


@pytest.fixture(scope="module")
def calls(shared_calls):
    return shared_calls


def fields(user):
    return user.email, user.name, user.status, dict(user.labels)


def test_the_fields_of_the_mask_change_and_no_others(calls, address):
    ada = calls.create(address, name="Ada", labels={"tenant": "a"})
    new = {"email": "x" + address, "name": "Eve", "status": 2, "labels": {"team": "b"}}
    expected = {"email": address, "name": "Ada", "status": 1, "labels": {"tenant": "a"}}
    for path, value in new.items():
        changed = calls.update(ada.id, [path], **new)
        expected[path] = value
        assert fields(changed) == tuple(expected.values())
        assert calls.get(ada.id) == changed
        assert changed.created_at == ada.created_at and changed.id == ada.id


def test_an_absent_mask_stands_for_the_fields_that_are_not_empty(calls, address):
    ada = calls.create(address, name="Ada", labels={"tenant": "a"})
    assert calls.update(ada.id) == ada
    eve = calls.update(ada.id, name="Eve")
    assert fields(eve) == (address, "Eve", 1, {"tenant": "a"})
    both = calls.update(ada.id, status=2, labels={"team": "b"})
    assert fields(both) == (address, "Eve", 2, {"team": "b"})


def test_a_mask_without_paths_changes_nothing(calls, address):
    ada = calls.create(address, name="Ada")
    assert calls.update(ada.id, [], name="Eve") == ada


def test_an_asterisk_stands_for_all_fields(calls, address):
    ada = calls.create(address, name="Ada", labels={"tenant": "a"})
    bare = calls.update(ada.id, ["*"], email="x" + address, status=2)
    assert fields(bare) == ("x" + address, "", 2, {})
    assert invalid(lambda: calls.update(ada.id, ["*"])) == {"email": "REQUIRED", "status": "OUT_OF_RANGE"}


def test_fields_that_the_service_assigns_are_ignored(calls, address):
    ada = calls.create(address, name="Ada")
    assigned = ["id", "created_at", "page_token", "update_time", "delete_time", "purge_time", "etag", "update_id"]
    values = {"created_at": {"seconds": 1}, "update_time": {"seconds": 1}, "delete_time": {"seconds": 1},
              "purge_time": {"seconds": 1}, "page_token": "x", "update_id": "x"}
    assert calls.update(ada.id, assigned, **values) == ada
    assert calls.update(ada.id, **values) == ada
    eve = calls.update(ada.id, [*assigned, "name"], name="Eve", **values)
    assert (eve.name, eve.created_at, eve.update_id) == ("Eve", ada.created_at, "")
    assert not eve.HasField("delete_time") and not eve.HasField("purge_time")


@pytest.mark.parametrize("mask", [
    ["nickname"], ["name", "nickname"], ["*", "name"], ["name", "*"], [""], ["labels.tenant"], ["Name"],
    ["name "], ["password"], ["user.name"]])
def test_a_mask_with_other_paths_is_refused(calls, address, mask):
    ada = calls.create(address, name="Ada")
    assert invalid(lambda: calls.update(ada.id, mask, name="Eve")) == {"update_mask": "MALFORMED"}
    assert calls.get(ada.id) == ada


def test_etags(calls, address):
    ada = calls.create(address, name="Ada")
    eve = calls.update(ada.id, name="Eve", etag=ada.etag)
    assert eve.etag != ada.etag
    status = refusal(lambda: calls.update(ada.id, name="Eva", etag=ada.etag))
    assert status[:3] == (*CHANGED, {})
    # Also where the update would change nothing, and before a password or an address is looked at.
    for change in ({"name": "Eve"}, {}, {"email": address}, {"current_password": "correct horse"}):
        assert refusal(lambda: calls.update(ada.id, etag=ada.etag, **change))[:2] == CHANGED
    for malformed in ("x", ada.etag[:-1], ada.etag + "0", "g" * 16, "é" * 8):
        assert invalid(lambda: calls.update(ada.id, name="Eva", etag=malformed)) == {"etag": "MALFORMED"}
    assert calls.get(ada.id) == eve
    assert calls.update(ada.id, name="Eva", etag=eve.etag).name == "Eva"


def test_an_update_that_changes_nothing_keeps_the_version(calls, address):
    ada = calls.create(address, name="Ada", labels={"tenant": "a"})
    for change in ({}, {"name": "Ada"}, {"status": 1}, {"labels": {"tenant": "a"}}, {"email": address}):
        assert calls.update(ada.id, **change) == ada
        assert calls.update(ada.id, etag=ada.etag, **change) == ada
    assert calls.get(ada.id) == ada
    # The letter case of an address and a name is part of what is stored.
    upper = calls.update(ada.id, email=address.upper())
    assert upper.email == address.upper() and upper.etag != ada.etag


def test_a_new_password_is_a_new_version(calls, address):
    """The password is not in the user, but a client that read the user before must not go on as if it were the same."""
    ada = calls.create(address, password="correct horse")
    once = calls.update(ada.id, password="another horse")
    again = calls.update(ada.id, password="another horse")
    assert len({ada.etag, once.etag, again.etag}) == 3


def test_update_time_grows_with_every_change(calls, address):
    ada = calls.create(address)
    assert ada.update_time == ada.created_at
    times = [ada.update_time.ToNanoseconds()]
    etags = {ada.etag}
    for number in range(50):
        user = calls.update(ada.id, name=f"Ada {number}")
        times.append(user.update_time.ToNanoseconds())
        etags.add(user.etag)
    assert times == sorted(set(times)) and len(etags) == 51
    assert abs(times[-1] / 1e9 - time.time()) < 600


def test_refusals_name_all_fields(calls, address):
    ada = calls.create(address, name="Ada")
    violations = invalid(lambda: calls.update(
        ada.id, email="x", name="\n", status=3, labels={"A": ""}, password="x", current_password="x" * 1_025,
        etag="x"))
    assert violations == {
        "email": "MALFORMED", "name": "FORBIDDEN_CHARACTER", "status": "OUT_OF_RANGE", "labels": "MALFORMED",
        "password": "TOO_SHORT", "current_password": "TOO_LONG", "etag": "MALFORMED"}
    assert invalid(lambda: calls.update("", name="Eve")) == {"user_id": "REQUIRED"}
    assert calls.get(ada.id) == ada


def test_unknown_users_and_taken_addresses(calls, address):
    ada, bob = calls.create(address), calls.create("b" + address)
    for name in (str(uuid.uuid4()), "nonsense"):
        for options in ({}, {"validate_only": True}, {"password": "another horse"}):
            assert refusal(lambda: calls.update(name, name="Eve", **options))[:2] == NOT_FOUND
    for other in (bob.email, bob.email.upper()):
        for options in ({}, {"validate_only": True}):
            assert refusal(lambda: calls.update(ada.id, email=other, **options))[:2] == TAKEN
    assert calls.get(ada.id) == ada
    assert calls.update(ada.id.upper(), name="Eve").id == ada.id


@pytest.mark.parametrize("password, reason", [
    ("short", "TOO_SHORT"), ("x" * 1_025, "TOO_LONG"), ("correct\nhorse", "FORBIDDEN_CHARACTER"),
    ("password1", "TOO_COMMON"), ("ada.lovelace1", "TOO_SIMILAR"), ("Countess!!", "TOO_SIMILAR")])
def test_passwords_have_the_rules_of_new_users(calls, password, reason):
    """The stored address and name count as well as new ones."""
    local_part = f"ada.lovelace+{uuid.uuid4().hex[:8]}" if reason != "TOO_SIMILAR" else "ada.lovelace"
    ada = calls.create(f"{local_part}@x{uuid.uuid4().hex}.example", name="Countess")
    for options in ({}, {"validate_only": True}):
        violations = invalid(lambda: calls.update(ada.id, password=password, **options))
        assert violations == {"password": reason}
    assert calls.get(ada.id) == ada


def test_only_checked_updates_store_nothing(calls, address):
    ada = calls.create(address, name="Ada", labels={"tenant": "a"}, password="correct horse")
    new = {"email": "x" + address, "name": "Eve", "status": 2, "labels": {"team": "b"}}
    seen = calls.update(ada.id, validate_only=True, password="another horse", etag=ada.etag, **new)
    assert fields(seen) == tuple(new.values())
    assert (seen.id, seen.created_at, seen.update_time) == (ada.id, ada.created_at, ada.update_time)
    assert calls.get(ada.id) == ada
    # The address is free, and the etag still names the stored version.
    calls.create(new["email"])
    calls.update(ada.id, name="Eve", etag=ada.etag)


def test_only_checked_updates_end_as_the_updates_would(calls, address):
    ada, bob = calls.create(address), calls.create("b" + address)
    old = calls.update(ada.id, name="Ada").etag
    calls.update(ada.id, name="Eve")
    for change in ({"etag": old}, {"etag": "x"}, {"email": bob.email}, {"status": 9}, {"mask": ["x"]},
                   {"labels": {"-": ""}}, {"password": "x"}, {"name": "x" * 257}, {"email": ""} | {"mask": ["email"]}):
        checked, real = (refusal(lambda: calls.update(ada.id, validate_only=only, **change))
                         for only in (True, False))
        assert checked == real


# Own updates


@pytest.fixture
def ada(pb, secured):
    """A user that is signed in, with its calls."""
    with grpc.insecure_channel(secured.address) as channel:
        caller = Caller(pb, channel)
        user = caller.create()
        yield user, UserCalls(pb, caller.users, caller.sign_in().access_token), caller


def test_an_own_change_of_address_or_password_needs_the_current_one(ada):
    user, calls, caller = ada
    for change in ({"email": "eve@example.com"}, {"password": "another horse"}, {"password": ""}):
        for options in ({}, {"validate_only": True}):
            status = refusal(lambda: calls.update(user.id, **change, **options))
            assert status[:2] == ("PERMISSION_DENIED", "CURRENT_PASSWORD_REQUIRED")
        status = refusal(lambda: calls.update(user.id, current_password="wrong horse", **change))
        assert status[:2] == ("PERMISSION_DENIED", "CURRENT_PASSWORD_WRONG")
    assert calls.get(user.id) == user
    # The address as it is, and other fields, need none; but a given one is checked.
    assert calls.update(user.id, email=user.email) == user
    changed = calls.update(user.id, name="Ada")
    status = refusal(lambda: calls.update(user.id, name="Eve", current_password="wrong horse"))
    assert status[:2] == ("PERMISSION_DENIED", "CURRENT_PASSWORD_WRONG")
    assert calls.get(user.id) == changed
    moved = calls.update(user.id, email="eve@example.com", current_password="correct horse")
    assert moved.email == "eve@example.com" and caller.sign_in("eve@example.com")


def test_an_own_deactivation_needs_the_current_password(ada):
    user, calls, caller = ada
    status = refusal(lambda: calls.update(user.id, status=2))
    assert status[:2] == ("PERMISSION_DENIED", "CURRENT_PASSWORD_REQUIRED")
    status = refusal(lambda: calls.stream({"user_id": user.id, "status": 2}))
    assert status[:2] == ("PERMISSION_DENIED", "CURRENT_PASSWORD_REQUIRED")
    assert calls.update(user.id, status=1) == user
    assert calls.update(user.id, status=2, current_password="correct horse").status == 2
    assert refusal(lambda: calls.get(user.id)).reason == "TOKEN_REVOKED"
    assert refusal(caller.sign_in).reason == "CREDENTIALS_INVALID"


def test_another_composition_of_an_own_address_is_another_address(ada, secured):
    user, calls, _ = ada
    calls.bearing(service_token(secured, "users:write")).update(user.id, email="caf\u00e9@example.com")
    for email in ("cafe\u0301@example.com", "Caf\u00e9@example.com"):
        assert refusal(lambda: calls.update(user.id, email=email)).reason == "CURRENT_PASSWORD_REQUIRED"
    assert calls.update(user.id, email="caf\u00e9@example.com", name="Ada").name == "Ada"


def test_an_imported_address_that_would_be_refused_stays_with_its_user(calls):
    """IDNA 2008 forbids the domain."""
    email = f"{uuid.uuid4().hex}@\u2603.example"
    [result] = calls.imports(calls.pb.ImportUserRequest(email=email))
    user = calls.get(result.user_id)
    changed = calls.update(user.id, email=user.email, name="Ada", status=user.status)
    assert (changed.email, changed.name) == (email, "Ada")
    assert invalid(lambda: calls.update(user.id, email="x" + email)) == {"email": "MALFORMED"}
    assert invalid(lambda: calls.update(user.id, email="x" + email, name="\n")) == {
        "email": "MALFORMED", "name": "FORBIDDEN_CHARACTER"}
    assert calls.get(user.id) == changed


def test_labels_are_set_by_services_only(ada, secured):
    user, calls, _ = ada
    for options in ({"labels": {"tenant": "a"}}, {"mask": ["labels"]}, {"mask": ["*"], "name": "Ada", "status": 1}):
        for checks in ({}, {"validate_only": True}):
            status = refusal(lambda: calls.update(user.id, **options, **checks))
            assert status[:2] == DENIED and status.metadata == {"scope": "users:write"}
    assert calls.get(user.id) == user
    for token in (None, calls.token):
        status = refusal(lambda: calls.bearing(token).create("eve@example.com", labels={"tenant": "a"}))
        assert status[:2] == DENIED and status.metadata == {"scope": "users:write"}
    writer = calls.bearing(service_token(secured, "users:write"))
    assert writer.create("bob@example.com", labels={"tenant": "a"}).labels == {"tenant": "a"}
    assert writer.update(user.id, labels={"tenant": "b"}).labels == {"tenant": "b"}


def test_wrong_current_passwords_count_as_failed_sign_ins(ada):
    user, calls, caller = ada
    for _ in range(5):
        status = refusal(lambda: calls.update(user.id, email="e@example.com", current_password="wrong horse"))
        assert status.reason == "CURRENT_PASSWORD_WRONG"
    status = refusal(lambda: calls.update(user.id, email="e@example.com", current_password="correct horse"))
    assert status[:2] == ("RESOURCE_EXHAUSTED", "TOO_MANY_ATTEMPTS")
    assert refusal(caller.sign_in).reason == "TOO_MANY_ATTEMPTS"


def test_an_own_new_password_revokes_the_token(ada):
    user, calls, caller = ada
    calls.update(user.id, password="another horse", current_password="correct horse")
    assert refusal(lambda: calls.get(user.id)).reason == "TOKEN_REVOKED"
    assert refusal(caller.sign_in).reason == "CREDENTIALS_INVALID"
    caller.sign_in(password="another horse")


def test_other_users_are_denied_whatever_the_request(ada):
    _, calls, caller = ada
    bob = caller.create("bob@example.com")
    for other in (bob.id, str(uuid.uuid4()), "", "nonsense"):
        for options in ({"name": "Eve"}, {"mask": ["x"]}, {"validate_only": True}, {"etag": "x"}):
            status = refusal(lambda: calls.update(other, **options))
            assert status[:2] == DENIED and status.metadata == {"scope": "users:write"}


# UserUpdates


def test_streamed_updates_have_ids_and_etags(calls, address):
    ada = calls.create(address)
    first, second = calls.stream(
        {"user_id": ada.id, "name": "Eve", "update_id": "é" * 64, "etag": ada.etag},
        {"user_id": ada.id, "name": "Eva"})
    assert (first.name, first.update_id) == ("Eve", "é" * 64)
    assert (second.name, second.update_id) == ("Eva", "")
    second.ClearField("update_id")
    assert calls.get(ada.id) == second
    status = refusal(lambda: calls.stream(
        {"user_id": ada.id, "name": "A", "update_id": "one"},
        {"user_id": ada.id, "name": "B", "update_id": "two", "etag": first.etag},
        {"user_id": ada.id, "name": "C", "update_id": "three"}))
    assert status[:2] == CHANGED
    assert status.metadata == {"request_index": "1", "update_id": "two"}
    assert calls.get(ada.id).name == "A"


def test_streamed_updates_are_refused_with_their_ids(calls, address):
    ada = calls.create(address)
    for change, violations in (({"etag": "x"}, {"etag": "MALFORMED"}), ({"email": "x"}, {"email": "MALFORMED"}),
                               ({"status": 0}, {"status": "OUT_OF_RANGE"})):
        status = refusal(lambda: calls.stream({"user_id": ada.id, "update_id": "x" * 128, **change}))
        assert status.violations == violations
        assert status.metadata == {"request_index": "0", "update_id": "x" * 128}
    status = refusal(lambda: calls.stream({"user_id": ada.id}, {"user_id": ada.id, "update_id": "x" * 129}))
    assert (status.violations, status.metadata) == ({"update_id": "TOO_LONG"}, {"request_index": "1"})
