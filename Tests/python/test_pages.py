"""Tests page tokens of filtered listings by grpcio: every walk sees what one listing sees."""

import grpc
import pytest

from filters import matched, microseconds, populate, rfc3339
from user_calls import UserCalls, invalid

# Each test runs on SQLite and on PostgreSQL.
ENGINES = ["sqlite", "postgres"]


@pytest.fixture(scope="module")
def calls(shared_calls):
    return shared_calls


@pytest.fixture(scope="module")
def model(calls, pb):
    return populate(calls, pb)


# A filter for each order of a listing, and for conditions besides the one that orders.
FILTERS = {
    "all": "", "email": 'email = "ada*"', "one email": 'email = "Ada1@example.com"', "name": 'name = "a*"',
    "equal names": "name = ada", "other letters": 'name = "\u00e9*"', "label": "labels.tenant = a",
    "two labels": "labels.tenant = a AND labels.team = b", "inactive": "status = INACTIVE", "active": "status = ACTIVE",
    "created": "create_time >= {early} AND create_time < {late}", "updated": "update_time > {early}",
    "updated until": "update_time <= {late}", "name and status": 'name = "a*" AND status = INACTIVE',
    "email and label": 'email = "ada*" AND labels.tenant = "a"',
    "label and time": "labels.team = b AND update_time > {early}",
    "created and active": "create_time > {early} AND status = ACTIVE", "none": "name = none"}


@pytest.fixture(params=FILTERS)
def text(request, model):
    early, late = (rfc3339(microseconds(model[index].created_at)) for index in (50, 250))
    return FILTERS[request.param].format(early=early, late=late)


def rows(users):
    return [(user.id, user.etag) for user in users]


def walk(calls, size, between=lambda: None, **fields):
    """Reads a listing in calls of one page each. Returns its users."""
    users, token = [], ""
    while True:
        call = calls.stub.ListUsers(
            calls.pb.ListUsersRequest(page_size=size, page_token=token, **fields), **calls.options)
        page = []
        for user in call:
            page.append(user)
            if user.page_token:
                break
        call.cancel()
        users += page
        if not page or not page[-1].page_token:
            return users
        assert len(page) <= size
        token = page[-1].page_token
        between()


@pytest.mark.parametrize("deleted", [False, True])
def test_walks_in_pages_see_what_one_listing_sees(calls, text, deleted):
    whole = rows(calls.listing(filter=text, show_deleted=deleted, page_size=1_000))
    for size in (1, 2, 3, 7, 1_000):
        if size > 1 or len(whole) <= 100:
            assert rows(walk(calls, size, filter=text, show_deleted=deleted)) == whole
        assert rows(calls.listing(filter=text, show_deleted=deleted, page_size=size)) == whole


