"""Tests several services over one database of PostgreSQL."""

import concurrent.futures
import contextlib
import itertools
import os
import signal
import time

import grpc
import pytest

from callers import UNAUTHENTICATED, Caller, failure, service_token, token_id
from databases import execute, lengthen_waits
from loads import Load, end, succeeds
from program import run
from user_calls import UserCalls
from waiting import wait_until

ENGINES = ["postgres"]
# A second, and room for a busy machine.
SOON = 3


@pytest.fixture
def pair(serve):
    """Two services over one database, with authentication."""
    first = serve(auth="on", settings={"peer.rate": "none"})
    return first, serve(auth="on", settings={"peer.rate": "none"}, database=first.database)


@pytest.fixture
def callers(pb, pair):
    """A caller of each of the two services."""
    with contextlib.ExitStack() as stack:
        yield [Caller(pb, stack.enter_context(grpc.insecure_channel(service.address))) for service in pair]


def refusal_soon(call):
    """Returns the reason that a call is refused with, which it must be soon."""
    start = time.monotonic()
    while True:
        asked = time.monotonic()
        try:
            call()
        except grpc.RpcError as error:
            def fail(error=error):
                raise error
            if (reason := failure(fail)[1]) != "USER_NOT_FOUND":
                return reason
            # A deleted user is missing before its tokens are known to be revoked.
        assert asked - start < SOON


# Revocation


def end_session(pair, first, ada, tokens):
    first.revoke(tokens.refresh_token)


def change_password(pair, first, ada, tokens):
    first.update(ada.id, tokens.access_token, password="battery staple", current_password="correct horse")


def deactivate(pair, first, ada, tokens):
    first.update(ada.id, service_token(pair[0]), status=2)


def delete(pair, first, ada, tokens):
    UserCalls(first.pb, first.users, service_token(pair[0])).delete(ada.id)


def revoke_token(pair, first, ada, tokens):
    done = run("token", "revoke", "--database", pair[0].database, "--jti", token_id(tokens.access_token))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("revoke", [end_session, change_password, deactivate, delete, revoke_token])
def test_what_one_service_revokes_the_other_refuses_within_a_second(pair, callers, revoke):
    first, second = callers
    ada, bob = first.create(), first.create("bob@example.com")
    tokens, others = first.sign_in(), first.sign_in("bob@example.com")
    for caller in callers:
        caller.get(ada.id, tokens.access_token)
    revoke(pair, first, ada, tokens)
    assert refusal_soon(lambda: second.get(ada.id, tokens.access_token)) == "TOKEN_REVOKED"
    # The first service is told by its own commit, unless a command has revoked.
    if revoke is not revoke_token:
        assert failure(lambda: first.get(ada.id, tokens.access_token))[1] == "TOKEN_REVOKED"
        assert failure(lambda: second.refresh(tokens.refresh_token))[0] == UNAUTHENTICATED
    for caller in callers:
        caller.get(bob.id, others.access_token)


def test_a_user_that_comes_back_is_accepted_by_both(pair, callers):
    ada, admin = callers[0].create(), service_token(pair[0])
    for one, other in (callers, callers[::-1]):
        one.update(ada.id, admin, status=2)
        assert failure(other.sign_in)[1] == "CREDENTIALS_INVALID"
        one.update(ada.id, admin, status=1)
        tokens = other.sign_in()
        one.get(ada.id, tokens.access_token)
        # The other service has yet to learn that the user is active again.
        wait_until(lambda: succeeds(lambda: other.get(ada.id, tokens.access_token)), SOON)


def test_a_service_that_starts_later_knows_what_was_revoked(pb, serve, pair, callers):
    ada = callers[0].create()
    tokens = callers[0].sign_in()
    callers[0].revoke(tokens.refresh_token)
    third = serve(auth="on", database=pair[0].database)
    with grpc.insecure_channel(third.address) as channel:
        assert failure(lambda: Caller(pb, channel).get(ada.id, tokens.access_token))[1] == "TOKEN_REVOKED"


# Sign-in


def test_refresh_tokens_of_one_service_work_at_the_other(callers):
    first, second = callers
    ada = first.create()
    tokens = first.sign_in()
    for caller in (second, first, second):
        earlier = tokens
        tokens = caller.refresh(earlier.refresh_token)
        # The client may not have received the answer, and may ask any service again.
        for other in callers:
            assert other.refresh(earlier.refresh_token).refresh_token == tokens.refresh_token
            other.get(ada.id, tokens.access_token)


def test_many_refreshes_through_both_give_one_successor(callers):
    callers[0].create()
    token = callers[0].sign_in().refresh_token
    with concurrent.futures.ThreadPoolExecutor(16) as threads:
        successors = list(threads.map(
            lambda number: callers[number % 2].refresh(token).refresh_token, range(16)))
    assert len(set(successors)) == 1


def test_wrong_passwords_are_counted_across_both(pair, callers):
    callers[0].create()
    for number in range(5):
        assert failure(lambda: callers[number % 2].sign_in(password="wrong horse"))[1] == "CREDENTIALS_INVALID"
    lengthen_waits(pair[0].database)
    for caller in callers:
        assert failure(caller.sign_in)[1] == "TOO_MANY_ATTEMPTS"


def test_a_key_that_is_rotated_is_used_by_both(pair, callers):
    before = service_token(pair[0])
    assert run("keys", "rotate", "--database", pair[0].database, "--overlap", "0s").returncode == 0
    after = service_token(pair[0])
    for caller in callers:
        caller.list(after)
        assert refusal_soon(lambda: caller.list(before)) == "TOKEN_UNTRUSTED"


# Users


