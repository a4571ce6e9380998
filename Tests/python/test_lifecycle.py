"""Tests DeleteUser and UndeleteUser, and what becomes of a deleted user's tokens, by grpcio."""

import queue
import uuid

import grpc
import pytest

from callers import Caller, bearer, service_token
from issuer import ISSUER, make_key, make_token, write_keys
from program import TIMEOUT
from user_calls import CHANGED, DENIED, NOT_DELETED, NOT_FOUND, REVOKED, TAKEN, UserCalls, invalid, refusal

# Each test runs on the inline road and on the handler road, and on PostgreSQL.
ANSWERING = ["inline", "task"]
ENGINES = ["sqlite", "postgres"]
MONTH = 30 * 86_400 * 10**9


@pytest.fixture(scope="module")
def calls(shared_calls):
    return shared_calls


def without_times(user):
    """Returns the fields that a deletion leaves as they are."""
    return user.id, user.email, user.name, user.status, user.created_at, dict(user.labels)


def test_a_deleted_user_is_kept_for_30_days(calls, address):
    ada = calls.create(address, name="Ada", labels={"tenant": "a"})
    calls.update(ada.id, status=2)
    ada = calls.get(ada.id)
    gone = calls.delete(ada.id)
    assert without_times(gone) == without_times(ada)
    assert gone.delete_time == gone.update_time
    assert gone.update_time.ToNanoseconds() > ada.update_time.ToNanoseconds()
    assert gone.purge_time.ToNanoseconds() - gone.delete_time.ToNanoseconds() == MONTH
    assert gone.etag not in ("", ada.etag)
    assert calls.get(ada.id, show_deleted=True) == gone
    assert ada.id not in {user.id for user in calls.listing()}
    [listed] = [user for user in calls.listing(show_deleted=True) if user.id == ada.id]
    listed.ClearField("page_token")
    assert listed == gone


def test_a_deleted_user_cannot_be_changed_or_deleted_again(calls, address):
    ada = calls.create(address)
    gone = calls.delete(ada.id)
    for call in (lambda: calls.delete(ada.id), lambda: calls.delete(ada.id, validate_only=True),
                 lambda: calls.delete(ada.id, etag=gone.etag), lambda: calls.get(ada.id),
                 lambda: calls.update(ada.id, name="Eve"), lambda: calls.update(ada.id, etag=gone.etag),
                 lambda: calls.update(ada.id, name="Eve", validate_only=True),
                 lambda: calls.update(ada.id, password="another horse"),
                 lambda: calls.stream({"user_id": ada.id, "name": "Eve"})):
        assert refusal(call)[:2] == NOT_FOUND
    stale = {"etag": ada.etag}
    for options in ({}, {"validate_only": True}, {"etag": gone.etag}, stale, {"validate_only": True, **stale}):
        assert calls.delete(ada.id, allow_missing=True, **options) == gone
    assert calls.get(ada.id, show_deleted=True) == gone


def test_allow_missing_does_not_make_up_users(calls):
    for name in (str(uuid.uuid4()), "nonsense"):
        for options in ({}, {"allow_missing": True}, {"expunge": True}, {"validate_only": True}):
            assert refusal(lambda: calls.delete(name, **options))[:2] == NOT_FOUND
        for options in ({}, {"validate_only": True}):
            assert refusal(lambda: calls.undelete(name, **options))[:2] == NOT_FOUND


def test_undeleted_users_are_as_before(calls, address):
    ada = calls.create(address, name="Ada", labels={"tenant": "a"})
    ada = calls.update(ada.id, status=2)
    gone = calls.delete(ada.id)
    back = calls.undelete(ada.id)
    assert without_times(back) == without_times(ada)
    assert not back.HasField("delete_time") and not back.HasField("purge_time")
    assert back.update_time.ToNanoseconds() > gone.update_time.ToNanoseconds()
    assert len({ada.etag, gone.etag, back.etag}) == 3
    assert calls.get(ada.id) == calls.find(address) == back
    for options in ({}, {"validate_only": True}, {"etag": back.etag}, {"etag": gone.etag}):
        assert refusal(lambda: calls.undelete(ada.id, **options))[:2] == NOT_DELETED


def test_etags_of_deletions(calls, address):
    ada = calls.create(address)
    now = calls.update(ada.id, name="Ada")
    for options in ({}, {"validate_only": True}, {"expunge": True}, {"allow_missing": True}):
        assert refusal(lambda: calls.delete(ada.id, etag=ada.etag, **options))[:2] == CHANGED
        assert invalid(lambda: calls.delete(ada.id, etag="x", **options)) == {"etag": "MALFORMED"}
    assert calls.get(ada.id) == now
    gone = calls.delete(ada.id, etag=now.etag)
    for options in ({}, {"validate_only": True}):
        assert refusal(lambda: calls.undelete(ada.id, etag=now.etag, **options))[:2] == CHANGED
        assert invalid(lambda: calls.undelete(ada.id, etag="x", **options)) == {"etag": "MALFORMED"}
    assert refusal(lambda: calls.delete(ada.id, etag=now.etag, expunge=True))[:2] == CHANGED
    back = calls.undelete(ada.id, etag=gone.etag)
    assert back.etag != now.etag
    calls.delete(ada.id, etag=back.etag, expunge=True)