def test_every_page_token_resumes_after_its_user(calls, text):
    users = calls.listing(filter=text, page_size=1)
    assert all(user.page_token for user in users)
    for index in {0, 1, len(users) // 2, len(users) - 2, len(users) - 1} & set(range(len(users))):
        rest = calls.listing(filter=text, page_token=users[index].page_token)
        assert rows(rest) == rows(users[index + 1:])


def test_pages_have_their_size(calls, model):
    users = calls.listing(page_size=7)
    ends = [index for index, user in enumerate(users, 1) if user.page_token]
    assert ends[:-1] == list(range(7, len(users), 7)) and ends[-1] == len(users)
    assert [index for index, user in enumerate(calls.listing(), 1) if user.page_token] == [100, 200, len(users)]


def test_tokens_of_another_filter_are_refused(calls, model):
    tokens = {}
    for name in ("all", "email", "name", "label", "inactive", "active"):
        for deleted in (False, True):
            users = calls.listing(filter=FILTERS[name], show_deleted=deleted, page_size=1)
            tokens[FILTERS[name], deleted] = users[0].page_token
    for (text, deleted), token in tokens.items():
        for other_text, other_deleted in tokens:
            def call():
                return calls.listing(filter=other_text, show_deleted=other_deleted, page_token=token)
            if (text, deleted) == (other_text, other_deleted):
                call()
            else:
                assert invalid(call) == {"page_token": "MALFORMED"}


def test_changed_tokens_are_refused(calls, model):
    token = calls.listing(filter="name = ada", page_size=1)[0].page_token
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for index, letter in enumerate(token):
        # The last letter's unused bits make texts that are not base64url.
        other = alphabet[(alphabet.index(letter) + 1) % 64]
        changed = token[:index] + other + token[index + 1:]
        assert invalid(lambda: calls.listing(filter="name = ada", page_token=changed)) == {"page_token": "MALFORMED"}
    for changed in (token[:-1], token + "A", token + "=", " " + token, "A", token * 2):
        assert invalid(lambda: calls.listing(filter="name = ada", page_token=changed)) == {"page_token": "MALFORMED"}


# Changes between pages


@pytest.fixture
def few(pb, service):
    """Calls of a service of its own, with ten users of one name."""
    with grpc.insecure_channel(service.address) as channel:
        calls = UserCalls(pb, pb.Stub(channel))
        labels = {"tenant": "a"}
        rows = [pb.CreateUserRequest(email=f"user{number}@example.com", name="Ada", labels=labels)
                for number in range(10)]
        yield calls, list(calls.bulk(*rows).user_ids)


TEXTS = ["", "name = ada", 'email = "user*"', "labels.tenant = a", "status = ACTIVE",
         "create_time > 2020-01-01T00:00:00Z"]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("size", [1, 2, 3])
def test_users_deleted_between_pages_do_not_move_others(few, text, size):
    calls, ids = few
    doomed = iter(ids)

    def delete():
        # Deletes the users in order, and so the one that the page token names.
        calls.delete(next(doomed), expunge=True)

    assert [user.id for user in walk(calls, size, delete, filter=text)] == ids


@pytest.mark.parametrize("text", TEXTS)
def test_users_who_are_deleted_ahead_are_not_listed(few, text):
    calls, ids = few
    doomed = iter(ids[::-1])
    seen = [user.id for user in walk(calls, 1, lambda: calls.delete(next(doomed)), filter=text)]
    assert seen == ids[:5]


@pytest.mark.parametrize("text", TEXTS)
def test_users_who_come_while_pages_are_read_are_not_in_one_call(few, text):
    """A call lists the users that existed when it began."""
    calls, ids = few
    call = calls.stub.ListUsers(calls.pb.ListUsersRequest(page_size=1, filter=text), **calls.options)
    assert next(call).id == ids[0]
    calls.create("user5a@example.com", name="Ada", labels={"tenant": "a"})
    assert [user.id for user in call] == ids[1:]


def test_a_changed_user_moves_in_the_order_of_changes(few):
    calls, ids = few
    text = "update_time > 2020-01-01T00:00:00Z"
    changed = iter(ids)

    def change():
        if (user := next(changed, None)) is not None:
            calls.update(user, name=f"Eve {user}")

    # Each user is changed after it was listed, and so is listed once more, as changed.
    seen = walk(calls, 1, change, filter=text)
    assert [user.id for user in seen] == ids * 2
    assert [user.name == "Ada" for user in seen] == [True] * 10 + [False] * 10


def test_a_user_who_no_longer_matches_is_not_listed(few):
    calls, ids = few
    left = iter(ids[::-1])
    seen = walk(calls, 1, lambda: calls.update(next(left), name="Eve"), filter="name = ada")
    assert [user.id for user in seen] == ids[:5]


def test_equal_names_come_by_id(calls, model):
    """Letter case does not order users of one name, and pages end between them."""
    same = sorted(user.id for user in matched(model, lambda user: user.name.lower() == "ada"))
    assert len(same) > 20
    for size in (1, 2, 3):
        assert [user.id for user in walk(calls, size, filter="name = ADA")] == same
