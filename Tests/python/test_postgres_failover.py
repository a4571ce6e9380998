"""Tests services whose primary server fails, or becomes a standby."""

import concurrent.futures

import pytest

from databases import execute
from loads import UNREACHABLE, Load, end, probing
from postgres_server import HOST, INSTALLATIONS, PostgresServer
from waiting import wait_until

SOON = 8


@pytest.fixture
def primary():
    with PostgresServer(min(INSTALLATIONS, key=int)) as server:
        yield server


@pytest.fixture
def standby(primary):
    primary.create_database("users")
    return primary.make_standby()


@pytest.fixture
def start(serve):
    """Starts services of a database."""
    return lambda database: serve(database=database)


@pytest.fixture
def service(primary, standby, start):
    """A service that uses the one of both servers that takes writes."""
    return start(f"postgres://postgres@{HOST}:{primary.port},{HOST}:{standby.port}/users?target_session_attrs=read-write")


def sessions(server):
    """The number of the service's connections to a server."""
    return int(server.psql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'user-service'"))


def follow(server, primary):
    """Restarts a server as a standby of another one, which was its standby until now."""
    (server.data / "standby.signal").touch()
    server.configure("postgresql.auto.conf", primary_conninfo=primary.uri(application_name="follower"))
    server.configure("postgresql.auto.conf", synchronous_standby_names="")
    server.start()


def test_nothing_acknowledged_is_lost_when_a_standby_takes_over_in_the_middle_of_a_load(pb, primary, standby, service):
    with Load(pb, [service.address], threads=8, bulk=10) as load, probing(pb, service) as probe:
        load.wait_for_successes(100)
        assert probe.is_serving() and sessions(standby) == 0
        primary.kill()
        wait_until(lambda: not probe.is_serving(), SOON)
        failure = probe.failure(lambda: probe.create("ada@example.com"))
        assert failure[:3] == UNREACHABLE
        standby.promote()
        load.wait_for_successes(100, seconds=SOON)
        wait_until(probe.is_serving, SOON)
        assert sessions(standby) > 0
    load.check(standby.uri("users"))
    load.check_failures()
    end(service)


def test_a_primary_that_comes_back_as_a_standby_is_left_alone(pb, primary, standby, service):
    with Load(pb, [service.address], bulk=10) as load:
        load.wait_for_successes(20)
        # An orderly end sends everything to the standby.
        primary.stop()
        standby.promote()
        follow(primary, standby)
        load.wait_for_successes(50, seconds=SOON)
        assert sessions(standby) > 0
        # Attempts to connect may ask it what it is, and leave.
        wait_until(lambda: sessions(primary) == 0, SOON)
    load.check(standby.uri("users"))
    load.check_failures()
    end(service)


def test_a_service_does_not_stay_with_a_server_that_has_become_a_standby(pb, primary, standby, start):
    """The URI names this server alone."""
    service = start(primary.uri("users"))
    with probing(pb, service) as probe:
        user = probe.create("ada@example.com")
        primary.stop()
        standby.promote()
        follow(primary, standby)
        wait_until(lambda: not probe.is_serving(), SOON)
        for call in (lambda: probe.create("bob@example.com"), lambda: probe.get(user.id)):
            failure = probe.failure(call)
            assert failure[:3] == UNREACHABLE, failure
        # The server becomes the primary again.
        standby.stop()
        primary.promote()
        wait_until(probe.is_serving, SOON)
        assert probe.get(user.id) == user
        probe.create("bob@example.com")
    end(service)


WAITING = "FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND datname = 'users'"


@pytest.mark.parametrize("end_wait", ["pg_cancel_backend", "pg_terminate_backend"])
def test_a_commit_that_no_standby_has_confirmed_is_not_acknowledged(pb, primary, standby, start, end_wait):
    """The end of the server's wait for a standby does not end the transaction, which it then reports as committed."""
    service = start(primary.uri("users"))
    with probing(pb, service) as probe, concurrent.futures.ThreadPoolExecutor(1) as threads:
        probe.create("ada@example.com")
        standby.kill()
        failing = threads.submit(probe.failure, lambda: probe.create("bob@example.com", timeout=30))
        wait_until(lambda: primary.psql(f"SELECT count(*) {WAITING}") == "1")
        primary.psql(f"SELECT {end_wait}(pid) {WAITING}")
        failure = failing.result()
        assert failure and failure[:3] == UNREACHABLE and failure.seconds < SOON, failure
        primary.kill()
        standby.start()
        standby.promote()
    assert execute(standby.uri("users"), "SELECT email FROM users") == [["ada@example.com"]]
    end(service)


def test_a_server_that_is_set_read_only_is_said_and_left(pb, primary, start):
    service = start(primary.create_database("single"))
    with probing(pb, service) as probe:
        probe.create("ada@example.com")
        primary.change("default_transaction_read_only", "on")
        failure = probe.failure(lambda: probe.create("bob@example.com"))
        assert failure[:3] == UNREACHABLE, failure
        wait_until(lambda: not probe.is_serving(), SOON)
        primary.change("default_transaction_read_only", "off")
        wait_until(probe.is_serving, SOON)
        probe.create("bob@example.com")
    end(service)
