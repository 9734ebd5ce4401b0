"""What every verifier script here shares: cases in, one result a case out.

A script is started as `python SCRIPT CASES.json RESULTS.json`. It decides nothing about right and
wrong: it says what the verifier said, and the Rust test compares. Results go to a file, because
the services under test write to stdout as they please.
"""

import base64
import json
import subprocess
import sys


def read():
    with open(sys.argv[1], encoding="utf-8") as file:
        return json.load(file)


def write(results):
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        json.dump(results, file)


def accepted(case, claims=None, said=""):
    return {"name": case["name"], "outcome": "accept", "said": said, "claims": claims}


def refused(case, said):
    return {"name": case["name"], "outcome": "reject", "said": said, "claims": None}


def broken(case, error):
    """Neither accepted nor refused: the verifier or this script failed, which no test may take for a refusal."""
    return {"name": case["name"], "outcome": "broken", "said": f"{type(error).__name__}: {error}", "claims": None}


def claims_of(token):
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def environment_of(path):
    """The variables that a shell has after sourcing the file, as services' start scripts do."""
    sourced = subprocess.run(
        ["sh", "-c", 'set -a; . "$1"; env -0', "sh", path], env={"PATH": "/usr/bin:/bin"}, capture_output=True, check=True
    )
    return dict(entry.split("=", 1) for entry in sourced.stdout.decode().split("\0") if entry)
