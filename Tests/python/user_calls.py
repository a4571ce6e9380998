"""Calls every method of user.v1.UserService by grpcio, with a request's fields as keywords."""

from typing import NamedTuple

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo

from callers import bearer, details
from program import TIMEOUT


class Refusal(NamedTuple):
    """The status of a failed call."""

    code: str
    reason: str
    # The reason of each invalid field.
    violations: dict
    # The metadata of the ErrorInfo.
    metadata: dict
    # The description of each invalid field.
    descriptions: dict


def refusal(call):
    """Returns the status of a call that has to fail."""
    with pytest.raises(grpc.RpcError) as raised:
        call()
    info, bad = details(raised.value, ErrorInfo, BadRequest)
    assert info.domain == "user.v1"
    faults = bad.field_violations
    return Refusal(
        raised.value.code().name, info.reason, {fault.field: fault.reason for fault in faults},
        dict(info.metadata), {fault.field: fault.description for fault in faults})


def invalid(call):
    """Returns the reason of each invalid field of a call that has to fail with INVALID_REQUEST."""
    code, reason, violations, *_ = refusal(call)
    assert (code, reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
    return violations


NOT_FOUND = ("NOT_FOUND", "USER_NOT_FOUND")
CHANGED = ("ABORTED", "ETAG_MISMATCH")
TAKEN = ("ALREADY_EXISTS", "EMAIL_ALREADY_REGISTERED")
NOT_DELETED = ("ALREADY_EXISTS", "USER_NOT_DELETED")
DENIED = ("PERMISSION_DENIED", "PERMISSION_DENIED")
REVOKED = ("UNAUTHENTICATED", "TOKEN_REVOKED")


class UserCalls:
    """The calls of one caller, with a token or without."""

    def __init__(self, pb, stub, token=None):
        self.pb, self.stub, self.token = pb, stub, token

    def bearing(self, token):
        """Returns the calls of another caller."""
        return UserCalls(self.pb, self.stub, token)

    @property
    def options(self):
        return {"timeout": TIMEOUT, "metadata": bearer(self.token) if self.token else None}

    def create(self, email, **fields):
        return self.stub.CreateUser(self.pb.CreateUserRequest(email=email, **fields), **self.options)

    def get(self, user_id, **fields):
        return self.stub.GetUser(self.pb.GetUserRequest(user_id=user_id, **fields), **self.options)

    def find(self, email, **fields):
        return self.stub.GetUserByEmail(self.pb.GetUserByEmailRequest(email=email, **fields), **self.options)

    def batch(self, user_ids, **fields):
        request = self.pb.BatchGetUsersRequest(user_ids=user_ids, **fields)
        return self.stub.BatchGetUsers(request, **self.options).users

    def bulk(self, *rows):
        return self.stub.BulkCreateUsers(iter(rows), **self.options)

    def listing(self, **fields):
        return list(self.stub.ListUsers(self.pb.ListUsersRequest(**fields), **self.options))

    def update(self, user_id, mask=None, password=None, current_password=None, validate_only=False, **fields):
        """Calls UpdateUser with `fields` of the user, and a mask unless that is None."""
        request = self.pb.UpdateUserRequest(
            user=self.pb.User(id=user_id, **fields), password=password, current_password=current_password,
            validate_only=validate_only)
        if mask is not None:
            request.update_mask.CopyFrom(FieldMask(paths=mask))
        return self.stub.UpdateUser(request, **self.options)

    def stream(self, *updates):
        """Calls UserUpdates, with a dictionary of fields for each update."""
        requests = iter([self.pb.UserUpdateRequest(**fields) for fields in updates])
        return list(self.stub.UserUpdates(requests, **self.options))

    def delete(self, user_id, **fields):
        return self.stub.DeleteUser(self.pb.DeleteUserRequest(user_id=user_id, **fields), **self.options)

    def undelete(self, user_id, **fields):
        return self.stub.UndeleteUser(self.pb.UndeleteUserRequest(user_id=user_id, **fields), **self.options)

    def imports(self, *rows):
        """Calls ImportUsers. Returns the results."""
        return list(self.stub.ImportUsers(iter(rows), **self.options))

    def export(self, **fields):
        return list(self.stub.ExportUsers(self.pb.ExportUsersRequest(**fields), **self.options))