def test_an_id_is_required(calls):
    assert invalid(lambda: calls.delete("", etag="x")) == {"user_id": "REQUIRED", "etag": "MALFORMED"}
    assert invalid(lambda: calls.undelete("", etag="x")) == {"user_id": "REQUIRED", "etag": "MALFORMED"}
    assert invalid(lambda: calls.get("", show_deleted=True)) == {"user_id": "REQUIRED"}


def test_checks_store_nothing(calls, address):
    ada = calls.create(address)
    for options in ({}, {"expunge": True}, {"allow_missing": True}, {"etag": ada.etag}):
        assert calls.delete(ada.id, validate_only=True, **options) == ada
    assert calls.get(ada.id) == ada
    gone = calls.delete(ada.id)
    for options in ({}, {"etag": gone.etag}):
        assert calls.undelete(ada.id, validate_only=True, **options) == gone
    assert calls.delete(ada.id, expunge=True, validate_only=True) == gone
    assert calls.get(ada.id, show_deleted=True) == gone


def test_an_address_stays_taken_until_its_user_is_expunged(pb, calls, address):
    ada, bob = calls.create(address), calls.create("b" + address)
    calls.delete(ada.id)
    for call in (lambda: calls.create(address.upper()), lambda: calls.create(address, validate_only=True),
                 lambda: calls.update(bob.id, email=address),
                 lambda: calls.update(bob.id, email=address, validate_only=True)):
        assert refusal(call)[:2] == TAKEN
    [row] = calls.bulk(pb.CreateUserRequest(email=address)).failures
    assert row.status.code == grpc.StatusCode.ALREADY_EXISTS.value[0]
    calls.delete(ada.id, expunge=True)
    assert calls.update(bob.id, email=address).email == address
    assert calls.find(address).id == bob.id


@pytest.mark.parametrize("is_deleted", [False, True])
def test_expunged_users_are_erased(calls, address, is_deleted):
    ada = calls.create(address, name="Ada", labels={"tenant": uuid.uuid4().hex})
    if is_deleted:
        ada = calls.delete(ada.id)
    erased = calls.delete(ada.id, expunge=True)
    assert without_times(erased) == without_times(ada)
    assert erased.HasField("delete_time") and erased.purge_time == erased.update_time
    if is_deleted:
        assert erased.delete_time == ada.delete_time
    for call in (lambda: calls.get(ada.id, show_deleted=True), lambda: calls.find(address, show_deleted=True),
                 lambda: calls.undelete(ada.id), lambda: calls.delete(ada.id, expunge=True),
                 lambda: calls.delete(ada.id, allow_missing=True)):
        assert refusal(call)[:2] == NOT_FOUND
    label = f'labels.tenant = "{ada.labels["tenant"]}"'
    assert calls.listing(filter=label, show_deleted=True) == []
    assert calls.create(address).id != ada.id


# Tokens


@pytest.fixture
def channel(secured):
    with grpc.insecure_channel(secured.address) as channel:
        yield channel


@pytest.fixture
def operator(pb, secured, channel):
    return UserCalls(pb, pb.Stub(channel), service_token(secured))


def test_a_deleted_user_loses_its_tokens_at_once(pb, secured, channel, operator):
    caller = Caller(pb, channel)
    ada = caller.create()
    tokens = caller.sign_in()
    others = [service_token(secured, "", ada.id), service_token(secured, "users:read", ada.id)]
    own = [operator.bearing(token) for token in (tokens.access_token, *others)]
    for calls in own:
        assert calls.get(ada.id) == ada
    operator.delete(ada.id)

    def ended():
        for calls in own:
            assert refusal(lambda: calls.get(ada.id, show_deleted=True))[:2] == REVOKED
            assert refusal(lambda: calls.update(ada.id, name="Eve"))[:2] == REVOKED
        assert refusal(lambda: caller.refresh(tokens.refresh_token)).code == "UNAUTHENTICATED"

    ended()
    assert refusal(caller.sign_in)[:2] == ("UNAUTHENTICATED", "CREDENTIALS_INVALID")
    operator.undelete(ada.id)
    # The tokens stay revoked: the user signs in again.
    ended()
    fresh = caller.sign_in()
    assert operator.bearing(fresh.access_token).get(ada.id).id == ada.id
    assert caller.refresh(fresh.refresh_token)


