"""Tests the commands that find, label, delete and restore users."""

import json

import pytest

from commands import Commands, users
from program import run

# Each test runs on SQLite and on PostgreSQL.
ENGINES = ["sqlite", "postgres"]

PASSWORD = "correct horse"


@pytest.fixture
def create(commands):
    """Creates a user. Returns it as the command shows it."""
    def create(email, *arguments):
        return json.loads(commands("users", "create", "--email", email, "--output", "json", *arguments))
    return create


def shown(text):
    """Returns the rows of a table as lists of words."""
    return [line.split() for line in text.splitlines()[1:]]


def test_a_user_is_shown_by_its_id_or_its_address(commands, create):
    ada = create("ada@example.com", "--name", "Ada")
    for reference in ([ada["id"]], ["--email", "ADA@example.com"]):
        assert json.loads(commands("users", "get", *reference, "--output", "json")) == ada
    assert commands("users", "get", "--email", "bob@example.com", code=3) == (
        "Error: the user bob@example.com does not exist\n")


def test_a_deleted_user_is_shown_only_on_request_as_deleted(commands, create):
    ada, bob = create("ada@example.com"), create("bob@example.com")
    assert shown(commands("users", "delete", ada["id"])) == [
        [ada["id"], "ada@example.com", "deleted", ada["created_at"][:19] + "Z"]]
    commands("users", "get", ada["id"], code=3)
    assert shown(commands("users", "get", "--email", "ada@example.com", "--show-deleted"))[0][2] == "deleted"
    assert [row[1] for row in shown(commands("users", "list"))] == ["bob@example.com"]
    assert [row[2] for row in shown(commands("users", "list", "--show-deleted"))] == ["deleted", "active"]
    deleted, other = users(commands("users", "list", "--show-deleted", "--output", "csv"))
    assert deleted["deleted_at"] < deleted["purge_at"] and deleted["status"] == "active"
    assert other == {**bob, "deleted_at": "", "purge_at": "", "labels": ""}
    restored = json.loads(commands("users", "undelete", "--email", "ada@example.com", "--output", "json"))
    assert "deleted_at" not in restored and json.loads(commands("users", "get", ada["id"], "--output", "json")) == restored
    assert commands("users", "undelete", ada["id"], code=4) == "Error: the user is not deleted\n"


def test_a_listing_has_a_filter(commands, create):
    for number in range(4):
        create(f"user{number}@example.com", "--label", f"tenant={'ab'[number % 2]}")
    listed = users(commands("users", "list", "--filter", 'labels.tenant = "b"', "--output", "csv"))
    assert sorted(user["email"] for user in listed) == ["user1@example.com", "user3@example.com"]
    assert {user["labels"] for user in listed} == {'{"tenant":"b"}'}
    assert commands("users", "list", "--filter", "nonsense", code=4).startswith("Error: filter ")


def test_labels_are_set_replaced_and_removed(commands, create):
    ada = create("ada@example.com", "--label", "tenant=a", "--label", "plan=x=y")
    assert ada["labels"] == {"plan": "x=y", "tenant": "a"}

    def update(*arguments):
        return json.loads(commands("users", "update", ada["id"], "--output", "json", *arguments))

    assert update("--name", "Ada")["labels"] == ada["labels"]
    assert update("--label", "team=")["labels"] == {"team": ""}
    assert "labels" not in update("--no-labels")
    assert commands("users", "update", ada["id"], "--label", "Team=a", code=4).startswith("Error: labels")


def test_an_etag_keeps_a_change_from_overwriting_another(commands, create):
    ada = create("ada@example.com")
    changed = json.loads(commands(
        "users", "update", ada["id"], "--name", "Ada", "--etag", ada["etag"], "--output", "json"))
    for command in (["update", ada["id"], "--name", "Eve"], ["delete", ada["id"]], ["delete", "--email", ada["email"]]):
        assert commands("users", *command, "--etag", ada["etag"], code=4) == "Error: the user has changed meanwhile\n"
    assert json.loads(commands("users", "get", ada["id"], "--output", "json")) == changed
    deleted = json.loads(commands("users", "delete", ada["id"], "--etag", changed["etag"], "--output", "json"))
    assert "changed" in commands("users", "undelete", ada["id"], "--etag", changed["etag"], code=4)
    commands("users", "undelete", ada["id"], "--etag", deleted["etag"])


