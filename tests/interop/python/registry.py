"""A real container registry on loopback that trusts a published certificate (`rootcertbundle`)."""

import os
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

import cases

DEADLINE = 30
HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def start(work, folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = os.path.join(folder, "config.yml")
    with open(config, "w", encoding="utf-8") as file:
        file.write("version: 0.1\nstorage: {inmemory: {}}\nlog: {level: error}\n")
    environment = {
        "PATH": "/usr/bin:/bin",
        "REGISTRY_HTTP_ADDR": f"127.0.0.1:{port}",
        "REGISTRY_HTTP_SECRET": "of this run only",
        "REGISTRY_AUTH": "token",
        "REGISTRY_AUTH_TOKEN_REALM": "https://unused.invalid/",
        "REGISTRY_AUTH_TOKEN_SERVICE": work["audience"],
        "REGISTRY_AUTH_TOKEN_ISSUER": work["issuer"],
        "REGISTRY_AUTH_TOKEN_ROOTCERTBUNDLE": work["certificate"],
    }
    process = subprocess.Popen([work["binary"], "serve", config], env=environment)
    limit = time.monotonic() + DEADLINE
    while time.monotonic() < limit and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return process, f"http://127.0.0.1:{port}"
        except OSError:
            time.sleep(0.05)
    process.kill()
    raise TimeoutError("the registry did not start")


def ask(url, case):
    request = urllib.request.Request(url + case["path"], headers={"Authorization": f"Bearer {case['token']}"})
    try:
        return cases.accepted(case, cases.claims_of(case["token"]), str(HTTP.open(request, timeout=DEADLINE).status))
    except urllib.error.HTTPError as error:
        said = f"{error.code} {error.headers.get('WWW-Authenticate', '')}"
        # 404: let in, to a registry that holds nothing.
        if error.code == 404:
            return cases.accepted(case, cases.claims_of(case["token"]), said)
        return cases.refused(case, said) if error.code in (401, 403) else cases.broken(case, RuntimeError(said))


def main():
    work = cases.read()
    with tempfile.TemporaryDirectory() as folder:
        process, url = start(work, folder)
        try:
            cases.write([ask(url, case) for case in work["cases"]])
        finally:
            process.terminate()
            process.wait(DEADLINE)


main()