def test_an_undeleted_user_keeps_its_status(pb, channel, operator):
    caller = Caller(pb, channel)
    ada = caller.create()
    operator.update(ada.id, status=2)
    operator.delete(ada.id)
    operator.undelete(ada.id)
    assert refusal(caller.sign_in).reason == "CREDENTIALS_INVALID"
    operator.update(ada.id, status=1)
    caller.sign_in()


@pytest.mark.parametrize("expunge", [False, True])
def test_an_open_stream_ends_with_its_user(pb, channel, operator, expunge):
    caller = Caller(pb, channel)
    ada = caller.create()
    updates = queue.Queue()
    call = caller.users.UserUpdates(
        iter(updates.get, None), timeout=TIMEOUT, metadata=bearer(caller.sign_in().access_token))
    updates.put(pb.UserUpdateRequest(user_id=ada.id, name="Ada"))
    assert next(call).name == "Ada"
    operator.delete(ada.id, expunge=expunge)
    updates.put(pb.UserUpdateRequest(user_id=ada.id, name="Eve"))
    assert refusal(lambda: next(call))[:2] == REVOKED
    updates.put(None)


def test_an_own_deletion_needs_the_current_password(pb, channel, operator):
    caller = Caller(pb, channel)
    ada, bob = caller.create(), caller.create("bob@example.com")
    own = operator.bearing(caller.sign_in().access_token)
    for only in (True, False):
        status = refusal(lambda: own.delete(ada.id, validate_only=only))
        assert status[:2] == ("PERMISSION_DENIED", "CURRENT_PASSWORD_REQUIRED")
        status = refusal(lambda: own.delete(ada.id, validate_only=only, current_password="wrong horse"))
        assert status[:2] == ("PERMISSION_DENIED", "CURRENT_PASSWORD_WRONG")
        status = refusal(lambda: own.delete(bob.id, validate_only=only, current_password="correct horse"))
        assert status[:2] == DENIED
        status = refusal(lambda: own.delete(ada.id, expunge=True, current_password="correct horse"))
        assert status[:2] == DENIED and status.metadata == {"scope": "users:write"}
    assert invalid(lambda: own.delete(ada.id, current_password="x" * 1_025)) == {"current_password": "TOO_LONG"}
    assert own.delete(ada.id, validate_only=True, current_password="correct horse") == ada
    gone = own.delete(ada.id, current_password="correct horse")
    assert gone.HasField("delete_time")
    assert refusal(lambda: own.undelete(ada.id))[:2] == REVOKED


def test_wrong_passwords_of_deletions_count_as_failed_sign_ins(pb, channel, operator):
    caller = Caller(pb, channel)
    ada = caller.create()
    own = operator.bearing(caller.sign_in().access_token)
    for _ in range(5):
        assert refusal(lambda: own.delete(ada.id, current_password="wrong horse")).reason == "CURRENT_PASSWORD_WRONG"
    status = refusal(lambda: own.delete(ada.id, current_password="correct horse"))
    assert status[:2] == ("RESOURCE_EXHAUSTED", "TOO_MANY_ATTEMPTS")
    assert operator.get(ada.id) == ada


def test_a_user_without_password_cannot_delete_itself(pb, secured, channel, operator):
    ada = Caller(pb, channel).create(password="")
    own = operator.bearing(service_token(secured, "", ada.id))
    assert refusal(lambda: own.delete(ada.id)).reason == "CURRENT_PASSWORD_REQUIRED"
    assert refusal(lambda: own.delete(ada.id, current_password="x")).reason == "CURRENT_PASSWORD_WRONG"


def test_tokens_of_an_outside_issuer_end_too(pb, serve, tmp_path):
    """A token of another issuer that names a user ends with the user; later ones are accepted again."""
    key = make_key("EdDSA", "one")
    write_keys(tmp_path / "jwks.json", [key])
    service = serve(auth="on", settings={
        "auth.jwks.file": tmp_path / "jwks.json", "auth.jwks.issuer": ISSUER, "auth.jwks.algorithms": "EdDSA"})
    with grpc.insecure_channel(service.address) as channel:
        ada = Caller(pb, channel).create()
        operator = UserCalls(pb, pb.Stub(channel), service_token(service))
        outside = operator.bearing(make_token(key, sub=ada.id))
        assert outside.get(ada.id) == ada
        operator.delete(ada.id)
        assert refusal(lambda: outside.get(ada.id, show_deleted=True))[:2] == REVOKED
        # Issued later than the deletion: the user is deleted all the same.
        late = operator.bearing(make_token(key, sub=ada.id, jti="late"))
        assert refusal(lambda: late.get(ada.id, show_deleted=True))[:2] == REVOKED
        operator.undelete(ada.id)
        assert refusal(lambda: outside.get(ada.id))[:2] == REVOKED
