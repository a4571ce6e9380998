"""Tests which callers may call which methods for which users, cell by cell, by grpcio."""

import time
import uuid

import grpc
import pytest

import conftest
from callers import Caller, service_token
from issuer import ISSUER, make_key, make_token, write_keys
from user_calls import UserCalls, refusal

# Each test runs on the inline road and on the handler road, and on PostgreSQL.
ANSWERING = ["inline", "task"]
ENGINES = ["sqlite", "postgres"]

ENDS = {
    "ok": None, "mis": ("UNAUTHENTICATED", "TOKEN_MISSING"), "exp": ("UNAUTHENTICATED", "TOKEN_EXPIRED"),
    "rev": ("UNAUTHENTICATED", "TOKEN_REVOKED"), "den": ("PERMISSION_DENIED", "PERMISSION_DENIED"),
    "pwd": ("PERMISSION_DENIED", "CURRENT_PASSWORD_REQUIRED"), "nof": ("NOT_FOUND", "USER_NOT_FOUND"),
    "not": ("ALREADY_EXISTS", "USER_NOT_DELETED")}

# The callers: none has no token, user has that of its sign-in, +read and +write are users with a scope. read, write, import
# and export are services with a scope. idle is a user that was made inactive, gone one that was deleted, and late has an
# expired token of all scopes. The targets: self is the caller, other an active user, deleted a deleted one.
TABLE = """
method                target   none user +read +write read write import export idle gone late
GetUser               self     mis  ok   ok    ok     .    .     .      .      rev  rev  .
GetUser               other    mis  den  ok    den    ok   den   den    den    rev  rev  exp
GetUser               deleted  mis  den  nof   den    nof  den   den    den    rev  rev  exp
GetUser               unknown  mis  den  nof   den    nof  den   den    den    rev  rev  exp
GetUser+deleted       deleted  mis  den  ok    den    ok   den   den    den    rev  rev  exp
GetUserByEmail        self     mis  ok   ok    ok     .    .     .      .      rev  rev  .
GetUserByEmail        other    mis  den  ok    den    ok   den   den    den    rev  rev  exp
GetUserByEmail        deleted  mis  den  nof   den    nof  den   den    den    rev  rev  exp
GetUserByEmail        unknown  mis  den  nof   den    nof  den   den    den    rev  rev  exp
BatchGetUsers         self     mis  den  ok    den    .    .     .      .      rev  rev  .
BatchGetUsers         other    mis  den  ok    den    ok   den   den    den    rev  rev  exp
BatchGetUsers         deleted  mis  den  nof   den    nof  den   den    den    rev  rev  exp
ListUsers             other    mis  den  ok    den    ok   den   den    den    rev  rev  exp
ListUsers+deleted     deleted  mis  den  ok    den    ok   den   den    den    rev  rev  exp
CreateUser            unknown  ok   ok   ok    ok     ok   ok    ok     ok     ok   ok   ok
BulkCreateUsers       unknown  mis  den  den   ok     den  ok    den    den    rev  rev  exp
UserUpdates           self     mis  ok   ok    ok     .    .     .      .      rev  rev  .
UserUpdates           other    mis  den  den   ok     den  ok    den    den    rev  rev  exp
UserUpdates           deleted  mis  den  den   nof    den  nof   den    den    rev  rev  exp
UpdateUser            self     mis  ok   ok    ok     .    .     .      .      rev  rev  .
UpdateUser            other    mis  den  den   ok     den  ok    den    den    rev  rev  exp
UpdateUser            deleted  mis  den  den   nof    den  nof   den    den    rev  rev  exp
UpdateUser            unknown  mis  den  den   nof    den  nof   den    den    rev  rev  exp
UpdateUser+check      self     mis  ok   ok    ok     .    .     .      .      rev  rev  .
UpdateUser+check      other    mis  den  den   ok     den  ok    den    den    rev  rev  exp
UpdateUser+password   self     mis  pwd  pwd   ok     .    .     .      .      rev  rev  .
UpdateUser+password   other    mis  den  den   ok     den  ok    den    den    rev  rev  exp
DeleteUser            self     mis  pwd  pwd   ok     .    .     .      .      rev  rev  .
DeleteUser            other    mis  den  den   ok     den  ok    den    den    rev  rev  exp
DeleteUser            deleted  mis  den  den   nof    den  nof   den    den    rev  rev  exp
DeleteUser            unknown  mis  den  den   nof    den  nof   den    den    rev  rev  exp
DeleteUser+check      self     mis  pwd  pwd   ok     .    .     .      .      rev  rev  .
DeleteUser+check      other    mis  den  den   ok     den  ok    den    den    rev  rev  exp
DeleteUser+missing    deleted  mis  den  den   ok     den  ok    den    den    rev  rev  exp
DeleteUser+expunge    self     mis  den  den   ok     .    .     .      .      rev  rev  .
DeleteUser+expunge    other    mis  den  den   ok     den  ok    den    den    rev  rev  exp
DeleteUser+expunge    deleted  mis  den  den   ok     den  ok    den    den    rev  rev  exp
UndeleteUser          self     mis  den  den   not    .    .     .      .      rev  rev  .
UndeleteUser          other    mis  den  den   not    den  not   den    den    rev  rev  exp
UndeleteUser          deleted  mis  den  den   ok     den  ok    den    den    rev  rev  exp
UndeleteUser+check    deleted  mis  den  den   ok     den  ok    den    den    rev  rev  exp
UndeleteUser          unknown  mis  den  den   nof    den  nof   den    den    rev  rev  exp
"""