@pytest.fixture
def both(pb, serve):
    """Two services over one database without authentication, and the calls of each."""
    first = serve()
    services = [first, serve(database=first.database)]
    with contextlib.ExitStack() as stack:
        yield services, [
            UserCalls(pb, pb.Stub(stack.enter_context(grpc.insecure_channel(service.address)))) for service in services]


def test_users_of_both_are_listed_by_both_in_the_order_of_creation(both):
    services, calls = both
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        users = list(threads.map(
            lambda number: calls[number % 2].create(f"user{number}@example.com"), range(200)))
    made = [calls[number % 2].create(f"later{number}@example.com").id for number in range(20)]
    assert made == sorted(made)
    listings = [[user.id for user in one.listing()] for one in calls]
    assert listings[0] == listings[1] == sorted([user.id for user in users] + made)
    # Ids are in the order of commits: each version of the row is of a later transaction than those of smaller ids.
    order = execute(services[0].database, "SELECT id FROM users ORDER BY xmin::text::bigint, id")
    assert [row[0] for row in order] == listings[0]


def test_a_listing_never_overlooks_a_user_of_the_other_service(both):
    """A walk in pages that reaches the end has all users that were created before, in whichever service."""
    _, calls = both

    def create(one):
        for number in range(150):
            one.create(f"{number}.{calls.index(one)}@example.com")

    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        running = [threads.submit(create, one) for one in calls]
        seen, token = [], ""
        for turn in itertools.count():
            is_last = all(one.done() for one in running)
            page = calls[turn % 2].listing(page_size=7, page_token=token)
            seen += [user.id for user in page]
            if page:
                token = page[-1].page_token
            elif is_last:
                break
        for one in running:
            one.result()
    assert len(seen) == len(set(seen)) == 300
    assert seen == sorted(seen) == [user.id for user in calls[0].listing()]


def test_page_tokens_of_one_service_are_accepted_by_the_other(both, pb):
    _, (first, second) = both
    first.bulk(*[pb.CreateUserRequest(email=f"user{number}@example.com") for number in range(50)])
    whole = [user.id for user in first.listing()]
    for read in ("listing", "export"):
        seen, token = [], ""
        for calls in itertools.cycle([first, second]):
            size = {"page_size": 7} if read == "listing" else {}
            page = getattr(calls, read)(page_token=token, **size)
            if not page:
                break
            seen += [user.id for user in page]
            token = page[-1].page_token
        assert seen == whole


def test_a_request_id_is_one_for_both(both):
    _, calls = both
    request = {"email": "ada@example.com", "request_id": "0b0f3f3e-35c5-4f0b-8d47-6d9a7c0a4b11"}
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        users = list(threads.map(lambda number: calls[number % 2].create(**request), range(16)))
    assert all(user == users[0] for user in users)


def test_one_address_is_one_user_s_of_both(both):
    _, calls = both

    def create(number):
        try:
            return calls[number % 2].create("ADA@example.com" if number % 3 else "ada@example.com").id
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.ALREADY_EXISTS
            return None

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        ids = [user_id for user_id in threads.map(create, range(16)) if user_id]
    assert len(ids) == 1
    assert [user.id for user in calls[0].listing()] == ids


# Ends of services


def test_a_service_that_is_killed_under_load_does_not_stop_the_other(pb, both):
    (first, second), _ = both
    with Load(pb, [first.address, second.address], bulk=7) as load:
        load.wait_for_successes(20, first.address)
        load.wait_for_successes(20, second.address)
        first.process.kill()
        first.process.wait()
        load.wait_for_successes(50, second.address, seconds=5)
    load.check(second.database)
    assert [one for address, one in load.failures if address == second.address] == []


def test_a_service_that_is_stopped_under_load_holds_up_the_other_for_ten_seconds_at_most(pb, both):
    """The server ends its transaction (idle_in_transaction_session_timeout)."""
    (first, second), _ = both
    busy = ("UNAVAILABLE", "DATABASE_BUSY", True)
    with Load(pb, [first.address, second.address], threads=8, deadline=60) as load:
        for _ in range(3):
            load.wait_for_successes(20, first.address, seconds=30)
            os.kill(first.process.pid, signal.SIGSTOP)
            try:
                # 10 seconds, and room for a busy machine.
                load.wait_for_successes(20, second.address, seconds=14)
            finally:
                os.kill(first.process.pid, signal.SIGCONT)
        load.wait_for_successes(20, first.address, seconds=30)
    load.check(second.database)
    load.check_failures(busy)
    end(first, second)


def test_a_service_that_is_stopped_within_its_transaction_loses_it(pb, both):
    """A session of the first service is held while its transaction is open, so that the fault is certain to happen."""
    (first, second), calls = both
    name = second.database.rsplit("/", 1)[1]
    user = calls[0].create("ada@example.com")
    is_open = (f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND "
               "state LIKE 'idle in transaction%' AND xact_start < now() - interval '0.2 s'")
    with Load(pb, [first.address], threads=8, deadline=60) as load:
        for _ in range(100):
            load.wait_for_successes(3, first.address, seconds=30)
            os.kill(first.process.pid, signal.SIGSTOP)
            # The stopped service keeps what it holds, whatever its load was doing: any moment will do.
            time.sleep(0.25)
            if execute(second.database, is_open) != [["0"]]:
                break
            os.kill(first.process.pid, signal.SIGCONT)
        else:
            pytest.fail("the service was never stopped in a transaction")
        start = time.monotonic()
        try:
            # A call that fails after `busy.timeout`, which is 5 seconds, is repeated.
            wait_until(lambda: succeeds(lambda: calls[1].update(user.id, name="x")), 15)
            waited = time.monotonic() - start
        finally:
            os.kill(first.process.pid, signal.SIGCONT)
        assert waited < 12
        load.wait_for_successes(20, first.address, seconds=30)
    load.check(second.database)
    load.check_failures()
    end(first, second)
