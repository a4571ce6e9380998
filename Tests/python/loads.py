"""Calls services from many threads while faults happen, and remembers what the services have acknowledged."""

import collections
import contextlib
import itertools
import threading
import time
from typing import NamedTuple

import grpc
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo

from callers import details
from databases import execute
from waiting import wait_until


class Failure(NamedTuple):
    """How a call has failed."""

    code: str
    # The reason of the ErrorInfo; empty where the connection to the service failed.
    reason: str
    # Whether there is a RetryInfo with a wait.
    has_wait: bool
    # How long the call took, in seconds.
    seconds: float


def failure_of(error, seconds):
    info, retry = details(error, ErrorInfo, RetryInfo)
    return Failure(error.code().name, info.reason, retry.retry_delay.ToMilliseconds() > 0, seconds)


UNREACHABLE = ("UNAVAILABLE", "DATABASE_UNREACHABLE", True)


class Stored(NamedTuple):
    """What is known of a stored user: its name is a number between these two."""

    acknowledged: int
    attempted: int


class Load:
    """Creates and updates users through services, on threads of its own, as long as the context lasts.

    Every `bulk`th call of a thread is a BulkCreateUsers of 20 rows.
    """

    def __init__(self, pb, addresses, threads=4, bulk=None, deadline=20, pause=0.005):
        self.pb, self.addresses, self.bulk, self.deadline, self.pause = pb, addresses, bulk, deadline, pause
        self.users, self.failures, self.successes = {}, [], collections.Counter()
        self.lock, self.ended = threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(number,)) for number in range(threads)]
        self.numbers = itertools.count()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Ends the load after the calls that run."""
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def run(self, number):
        address = self.addresses[number % len(self.addresses)]
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.initial_reconnect_backoff_ms", 50),
                   ("grpc.max_reconnect_backoff_ms", 200)]
        with grpc.insecure_channel(address, options) as channel:
            stub, own = self.pb.Stub(channel), []
            for turn in itertools.count():
                if self.ended.is_set():
                    return
                if self.bulk and turn % self.bulk == 1:
                    self.create_many(stub, address)
                elif turn % 2 == 0 or not own:
                    own += self.create(stub, address)
                else:
                    self.update(stub, address, own[turn % len(own)])

    def call(self, address, method, request):
        """Calls a method. Returns the answer, or None if it failed."""
        start = time.monotonic()
        try:
            answer = method(request, timeout=self.deadline)
        except grpc.RpcError as error:
            with self.lock:
                self.failures.append((address, failure_of(error, time.monotonic() - start)))
            # A client that is told to wait would wait for a second.
            time.sleep(self.pause)
            return None
        with self.lock:
            self.successes[address] += 1
        return answer

    def request(self):
        return self.pb.CreateUserRequest(email=f"load{next(self.numbers)}@example.com", name="0")

    def create(self, stub, address):
        user = self.call(address, stub.CreateUser, self.request())
        if user is None:
            return []
        self.users[user.id] = Stored(0, 0)
        return [user.id]

    def create_many(self, stub, address):
        answer = self.call(address, stub.BulkCreateUsers, iter([self.request() for _ in range(20)]))
        if answer is not None:
            self.users.update({user_id: Stored(0, 0) for user_id in answer.user_ids})

    def update(self, stub, address, user_id):
        name = self.users[user_id].attempted + 1
        self.users[user_id] = self.users[user_id]._replace(attempted=name)
        request = self.pb.UpdateUserRequest(user=self.pb.User(id=user_id, name=str(name)))
        if self.call(address, stub.UpdateUser, request) is not None:
            self.users[user_id] = Stored(name, name)

    def count(self, address=None):
        """The number of calls that have succeeded, of a service or of all."""
        with self.lock:
            return self.successes[address] if address else self.successes.total()

    def wait_for_successes(self, count=5, address=None, seconds=20):
        """Returns once `count` more calls have succeeded."""
        end = self.count(address) + count
        wait_until(lambda: self.count(address) >= end, seconds)

    def check(self, database):
        """Checks that everything that was acknowledged is stored, and nothing that was not attempted. The load has ended."""
        names = {user_id: int(name) for user_id, name in execute(database, "SELECT id, name FROM users")
                 if user_id in self.users}
        wrong = {user_id: (stored, names.get(user_id)) for user_id, stored in self.users.items()
                 if user_id not in names or not stored.acknowledged <= names[user_id] <= stored.attempted}
        assert not wrong, f"acknowledged, and stored: {wrong}"
        assert self.users

    def check_failures(self, *others):
        """Checks that calls have failed with DATABASE_UNREACHABLE, or with one of `others`, and before their deadlines."""
        allowed = {UNREACHABLE, *others}
        unexpected = collections.Counter(failure[:3] for _, failure in self.failures if failure[:3] not in allowed)
        assert not unexpected, unexpected
        assert all(failure.seconds < self.deadline for _, failure in self.failures)


def succeeds(call):
    """Returns whether a call succeeds."""
    return Probe.failure(call) is None


class Probe:
    """Calls one service, and sees whether it is healthy."""

    def __init__(self, pb, channel):
        self.pb, self.stub = pb, pb.Stub(channel)
        self.health = channel.unary_unary("/grpc.health.v1.Health/Check", lambda data: data, lambda data: data)

    def is_serving(self):
        # HealthCheckResponse: the field `status` is 1 while it serves.
        return self.health(b"", timeout=10) == b"\x08\x01"

    def create(self, email, timeout=20):
        return self.stub.CreateUser(self.pb.CreateUserRequest(email=email), timeout=timeout)

    def get(self, user_id, timeout=20):
        return self.stub.GetUser(self.pb.GetUserRequest(user_id=user_id), timeout=timeout)

    @staticmethod
    def failure(call):
        """Returns how a call fails, or None if it succeeds."""
        start = time.monotonic()
        try:
            call()
        except grpc.RpcError as error:
            return failure_of(error, time.monotonic() - start)
        return None


def end(*services):
    """Stops services that may have logged that their database failed, and nothing else."""
    for service in services:
        code, errors = service.stop()
        assert code == 0
        assert all("the database cannot be written: not serving" in line for line in errors.splitlines()), errors


@contextlib.contextmanager
def probing(pb, service):
    with grpc.insecure_channel(service.address) as channel:
        yield Probe(pb, channel)