# What each method does for a target.
METHODS = {
    "GetUser": lambda calls, user: calls.get(user.id),
    "GetUser+deleted": lambda calls, user: calls.get(user.id, show_deleted=True),
    "GetUserByEmail": lambda calls, user: calls.find(user.email),
    "BatchGetUsers": lambda calls, user: calls.batch([user.id]),
    "ListUsers": lambda calls, user: calls.listing(page_size=1),
    "ListUsers+deleted": lambda calls, user: calls.listing(filter=f'email = "{user.email}"', show_deleted=True),
    "CreateUser": lambda calls, user: calls.create(user.email),
    "BulkCreateUsers": lambda calls, user: calls.bulk(calls.pb.CreateUserRequest(email=user.email)),
    "UserUpdates": lambda calls, user: calls.stream({"user_id": user.id, "name": "Eve"}),
    "UpdateUser": lambda calls, user: calls.update(user.id, name="Eve"),
    "UpdateUser+check": lambda calls, user: calls.update(user.id, name="Eve", validate_only=True),
    "UpdateUser+password": lambda calls, user: calls.update(user.id, password="another horse"),
    "DeleteUser": lambda calls, user: calls.delete(user.id),
    "DeleteUser+check": lambda calls, user: calls.delete(user.id, validate_only=True),
    "DeleteUser+missing": lambda calls, user: calls.delete(user.id, allow_missing=True),
    "DeleteUser+expunge": lambda calls, user: calls.delete(user.id, expunge=True),
    "UndeleteUser": lambda calls, user: calls.undelete(user.id),
    "UndeleteUser+check": lambda calls, user: calls.undelete(user.id, validate_only=True),
}


def cells():
    """Yields the method, target, caller and end of each cell."""
    head, *lines = (line.split() for line in TABLE.strip().splitlines())
    for method, target, *ends in lines:
        for caller, end in zip(head[2:], ends, strict=True):
            if end != ".":
                yield pytest.param(method, target, caller, end, id=f"{method}-{target}-{caller}")


