"""The oracle at work: judges every case of a file and writes one answer a line.

    differential.py CASES ANSWERS

Each line of CASES is a JSON object: either something that cases refer to (`context`, `bytes`), or a case:
`kind`, `input` in base64, and what else that kind needs. An answer is the rule that refused, or what was accepted.
"""

import base64
import json
import sys

from oracle import bundles, keys, receipts, roots, strict_json, tokens
from oracle.refused import Refused


class Contexts:
    """What cases refer to by name, parsed once for each use."""

    def __init__(self):
        self.bytes = {}
        self.parsed = {}

    def get(self, name, parse):
        if name is None:
            return None
        if name not in self.parsed:
            self.parsed[name] = parse(self.bytes[name])
        return self.parsed[name]

    def root(self, name):
        return self.get(name, roots.Root)

    def bundle(self, name, root):
        return self.get(name, lambda data: bundles.Bundle(data, self.root(root)))


def key_set(case, data, _contexts):
    found = keys.key_set(data)
    return {"keys": sorted([kid, key.algorithm, key.thumbprint] for kid, key in found.items())}


def token(case, data, contexts):
    found = contexts.get(case["keys"], keys.key_set)
    return accepted_token(*tokens.judge(data, found, case["expected"], case["now"]))


def trusted_token(case, data, contexts):
    bundle = contexts.bundle(case["bundle"], case["root"])
    return accepted_token(*bundles.judge_token(data, bundle, case["service"], case["now"]))


def accepted_token(header, claims):
    return {"kid": header["kid"], "sub": claims.get("sub"), "exp": strict_json.integer(claims["exp"])}


def pinned_root(case, data, _contexts):
    return accepted_root(roots.pinned(data, case["fingerprint"]))


def next_root(case, data, contexts):
    root = roots.following(data, contexts.root(case["trusted"]))
    roots.last(root, case["now"], case["skew"])
    return accepted_root(root)


def accepted_root(root):
    return {
        "root_version": root.version,
        "iat": root.iat,
        "exp": root.exp,
        "custodians": sorted(root.custodians.kids),
        "threshold": root.custodians.threshold,
        "bundlers": sorted(root.bundlers.kids),
    }


def bundle(case, data, contexts):
    root = contexts.root(case["trusted"])
    installed = contexts.bundle(case.get("installed"), case.get("installed_under"))
    found = bundles.accepted(data, root, installed, case["now"])
    services = {name: sorted(found.keys_for(name)) for name in found.services}
    return {"seq": found.seq, "iat": found.iat, "exp": found.exp, "services": services}


def receipt(case, data, contexts):
    enrolled = contexts.get(case.get("enrolled"), lambda data: keys.one_of(strict_json.parse(data))[1])
    last = contexts.get(case.get("last"), lambda data: receipts.Receipt(data, None))
    found = receipts.accepted(data, enrolled, last)
    return {
        "verifier": found.verifier,
        "counter": found.counter,
        "seq": found.seq,
        "installed_at": found.installed_at,
        "loaded_at": found.loaded_at,
        "kids": found.kids,
        "iat": found.iat,
    }


JUDGES = {
    "keys": key_set,
    "token": token,
    "trusted-token": trusted_token,
    "pinned-root": pinned_root,
    "next-root": next_root,
    "bundle": bundle,
    "receipt": receipt,
}


def answers(lines):
    contexts = Contexts()
    for line in lines:
        case = json.loads(line)
        if "context" in case:
            contexts.bytes[case["context"]] = base64.b64decode(case["bytes"], validate=True)
            continue
        data = base64.b64decode(case["input"], validate=True)
        try:
            yield {"accepted": JUDGES[case["kind"]](case, data, contexts)}
        except Refused as refused:
            yield {"refused": refused.rule}


with open(sys.argv[1], encoding="utf-8") as cases, open(sys.argv[2], "w", encoding="utf-8") as out:
    for answer in answers(cases):
        out.write(json.dumps(answer) + "\n")
