"""Runs mixed load for minutes: creates, reads, listings, sign-ins, cancelled calls and cut connections. The service's
memory and open descriptors must stay level. `./dev soak [SECONDS]` runs it, not the tests."""

import base64
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import grpc
from joserfc import jwt
from joserfc.jwk import OKPKey

import conftest
import frames
from program import PROGRAM

SAMPLES = 10
NOBODY = frames.message(frames.field(1, "nobody"))


def private_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup") as rollup:
        return next(int(line.split()[1]) for line in rollup if line.startswith("Anonymous"))


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Bearer(
    grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor, grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor):
    """Adds a token to every call."""

    def __init__(self, token):
        self.metadata = [("authorization", f"Bearer {token}")]

    def intercept_unary_unary(self, continuation, details, request):
        return continuation(details._replace(metadata=self.metadata), request)

    intercept_unary_stream = intercept_stream_unary = intercept_stream_stream = intercept_unary_unary


class Load:
    def __init__(self, address, pb, token):
        self.address, self.pb, self.bearer = address, pb, Bearer(token)
        self.stopped = threading.Event()
        self.auth = threading.local()
        self.counts = {}
        self.failures = []
        self.lock = threading.Lock()

    def run(self, threads=8):
        workers = [threading.Thread(target=self.work, args=(number,)) for number in range(threads)]
        for worker in workers:
            worker.start()
        return workers

    def fill(self, users=20_000):
        """Creates twice as many users as fill SQLite's page caches, which would look like a leak while they grow."""
        with self.connect() as channel:
            stub = self.pb.Stub(grpc.intercept_channel(channel, self.bearer))
            for load in range(4):
                rows = (self.pb.CreateUserRequest(email=f"{load}-{number}@example.com") for number in range(users))
                assert stub.BulkCreateUsers(rows, timeout=600).created_count == users

    def fill_readers(self):
        """Lists the users on each event loop: the connections that read have caches of their own."""
        # Connections are assigned to the loops in turn.
        for _ in range(os.cpu_count()):
            with self.connect() as channel:
                stub = self.pb.Stub(grpc.intercept_channel(channel, self.bearer))
                for _ in stub.ListUsers(self.pb.ListUsersRequest(page_size=1_000), timeout=600):
                    pass

    def fill_tokens(self, database, token, tokens=17_000):
        """Uses as many tokens as each event loop caches, for the same reason: twice 8,192."""
        with open(database + ".keys") as file:
            key = OKPKey.import_key(json.load(file)["keys"][0])
        header, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2])
        made = [jwt.encode(header, {**claims, "jti": str(number)}, key, algorithms=["EdDSA"])
                for number in range(tokens)]
        # Connections are assigned to the loops in turn.
        for _ in range(os.cpu_count()):
            with frames.Client(self.address) as client:
                for first in range(0, tokens, 50):
                    streams = range(2 * first + 1, 2 * min(first + 50, tokens), 2)
                    for stream in streams:
                        headers = frames.request("GetUser", authorization="Bearer " + made[stream // 2])
                        client.send(client.header_frame(stream, headers), frames.data(stream, NOBODY, end=True))
                    assert {client.response(stream).status for stream in streams} == {"5"}

    def connect(self):
        return grpc.insecure_channel(self.address, [("grpc.use_local_subchannel_pool", 1)])

    def work(self, number):
        steps = [
            self.create, self.read, self.read, self.read, self.list, self.cancel_listing, self.cancel_updates,
            self.update, self.disconnect, self.expire, self.sign_in,
        ]
        choice = random.Random(number)
        while not self.stopped.is_set():
            # A new connection is opened now and then.
            with self.connect() as plain:
                channel = grpc.intercept_channel(plain, self.bearer)
                self.auth.stub = self.pb.AuthStub(channel)
                ids = []
                for _ in range(50):
                    if self.stopped.is_set():
                        break
                    step = choice.choice(steps)
                    try:
                        step(self.pb.Stub(channel), ids, choice)
                    except Exception as error:  # Any error is a failure of the run.
                        self.failures.append(f"{step.__name__}: {error!r}")
                    with self.lock:
                        self.counts[step.__name__] = self.counts.get(step.__name__, 0) + 1

    def create(self, stub, ids, choice):
        email = f"u{choice.getrandbits(64):x}{time.time_ns():x}@example.com"
        ids.append(stub.CreateUser(self.pb.CreateUserRequest(email=email), timeout=60).id)

    def read(self, stub, ids, choice):
        if not ids:
            self.create(stub, ids, choice)
            return
        assert stub.GetUser(self.pb.GetUserRequest(user_id=choice.choice(ids)), timeout=60).id in ids

    def list(self, stub, ids, choice):
        for count, _ in enumerate(stub.ListUsers(self.pb.ListUsersRequest(page_size=100), timeout=60)):
            if count == 1_000:
                break

    def cancel_listing(self, stub, ids, choice):
        call = stub.ListUsers(self.pb.ListUsersRequest(page_size=1_000), timeout=60)
        next(call, None)
        call.cancel()

    def cancel_updates(self, stub, ids, choice):
        call = stub.UserUpdates(iter([]) if choice.random() < 0.5 else endless(), timeout=60)
        call.cancel()

    def update(self, stub, ids, choice):
        if ids:
            updates = [self.pb.UserUpdateRequest(user_id=one, name=f"n{choice.random()}") for one in ids[-5:]]
            assert len(list(stub.UserUpdates(iter(updates), timeout=60))) == len(updates)

    def expire(self, stub, ids, choice):
        try:
            list(stub.UserUpdates(endless(), timeout=0.01))
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED, error

    def sign_in(self, stub, ids, choice):
        email, password = f"s{choice.getrandbits(64):x}@example.com", "correct horse"
        user = stub.CreateUser(self.pb.CreateUserRequest(email=email, password=password), timeout=60)
        pb, auth = self.pb.auth, self.auth.stub
        tokens = auth.SignIn(pb.SignInRequest(email=email, password=password), timeout=60)
        tokens = auth.RefreshToken(pb.RefreshTokenRequest(refresh_token=tokens.refresh_token), timeout=60)
        own = [("authorization", f"Bearer {tokens.access_token}")]
        with self.connect() as channel:
            stub = self.pb.Stub(channel)
            assert stub.GetUser(self.pb.GetUserRequest(user_id=user.id), metadata=own, timeout=60) == user
            if choice.random() < 0.5:
                auth.RevokeToken(pb.RevokeTokenRequest(refresh_token=tokens.refresh_token), timeout=60)
            else:
                change = self.pb.UserUpdateRequest(user_id=user.id, password="another horse", current_password=password)
                list(stub.UserUpdates(iter([change]), metadata=own, timeout=60))
            try:
                stub.GetUser(self.pb.GetUserRequest(user_id=user.id), metadata=own, timeout=60)
                raise AssertionError("a revoked token was accepted")
            except grpc.RpcError as error:
                assert error.code() == grpc.StatusCode.UNAUTHENTICATED, error

    def disconnect(self, stub, ids, choice):
        host, port = self.address.split(":")
        with socket.create_connection((host, int(port))) as connection:
            beginning = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0\0\0\4\1"
            connection.sendall(beginning[:choice.randrange(1, len(beginning))])


def endless():
    threading.Event().wait(0.05)
    return
    yield


def main(seconds):
    with tempfile.TemporaryDirectory() as folder:
        service = conftest.Service(os.path.join(folder, "users.db"), auth="on")
        token = subprocess.run(
            [PROGRAM, "token", "issue", "--database", service.database, "--subject", "soak",
             "--scope", "users:read,users:write"], check=True, capture_output=True, text=True).stdout.strip()
        pid = service.process.pid
        generated = os.path.join(folder, "pb")
        os.mkdir(generated)
        load = Load(service.address, conftest.contract(generated), token)
        load.fill()
        load.fill_readers()
        load.fill_tokens(service.database, token)
        workers = load.run()
        samples = []
        for number in range(SAMPLES + 1):
            # The load runs for the given time.
            time.sleep(seconds / (SAMPLES + 1))
            kib, files = private_kib(pid), descriptors(pid)
            samples.append((kib, files))
            print(f"{(number + 1) * seconds // (SAMPLES + 1)} s: {kib} KiB private, {files} open", flush=True)
        load.stopped.set()
        for worker in workers:
            worker.join()
        print(f"{sum(load.counts.values())} steps: {load.counts}; {len(load.failures)} failures")
        for failure in load.failures[:10]:
            print(failure)
        status = service.stop()
        # The first half warms caches; the second must not grow.
        middle, end = samples[SAMPLES // 2 - 2:SAMPLES // 2 + 1], samples[-3:]
        growth = max(kib for kib, _ in end) - max(kib for kib, _ in middle)
        # Single samples differ by the number of open connections.
        opened = statistics.median(files for _, files in samples[-5:]) - statistics.median(
            files for _, files in samples[1:6])
        print(f"exit {status}; growth from the middle to the end: {growth} KiB, {opened} descriptors")
        return 0 if status[0] == 0 and not load.failures and growth < 2_048 and opened <= 2 else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 300))
