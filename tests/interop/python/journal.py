"""An exported journal, checkpoints and proofs read by somebody else's code.

    journal.py EXPORT [CHECKPOINT|PROOF]...

SHA-256 and Ed25519 are Python's; the trees are RFC 6962's definitions; notes and checkpoints are read by
the rules of Go's sumdb/note and sumdb/tlog, restated. Says `EXPORT sound: N lines, M signatures`,
`PREFIX sound: N lines`, `PROOF sound: INDEX`; any fault ends it with status 1.
"""

import base64
import hashlib
import json
import pathlib
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def sha256(data):
    return hashlib.sha256(data).digest()


def leaf(line):
    return sha256(b"\x00" + line)


def node(left, right):
    return sha256(b"\x01" + left + right)


def head(leaves):
    """RFC 6962 section 2.1, as it is defined."""
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node(head(leaves[:split]), head(leaves[split:]))


def is_name(name):
    """note.isValidName: neither empty nor with blanks or pluses."""
    return name and "+" not in name and not any(character.isspace() for character in name)


def read_key(text):
    """note.NewVerifier: name, the first four bytes of a hash over name and key, algorithm 1 and the key."""
    assert text.endswith("\n")
    name, key_id, blob = text[:-1].split("+", 2)
    blob = base64.b64decode(blob, validate=True)
    assert is_name(name) and len(key_id) == 8 and len(blob) == 33 and blob[0] == 1
    assert sha256(name.encode() + b"\n" + blob)[:4].hex() == key_id
    return name, bytes.fromhex(key_id), Ed25519PublicKey.from_public_bytes(blob[1:])


def opened(note, key):
    """note.Open: the text with its newline; raises where no signature of that key holds."""
    name, key_id, public = key
    assert all(character == "\n" or ord(character) >= 0x20 for character in note) and note.endswith("\n")
    text, signatures = note[: note.rindex("\n\n") + 1], note[note.rindex("\n\n") + 2 :]
    verified = 0
    for line in signatures[:-1].split("\n"):
        assert line.startswith("\u2014 ")
        signer, blob = line[2:].split(" ")
        blob = base64.b64decode(blob, validate=True)
        assert is_name(signer) and len(blob) >= 5
        if signer == name and blob[:4] == key_id:
            public.verify(blob[4:], text.encode())
            verified += 1
    assert verified == 1
    return text


def checkpoint(note, key):
    """c2sp.org/tlog-checkpoint, as tlog.ParseTree reads its three lines: the size and the root."""
    origin, size, root, nothing = opened(note, key).split("\n")
    assert origin == key[0] and nothing == ""
    assert size.isascii() and size.isdigit() and str(int(size)) == size and int(size) < 1 << 63
    root = base64.b64decode(root, validate=True)
    assert len(root) == 32
    return int(size), root


def root_from(index, size, digest, path):
    """RFC 6962 section 2.1.1 read backwards: the head that a path leads to."""
    if size == 1:
        assert not path
        return digest
    split = 1
    while split * 2 < size:
        split *= 2
    *below, sibling = path
    if index < split:
        return node(root_from(index, split, digest, below), sibling)
    return node(sibling, root_from(index - split, size - split, digest, below))


def export(folder):
    key = read_key((folder / "journal.vkey").read_text())
    data = (folder / "entries.jsonl").read_bytes()
    assert data.endswith(b"\n")
    lines = data[:-1].split(b"\n")
    before, signatures, note = bytes(32), 0, None
    for index, line in enumerate(lines):
        entry = json.loads(line)
        assert entry["index"] == index and entry["prev"] == before.hex()
        before, note = sha256(line), None
        if entry["type"] == "checkpoint":
            note = entry["note"]
            size, root = checkpoint(note, key)
            assert size == index and root == head([leaf(one) for one in lines[:index]])
            signatures += 1
    assert note == (folder / "checkpoint").read_text()
    for policy in (folder / "policies").iterdir():
        assert sha256(policy.read_bytes()).hex() == policy.stem
    print(f"EXPORT sound: {len(lines)} lines, {signatures} signatures")
    return key, lines


def prefix(note, key, lines):
    """What tlog.CheckTree is told by a proof, worked out from the lines themselves."""
    size, root = checkpoint(note, key)
    assert size <= len(lines) and root == head([leaf(one) for one in lines[:size]])
    print(f"PREFIX sound: {size} lines")


def proof(text, key):
    """c2sp.org/tlog-proof, the path as tlog.CheckRecord walks it."""
    top, note = text.split("\n\n", 1)
    header, extra, index, *path = top.split("\n")
    assert header == HEADER
    line = base64.b64decode(extra.removeprefix("extra "), validate=True)
    index = int(index.removeprefix("index "))
    size, root = checkpoint(note, key)
    assert index < size and json.loads(line)["index"] == index
    path = [base64.b64decode(one, validate=True) for one in path]
    assert root_from(index, size, leaf(line), path) == root
    print(f"PROOF sound: {index}")


HEADER = "c2sp.org/tlog-proof@v1"
key, lines = export(pathlib.Path(sys.argv[1]))
for file in sys.argv[2:]:
    text = pathlib.Path(file).read_text()
    if text.startswith(HEADER):
        proof(text, key)
    else:
        prefix(text, key, lines)
