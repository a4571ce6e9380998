"""A sequential model of users, which explains what concurrent clients have seen.

Every successful write returns a version of its user, and the versions of a user are ordered by update_time. So the writes of
each user can be replayed in their order; what all other calls saw must be a state that was possible while they ran.
"""

import itertools
import math
from typing import Any, NamedTuple


class Call(NamedTuple):
    """A call of a history: when it ran, what it asked for and what came of it."""

    start: float
    end: float
    kind: str
    # The id, address or etag in the request, and other fields.
    request: dict
    # The user that was returned, or None.
    user: Any
    # The reason of a refusal, or an empty text.
    reason: str


class State(NamedTuple):
    """A version of a user, or None where it does not exist, and when it may, and must, have been the current one."""

    user: Any
    maybe: tuple
    surely: tuple

    @property
    def is_live(self):
        return self.user is not None and not self.user.HasField("delete_time")

    def may_be_during(self, call):
        return self.maybe[0] <= call.end and call.start <= self.maybe[1]

    def must_be_during(self, call):
        return self.surely[0] <= call.start and call.end <= self.surely[1]


WRITES = ("create", "update", "delete", "undelete", "expunge")


def version(user):
    return user.update_time.ToNanoseconds()


def fields(user):
    """Returns the fields that no deletion changes."""
    return user.id, user.email, user.name, user.status, user.created_at, dict(user.labels)


def check_step(before, call):
    """Checks that a write of a user follows from the version before."""
    assert before is not None and version(before) < version(call.user), call
    etag = call.request.get("etag")
    assert not etag or etag == before.etag, f"lost update: {call} after {before}"
    was_deleted = before.HasField("delete_time")
    if call.kind == "update":
        assert not was_deleted, f"update of a deleted user: {call}"
        changed = type(before)()
        changed.CopyFrom(before)
        for name in ("email", "name", "status"):
            if name in call.request:
                setattr(changed, name, call.request[name])
        assert fields(call.user) == fields(changed), f"{call} after {before}"
    else:
        assert fields(call.user) == fields(before), f"{call} after {before}"
        assert was_deleted or call.kind != "undelete", call
        assert not was_deleted or call.kind != "delete", call
    assert call.user.HasField("delete_time") == (call.kind in ("delete", "expunge")), call


def writer(group, before):
    """Returns the write among calls that returned one version: others are deletions of a user that was deleted already."""
    if len(group) == 1:
        return group[0]
    assert all(call.kind == "delete" and call.user == group[0].user for call in group), group
    certain = [call for call in group if not call.request.get("allow_missing")]
    assert len(certain) < 2, f"deleted twice: {group}"
    possible = [call for call in group if call.request.get("etag", before.etag) == before.etag]
    chosen = (certain or possible or group)[0]
    # Each of the calls may have been the write, and after the first end it is done.
    return chosen._replace(start=min(call.start for call in group), end=min(call.end for call in group))


def replay(writes):
    """Replays the writes of one user. Returns its states."""
    writes = sorted(writes, key=lambda call: version(call.user))
    steps = []
    for _, group in itertools.groupby(writes, key=lambda call: version(call.user)):
        steps.append(writer(list(group), steps[-1].user if steps else None))
    assert steps[0].kind == "create", steps[0]
    for before, call in itertools.pairwise(steps):
        assert before.kind != "expunge" and call.kind != "create", f"a user came back: {call}"
        assert call.end >= before.start, f"a later write made an earlier version: {before} and {call}"
        check_step(before.user, call)
    return states(steps)


def states(steps):
    found = [State(None, (-math.inf, steps[0].end), (-math.inf, steps[0].start))]
    for call, after in itertools.zip_longest(steps, steps[1:]):
        user = None if call.kind == "expunge" else call.user
        end = (after.end, after.start) if after else (math.inf, math.inf)
        found.append(State(user, (call.start, end[0]), (call.end, end[1])))
    return found


class Model:
    """What the writes of a history make of its users."""

    def __init__(self, calls):
        by_id = {}
        for call in calls:
            if call.user is not None and call.kind in WRITES:
                by_id.setdefault(call.user.id, []).append(call)
        self.users = {user_id: replay(writes) for user_id, writes in by_id.items()}
        self.check_addresses()
        for call in calls:
            assert self.explains(call), f"{call} is explained by none of {self.users.get(call.request.get('id'))}"

    def check_addresses(self):
        """Checks that no two users had one address at once."""
        held = {}
        for states in self.users.values():
            for state in states:
                if state.user is not None and state.surely[0] < state.surely[1]:
                    held.setdefault(state.user.email.lower(), []).append(state)
        for states in held.values():
            states.sort(key=lambda state: state.surely)
            for one, other in itertools.pairwise(states):
                assert one.surely[1] <= other.surely[0], f"one address of two users: {one} and {other}"

    def final(self):
        """Returns the users at the end."""
        return {user_id: states[-1].user for user_id, states in self.users.items() if states[-1].user is not None}

    def possible(self, call, user_id):
        states = self.users.get(user_id, [])
        return [state for state in states if state.may_be_during(call)]

    def may_be_taken(self, call, address, but=None):
        return any(state.user is not None and state.user.email.lower() == address.lower()
                   for user_id in self.users if user_id != but for state in self.possible(call, user_id))

    def must_be_found(self, call, address):
        return any(state.is_live and state.user.email.lower() == address.lower() and state.must_be_during(call)
                   for states in self.users.values() for state in states)

    def explains(self, call):
        """Returns whether a call may have ended as it did."""
        if call.user is not None:
            return call.kind in WRITES or any(
                state.user == call.user for state in self.possible(call, call.user.id))
        if call.reason == "EMAIL_ALREADY_REGISTERED":
            return self.may_be_taken(call, call.request["email"], but=call.request.get("id"))
        if call.kind == "find":
            return call.reason == "USER_NOT_FOUND" and not self.must_be_found(call, call.request["email"])
        return any(self.refuses(state, call) for state in self.possible(call, call.request["id"]))

    @staticmethod
    def refuses(state, call):
        """Returns whether a call of a user in this state ends with its reason."""
        match call.reason:
            case "USER_NOT_FOUND":
                return state.user is None or (call.kind in ("get", "update", "delete") and not state.is_live)
            case "USER_NOT_DELETED":
                return call.kind == "undelete" and state.is_live
            case "ETAG_MISMATCH":
                etag = call.request.get("etag")
                return bool(etag) and state.user is not None and state.user.etag != etag
        return False