def test_an_erased_user_is_confirmed_at_a_terminal(commands, create):
    ada = create("ada@example.com")
    expunge = ["users", "delete", "--email", "ada@example.com", "--expunge"]
    code, text = commands.terminal(*expunge, answers=[("Continue? [y/N] ", "n\n")])
    assert code == 1 and f"This erases ada@example.com ({ada['id']})." in text and "nothing was changed" in text
    assert json.loads(commands("users", "get", ada["id"], "--output", "json")) == ada
    commands("users", "delete", ada["id"])
    code, text = commands.terminal(*expunge, answers=[("Continue? [y/N] ", "y\n")])
    assert code == 0, text
    commands("users", "get", ada["id"], "--show-deleted", code=3)
    bob = create("ada@example.com")
    code, text = commands.terminal("users", "delete", bob["id"], "--expunge", "--yes")
    assert code == 0 and "Continue?" not in text
    eve = create("ada@example.com")
    assert "--yes" in commands(*expunge, code=2)
    assert json.loads(commands("users", "get", eve["id"], "--output", "json")) == eve
    commands(*expunge, "--yes")
    commands("users", "undelete", eve["id"], code=3)


def test_users_delete_themselves_with_their_password(serve, tmp_path):
    service = serve(auth="on")
    commands = Commands(tmp_path / "home", service.address)
    ada = json.loads(commands(
        "users", "create", "--email", "ada@example.com", "--password-file", "-", "--output", "json", input=PASSWORD))
    commands("sign-in", "--email", "ada@example.com", "--password-file", "-", input=PASSWORD)
    delete = ["users", "delete", ada["id"]]
    assert commands(*delete, code=4) == "Error: this change needs the current password\n"
    assert "wrong" in commands(*delete, "--current-password-file", "-", input="wrong horse", code=4)
    assert "users:write" in commands(*delete, "--expunge", "--yes", "--current-password-file", "-", input=PASSWORD, code=4)
    commands(*delete, "--current-password-file", "-", input=PASSWORD)
    commands("sign-in", "--email", "ada@example.com", "--password-file", "-", input=PASSWORD, code=4)


@pytest.mark.parametrize("arguments", [
    ["get"], ["get", "x", "--email", "a@b.example"], ["delete"], ["delete", "x", "--email", "a@b.example"], ["undelete"],
    ["delete", "x", "--ask-current-password", "--current-password-file", "y"], ["update", "x", "--label", "tenant"],
    ["update", "x", "--label", "a=b", "--label", "a=c"], ["update", "x", "--label", "a=b", "--no-labels"],
    ["update", "x", "--etag", "y"], ["create", "--email", "a@b.example", "--label", "a=b", "--label", "a=b"]])
def test_an_invalid_command_line_changes_nothing(commands, arguments):
    assert commands("users", *arguments, code=2).startswith("Error: ")


def test_a_listing_with_deleted_users_is_the_same_after_an_import(commands, create, serve, tmp_path):
    ada = create("ada@example.com", "--label", "tenant=a, b")
    create("bob@example.com", "--name", "B, b")
    commands("users", "delete", ada["id"])
    for form, name in (("csv", "csv"), ("json", "jsonl")):
        listed = commands("users", "list", "--show-deleted", "--output", form)
        other = Commands(tmp_path / form, serve().address)
        assert other("users", "import", "-", "--format", name, input=listed) == (
            "2 imported, 0 already stored, 0 rejected\n")
        assert other("users", "export", "--output", name) == commands("users", "export", "--output", name)


def test_the_help_of_token_issue_names_every_scope():
    text = " ".join(run("token", "issue", "--help").stdout.split())
    scopes = "users:read, users:write, users:import, users:export, users:export-hashes"
    assert scopes in text
    done = run("token", "issue", "--database", "x.db", "--subject", "x", "--scope", "users:raed")
    assert done.returncode == 2 and f"the scopes are {scopes}" in done.stderr
