"""Tests passwords, tokens and sign-ins of the commands."""

import json
import pathlib
import stat
import subprocess

import pytest

from commands import Commands, users
from databases import lengthen_waits
from program import PROGRAM

PASSWORD = "correct horse"


@pytest.fixture
def secured(serve, tmp_path):
    """A service with authentication, commands for it, and a file with a token that has all rights."""
    service = serve(auth="on")
    commands = Commands(tmp_path / "home", service.address)
    commands.database = service.database
    commands.token = commands(
        "token", "issue", "--database", service.database, "--subject", "test", "--scope", "users:read,users:write")
    commands.token_file = tmp_path / "token"
    commands.token_file.write_text(commands.token)
    return commands


def test_passwords_come_from_a_file_or_standard_input_and_from_nowhere_else(secured, tmp_path):
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n")
    secured("users", "create", "--email", "ada@example.com", "--password-file", str(file))
    secured("users", "create", "--email", "bob@example.com", "--password-file", "-", input=PASSWORD)
    secured("sign-in", "--email", "bob@example.com", "--password-file", str(file))
    id = users(secured("users", "list", "--output", "csv", "--token-file", str(secured.token_file)))[0]["id"]
    secured("users", "update", id, "--password-file", "-", "--token-file", str(secured.token_file), input="new horse\r\n")
    secured("sign-in", "--email", "ada@example.com", "--password-file", "-", input="new horse", code=0)
    assert "wrong e-mail or password" in secured(
        "sign-in", "--email", "ada@example.com", "--password-file", str(file), code=4)
    secured("users", "create", "--email", "eve@example.com", "--password", PASSWORD, code=2)
    secured("sign-in", "--email", "ada@example.com", "--password", PASSWORD, code=2)
    for bad in ("", "two\nlines", "x" * 70_000):
        assert "Error: " in secured("sign-in", "--email", "a@b.example", "--password-file", "-", input=bad, code=1)
    assert "terminal" in secured("sign-in", "--email", "ada@example.com", code=2)


def test_a_terminal_is_asked_for_passwords_and_does_not_show_them(secured):
    code, shown = secured.terminal(
        "users", "create", "--email", "ada@example.com", "--ask-password",
        answers=[("New password: ", "wrong\x15corrext\x7f\x7fct hörse\x7f\x7f\x7f\x7forse\r"),
                 ("Repeat the password: ", PASSWORD + "\r")])
    assert code == 0, shown
    assert "horse" not in shown and "ada@example.com" in shown
    code, shown = secured.terminal(
        "sign-in", "--email", "ada@example.com", answers=[("Password of ada@example.com: ", PASSWORD + "\n")])
    assert code == 0 and "signed in to" in shown and "horse" not in shown
    code, shown = secured.terminal(
        "users", "create", "--email", "bob@example.com", "--ask-password",
        answers=[("New password: ", "one\r"), ("Repeat the password: ", "another\r")])
    assert code == 1 and "nothing was changed" in shown
    code, shown = secured.terminal(
        "sign-in", "--email", "ada@example.com", answers=[("Password of ada@example.com: ", "abc\x03")])
    assert code == 130


def test_a_sign_in_lasts_for_the_commands_to_come_until_a_sign_out(secured, tmp_path):
    assert "not signed in" in secured("users", "get", "x", code=4)
    id = json.loads(secured("users", "create", "--email", "ada@example.com", "--password-file", "-", "--output", "json",
                            input=PASSWORD))["id"]
    secured("sign-in", "--email", "ada@example.com", "--password-file", "-", input=PASSWORD)
    assert id in secured("users", "get", id)
    assert "users:read" in secured("users", "list", code=4)
    # An explicit token takes precedence over the sign-in, and a file over the environment.
    assert id in secured("users", "list", environment={"USER_SERVICE_TOKEN": secured.token.strip()})
    secured("users", "list", environment={"USER_SERVICE_TOKEN": "nonsense"}, code=4)
    assert id in secured("users", "list", "--token-file", str(secured.token_file),
                         environment={"USER_SERVICE_TOKEN": "nonsense"})
    [file] = (secured.home / "user-service" / "sessions").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    # The same address with TLS is another service: the tokens of the two are never sent to each other.
    secured("users", "get", id, "--tls", "--timeout", "300ms", code=1)
    # The sign-in at another service has no effect.
    address = secured.environment["USER_SERVICE_ADDRESS"]
    assert "not signed in" in secured("users", "get", id, "--address", address.replace("127.0.0.1", "localhost"), code=4)
    kept = file.read_text()
    assert "signed out" in secured("sign-out")
    assert not file.exists()
    assert "not signed in" in secured("sign-out")
    file.write_text(kept)
    assert "revoked" in secured("users", "get", id, code=4)
    file.write_text("{")
    assert "sign in again" in secured("users", "get", id, code=1)


