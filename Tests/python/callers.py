"""Calls a service with authentication by grpcio, with a token or without."""

import base64
import json

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from grpc_status import rpc_status

from program import TIMEOUT, run

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
DENIED = grpc.StatusCode.PERMISSION_DENIED
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED


def details(error, *kinds):
    """Returns the details of a failed call's google.rpc.Status: a message of each kind, empty if missing."""
    found = [kind() for kind in kinds]
    status = rpc_status.from_call(error)
    for detail in status.details if status else []:
        for message in found:
            if detail.Is(message.DESCRIPTOR):
                detail.Unpack(message)
    return found


def failure(call):
    """Returns the status code and the reason of a failed call, and the wait before the next."""
    with pytest.raises(grpc.RpcError) as raised:
        call()
    if raised.value.code() == UNAUTHENTICATED:
        assert raised.value.details() in ("Invalid token", "Invalid email or password")
    info, retry = details(raised.value, ErrorInfo, RetryInfo)
    return raised.value.code(), info.reason, retry.retry_delay.ToMilliseconds()


def service_token(service, scope="users:read,users:write", subject="billing", *more):
    result = run("token", "issue", "--database", service.database, "--subject", subject, "--scope", scope, *more)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def bearer(token):
    return [("authorization", f"Bearer {token}")]


def token_id(token):
    return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))["jti"]


class Caller:
    """A caller with a token, or without."""

    def __init__(self, pb, channel):
        self.pb, self.users, self.auth = pb, pb.Stub(channel), pb.AuthStub(channel)

    def create(self, email="ada@example.com", password="correct horse", token=None):
        return self.users.CreateUser(
            self.pb.CreateUserRequest(email=email, password=password), timeout=TIMEOUT,
            metadata=bearer(token) if token else None)

    def get(self, user_id, token=None, metadata=None):
        return self.users.GetUser(
            self.pb.GetUserRequest(user_id=user_id), timeout=TIMEOUT,
            metadata=metadata or (bearer(token) if token else None))

    def list(self, token=None):
        return list(self.users.ListUsers(
            self.pb.ListUsersRequest(), timeout=TIMEOUT, metadata=bearer(token) if token else None))

    def bulk(self, token=None):
        return self.users.BulkCreateUsers(
            iter([self.pb.CreateUserRequest(email="bulk@example.com")]), timeout=TIMEOUT,
            metadata=bearer(token) if token else None)

    def update(self, user_id, token=None, **changes):
        updates = iter([self.pb.UserUpdateRequest(user_id=user_id, **changes)])
        return list(self.users.UserUpdates(
            updates, timeout=TIMEOUT, metadata=bearer(token) if token else None))

    def sign_in(self, email="ada@example.com", password="correct horse", device=""):
        return self.auth.SignIn(
            self.pb.auth.SignInRequest(email=email, password=password, refresh_token=device), timeout=TIMEOUT)

    def refresh(self, token):
        return self.auth.RefreshToken(self.pb.auth.RefreshTokenRequest(refresh_token=token), timeout=TIMEOUT)

    def revoke(self, token):
        return self.auth.RevokeToken(self.pb.auth.RevokeTokenRequest(refresh_token=token), timeout=TIMEOUT)