class World:
    """A service, and the makers of callers and targets."""

    def __init__(self, pb, service, channel, key):
        self.caller = Caller(pb, channel)
        self.calls = UserCalls(pb, self.caller.users)
        self.key, self.callers = key, {}
        self.operator = self.calls.bearing(service_token(service, "users:read,users:write"))
        self.services = {name: service_token(service, f"users:{name}")
                         for name in ("read", "write", "import", "export")}

    def user(self):
        return self.caller.create(f"{uuid.uuid4().hex}@example.com")

    def caller_named(self, name):
        """Returns the caller's token, and its user or None. Callers that may delete themselves are made anew."""
        if name.startswith("+"):
            user = self.operator.create(f"{uuid.uuid4().hex}@example.com")
            return make_token(self.key, sub=user.id, scope="users:" + name[1:]), user
        if name not in self.callers:
            self.callers[name] = self.make_caller(name)
        return self.callers[name]

    def make_caller(self, name):
        if name == "none":
            return None, None
        if name in self.services:
            return self.services[name], None
        if name == "late":
            now = int(time.time())
            scopes = "users:read users:write users:import users:export"
            return make_token(self.key, scope=scopes, iat=now - 600, exp=now - 60), None
        user = self.user()
        token = self.caller.sign_in(user.email).access_token
        if name == "idle":
            self.operator.update(user.id, status=2)
        elif name == "gone":
            self.operator.delete(user.id)
        return token, user

    def make_target(self, name, own):
        if name == "self":
            return own or self.user()
        if name == "unknown":
            return self.calls.pb.User(id=str(uuid.uuid4()), email=f"{uuid.uuid4().hex}@example.com")
        user = self.operator.create(f"{uuid.uuid4().hex}@example.com")
        return self.operator.delete(user.id) if name == "deleted" else user


@pytest.fixture(scope="module")
def world(pb, tmp_path_factory, answering, new_databases):
    folder = tmp_path_factory.mktemp("authorization")
    key = make_key("ES256", "one")
    write_keys(folder / "jwks.json", [key])
    with conftest.starter(folder, answering, new_databases) as start:
        service = start(auth="on", settings={
            "auth.jwks.file": folder / "jwks.json", "auth.jwks.issuer": ISSUER, "auth.jwks.algorithms": "ES256",
            "peer.rate": "none"})
        with grpc.insecure_channel(service.address) as channel:
            yield World(pb, service, channel, key)


def missing_scope(method):
    reads = method.startswith(("Get", "Batch", "List"))
    return "users:read" if reads else "users:write"


@pytest.mark.parametrize("method, target, caller, end", cells())
def test_the_table(world, method, target, caller, end):
    token, own = world.caller_named(caller)
    user = world.make_target(target, own)
    before = world.operator.find(user.email, show_deleted=True) if target != "unknown" else None

    def call():
        METHODS[method](world.calls.bearing(token), user)

    if end == "ok":
        return call()
    status = refusal(call)
    assert status[:2] == ENDS[end]
    if end == "den":
        assert status.metadata["scope"] == missing_scope(method)
    # A refused call changes nothing.
    if before:
        assert world.operator.find(user.email, show_deleted=True) == before
    return None


def test_permission_is_checked_before_the_request(world):
    """Requests that are invalid throughout are denied like valid ones."""
    user = world.user()
    own = world.calls.bearing(world.caller.sign_in(user.email).access_token)
    services = [world.calls.bearing(token) for name, token in world.services.items() if name != "write"]
    for calls in (own, *services):
        for call in (lambda: calls.update("", ["x"], password="x", etag="x"), lambda: calls.delete("", etag="x"),
                     lambda: calls.undelete("", etag="x"), lambda: calls.stream({"update_id": "x" * 999})):
            assert refusal(call)[:2] == ENDS["den"]
    for calls in (own, *(world.calls.bearing(world.services[name]) for name in ("write", "import", "export"))):
        for call in (lambda: calls.get("", show_deleted=True), lambda: calls.batch([]),
                     lambda: calls.listing(page_size=-1, filter="x", page_token="x")):
            assert refusal(call)[:2] == ENDS["den"]