def test_users_change_their_own_password_with_the_current_one(secured, tmp_path):
    id = json.loads(secured("users", "create", "--email", "ada@example.com", "--password-file", "-", "--output", "json",
                            input=PASSWORD))["id"]
    current, new = tmp_path / "current", tmp_path / "new"
    current.write_text(PASSWORD)
    new.write_text("another horse")
    secured("sign-in", "--email", "ada@example.com", "--password-file", str(current))
    change = ["users", "update", id, "--password-file", str(new)]
    assert "needs the current password" in secured(*change, code=4)
    assert "current password is wrong" in secured(*change, "--current-password-file", "-", input="wrong horse", code=4)
    for wrong in (["--current-password-file", "-", "--ask-current-password"],):
        secured(*change, *wrong, code=2)
    secured("users", "update", id, "--password-file", "-", "--current-password-file", "-", code=2)
    secured(*change, "--current-password-file", "-", input=PASSWORD)
    secured("sign-in", "--email", "ada@example.com", "--password-file", str(new))
    code, shown = secured.terminal(
        "users", "update", id, "--email", "lovelace@example.com", "--ask-current-password",
        answers=[("Current password: ", "another horse\r")])
    assert code == 0 and "lovelace@example.com" in shown and "horse" not in shown


def test_a_sign_in_again_shows_that_the_device_is_known(secured, tmp_path):
    secured("users", "create", "--email", "ada@example.com", "--password-file", "-", input=PASSWORD)
    signing_in = ["sign-in", "--email", "ada@example.com", "--password-file", "-"]
    stranger = {"XDG_CONFIG_HOME": str(tmp_path / "stranger")}
    secured(*signing_in, input=PASSWORD)
    [file] = (secured.home / "user-service" / "sessions").iterdir()
    file.write_text("{")
    secured(*signing_in, input=PASSWORD)
    for _ in range(5):
        secured(*signing_in, input="wrong horse", environment=stranger, code=4)
    lengthen_waits(secured.database)
    assert "try again in" in secured(*signing_in, input=PASSWORD, environment=stranger, code=4)
    secured(*signing_in, input=PASSWORD)


def test_a_sign_in_is_refreshed_and_the_new_tokens_are_kept(serve, tmp_path):
    service = serve(auth="on", settings={"auth.access.lifetime": "1s"})
    commands = Commands(tmp_path / "home", service.address)
    id = json.loads(commands("users", "create", "--email", "ada@example.com", "--password-file", "-", "--output", "json",
                             input=PASSWORD))["id"]
    commands("sign-in", "--email", "ada@example.com", "--password-file", "-", input=PASSWORD)
    [file] = (commands.home / "user-service" / "sessions").iterdir()
    seen = {file.read_text()}
    for _ in range(3):
        assert id in commands("users", "get", id)
        seen.add(file.read_text())
    assert len(seen) == 4


@pytest.fixture
def stale(serve, tmp_path):
    """Commands with a sign-in at an earlier service of the same address. The present service has another database,
    and knows neither the user nor the key."""
    first = serve(auth="on", settings={"auth.access.lifetime": "1s"})
    commands = Commands(tmp_path / "home", first.address)
    commands("users", "create", "--email", "ada@example.com", "--password-file", "-", input=PASSWORD)
    commands("sign-in", "--email", "ada@example.com", "--password-file", "-", input=PASSWORD)
    assert first.stop() == (0, "")
    serve(auth="on", listen=[first.address])
    return commands


