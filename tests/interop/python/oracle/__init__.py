"""A second judge of tokens, key sets, roots, bundles and receipts, written from docs/formats alone.

It shares no code and no library with coldsign-verify: the JSON parser is its own, signatures are checked by
Python's cryptography. Where it and coldsign-verify disagree, one of them or the page is wrong.
"""
