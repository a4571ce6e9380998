"""Tests services whose primary server fails, or becomes a standby."""

import pytest

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
def start(serve, tmp_path):
    def start(database):
        return serve(database=database, settings={"auth.keys": tmp_path / "keys"})
    return start


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
        assert (sessions(primary), sessions(standby) > 0) == (0, True)
    load.check(standby.uri("users"))
    load.check_failures()
    end(service)


def test_a_service_does_not_stay_with_a_server_that_has_become_read_only(pb, primary, standby, start):
    """Its URI does not ask for a server that takes writes."""
    service = start(f"postgres://postgres@{HOST}:{primary.port},{HOST}:{standby.port}/users")
    with probing(pb, service) as probe:
        user = probe.create("ada@example.com")
        primary.stop()
        standby.promote()
        follow(primary, standby)
        # It may be connected to the first server, which answers reads.
        wait_until(lambda: not probe.is_serving() or sessions(primary) == 0, SOON)
        failure = probe.failure(lambda: probe.create("bob@example.com"))
        assert failure is None or failure[:3] == UNREACHABLE, failure
        wait_until(lambda: probe.is_serving() == (probe.failure(lambda: probe.create("carl@example.com")) is None), SOON)
        # The first server becomes the primary again.
        standby.stop()
        primary.promote()
        wait_until(probe.is_serving, SOON)
        assert probe.get(user.id) == user
        probe.create("dan@example.com")
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