def test_a_sign_in_that_has_ended_is_told_and_forgotten(stale):
    address = stale.environment["USER_SERVICE_ADDRESS"]
    assert f"The last sign-in at {address} has expired; sign in again." in stale("users", "list", code=4)
    assert "Sign in with" in stale("users", "list", code=4)
    assert not list(stale.home.rglob("*.json"))


def test_whoever_was_signed_in_may_create_a_user_as_anybody_may(stale):
    assert "bob@example.com" in stale("users", "create", "--email", "bob@example.com")


def test_sign_ins_are_kept_in_the_home_of_the_environment(secured, tmp_path):
    home = tmp_path / "another"
    environment = {"HOME": str(home), "XDG_CONFIG_HOME": ""}
    secured("users", "create", "--email", "ada@example.com", "--password-file", "-", input=PASSWORD)
    secured("sign-in", "--email", "ada@example.com", "--password-file", "-", input=PASSWORD, environment=environment)
    assert len(list((home / ".config" / "user-service").rglob("*.json"))) == 1


def test_a_byte_order_mark_is_not_part_of_a_password_or_a_token(secured, tmp_path):
    file = tmp_path / "password"
    file.write_bytes(b"\xef\xbb\xbf" + PASSWORD.encode() + b"\r\n")
    secured("users", "create", "--email", "ada@example.com", "--password-file", str(file))
    secured("sign-in", "--email", "ada@example.com", "--password-file", "-", input=PASSWORD)
    secured.token_file.write_bytes(b"\xef\xbb\xbf" + secured.token.strip().encode() + b"\n")
    assert "ada@example.com" in secured("users", "list", "--token-file", str(secured.token_file))


@pytest.mark.parametrize("content, words", [
    (b"correct\0horse", "a NUL"), (b"correct\thorse", "control character, U+0009"), (b"\x1b[Acorrect horse", "U+001B"),
    ("correct\x85horse".encode(), "one line"), (b"correct h\xf6rse", "not UTF-8"),
    (PASSWORD.encode("utf-16"), "UTF-16"), (PASSWORD.encode("utf-16-le"), "UTF-16"), (b"", "empty"), (b"\n", "empty"),
    (b"\xef\xbb\xbf\n", "empty"), (b"two\nlines", "one line"), (b"x" * 70_000, "more than 65536 bytes")])
def test_a_file_that_is_not_one_line_of_text_is_not_a_password_nor_a_token(commands, tmp_path, content, words):
    file = tmp_path / "secret"
    file.write_bytes(content)
    for option in ("--password-file", "--token-file"):
        error = commands("users", "create", "--email", "ada@example.com", option, str(file), code=1)
        assert error.startswith(f"Error: {file} ") and words in error and "correct" not in error, error
    assert users(commands("users", "list", "--output", "csv")) == []


def test_a_token_that_cannot_be_sent_says_what_is_wrong_with_it(secured):
    for token, words in [("a\nb", "a line break"), ("a b", "a space"), ("\ufeffa", "a byte order mark")]:
        assert secured("users", "list", environment={"USER_SERVICE_TOKEN": token}, code=4) == (
            f"Error: the token contains {words}\n")


def test_a_key_that_gives_no_letter_does_not_become_part_of_a_password(secured):
    for keys in (b"\x1b[Acorrect horse\r".decode(), "correct\x00horse\r"):
        code, shown = secured.terminal(
            "users", "create", "--email", "ada@example.com", "--ask-password", answers=[("New password: ", keys)])
        assert code == 1 and "is not a character" in shown


def test_the_program_of_the_client_library_s_documentation_does_what_it_says(secured):
    done = subprocess.run(
        [pathlib.Path(PROGRAM).parent / "client-example"], capture_output=True, text=True, timeout=60,
        env={**secured.environment, "USER_SERVICE_TOKEN": secured.token.strip()})
    assert (done.stderr, done.stdout.splitlines()) == ("", [
        "created ada@example.com", "wrong e-mail or password", "created 1",
        "row 1: email must have the form local-part@domain", "ada@example.com is Ada", "bob@example.com is Bob",
        "the name is now Robert"])
