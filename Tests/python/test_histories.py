"""Tests that users behave as in a sequential model while eight clients change them at once."""

import concurrent.futures
import contextlib
import itertools
import random
import threading
import time

import grpc
import pytest

from histories import WRITES, Call, Model
from user_calls import UserCalls, refusal

SEED = 20_260_131
HISTORIES, CLIENTS, CALLS, ADDRESSES = 200, 8, 5, 3


class Client:
    """One client, which makes random calls and records them."""

    def __init__(self, calls, shared, history, number):
        self.calls, self.shared, self.history = calls, shared, history
        self.chance = random.Random(f"{SEED} {history} {number}")
        self.names = (f"{number}-{index}" for index in itertools.count())
        self.seen = []

    def run(self):
        for _ in range(CALLS):
            kinds = ["create", "find"] if not self.shared else [
                "create", "find", "get", "get", "undelete", "undelete", "delete", "expunge", *["update"] * 6]
            getattr(self, self.chance.choice(kinds))()
        return self.seen

    def record(self, kind, request, call):
        start = time.monotonic()
        user, reason = None, ""
        try:
            user = call()
        except grpc.RpcError as error:
            def fail(error=error):
                raise error
            reason = refusal(fail).reason
        self.seen.append(Call(start, time.monotonic(), kind, request, user, reason))
        if user is not None:
            self.shared[user.id] = user

    def address(self):
        text = f"h{self.history}.{self.chance.randrange(ADDRESSES)}@example.com"
        return text.upper() if self.chance.random() < 0.3 else text

    def known(self):
        """Returns a user as some client has seen it last: perhaps changed or erased since."""
        return self.shared[self.chance.choice(list(self.shared))]

    def etag(self, user, share):
        return {"etag": user.etag} if self.chance.random() < share else {}

    def create(self):
        address, name = self.address(), next(self.names)
        self.record("create", {"email": address}, lambda: self.calls.create(address, name=name))

    def find(self):
        address = self.address()
        self.record("find", {"email": address}, lambda: self.calls.find(address))

    def get(self):
        user = self.known()
        self.record("get", {"id": user.id}, lambda: self.calls.get(user.id))

    def update(self):
        user = self.known()
        # Each update has a name of its own, so that all of them change something.
        fields = {"name": next(self.names), **self.etag(user, 0.8)}
        if self.chance.random() < 0.3:
            fields["email"] = self.address()
        if self.chance.random() < 0.3:
            fields["status"] = self.chance.choice([1, 2])
        self.record("update", {"id": user.id, **fields}, lambda: self.calls.update(user.id, **fields))

    def delete(self):
        user = self.known()
        fields = self.etag(user, 0.5)
        if self.chance.random() < 0.5:
            fields["allow_missing"] = True
        self.record("delete", {"id": user.id, **fields}, lambda: self.calls.delete(user.id, **fields))

    def undelete(self):
        user = self.known()
        fields = self.etag(user, 0.5)
        self.record("undelete", {"id": user.id, **fields}, lambda: self.calls.undelete(user.id, **fields))

    def expunge(self):
        user = self.known()
        fields = self.etag(user, 0.5)
        self.record("expunge", {"id": user.id, **fields},
                    lambda: self.calls.delete(user.id, expunge=True, **fields))


@pytest.fixture
def clients(pb, serve, database):
    """The calls of each client, on a connection of its own."""
    service = serve(database=database)
    with contextlib.ExitStack() as stack:
        channels = [stack.enter_context(grpc.insecure_channel(
            service.address, options=[("grpc.use_local_subchannel_pool", 1)])) for _ in range(CLIENTS)]
        yield [UserCalls(pb, pb.Stub(channel)) for channel in channels]


def check_end(calls, history, model):
    """Compares the stored users of a history with the model's."""
    final = model.final()
    listed = calls.listing(filter=f'email = "h{history}.*"', show_deleted=True)
    for user in listed:
        user.ClearField("page_token")
    assert {user.id: user for user in listed} == final
    assert len({user.email.lower() for user in listed}) == len(listed)
    live = [user for user in final.values() if not user.HasField("delete_time")]
    assert [calls.get(user.id) for user in live] == live
    assert [calls.find(user.email) for user in live] == live
    for user_id in set(model.users) - set(final):
        assert refusal(lambda: calls.get(user_id, show_deleted=True)).reason == "USER_NOT_FOUND"


def test_histories(clients):
    """200 random histories have sequential explanations. The seed decides on the calls, and chance on their order."""
    counts = dict.fromkeys([*WRITES, "ETAG_MISMATCH", "EMAIL_ALREADY_REGISTERED", "USER_NOT_DELETED"], 0)
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as threads:
        for history in range(HISTORIES):
            shared, begin = {}, threading.Barrier(CLIENTS)
            workers = [Client(calls, shared, history, number) for number, calls in enumerate(clients)]

            def run(worker, begin=begin):
                begin.wait(60)
                return worker.run()

            seen = list(itertools.chain.from_iterable(threads.map(run, workers)))
            check_end(clients[0], history, Model(seen))
            for call in seen:
                for key in (call.reason, call.kind if call.user is not None else ""):
                    if key in counts:
                        counts[key] += 1
    # Otherwise the histories would have little to explain.
    assert min(counts.values()) > 50, counts
