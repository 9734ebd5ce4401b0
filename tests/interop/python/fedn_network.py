"""A real FEDn network on loopback: its controller's REST application and a combiner's gRPC server, one SQLite file between them.

Started with the variables of a published `fedn.env` in the environment, which FEDn reads at import.
The only thing changed in FEDn is where it listens: it would bind every interface.
"""

import datetime
import os
import socket
import sys
import tempfile
import threading

import cases

for variable in ("FEDN_AUTH_TOKEN", "FEDN_HOME_DIR", "FEDN_CONTROLLER_URL", "OTEL_SERVICE_NAME"):
    os.environ.pop(variable, None)
# A network whose operator wants another value than the tokens carry.
if "INTEROP_CUSTOM_CLAIM_VALUE" in os.environ:
    os.environ["FEDN_JWT_CUSTOM_CLAIM_VALUE"] = os.environ["INTEROP_CUSTOM_CLAIM_VALUE"]

import grpc
import requests
import werkzeug.serving
from click.testing import CliRunner
from fedn.cli import main as fedn_command
from fedn.network.api.client import APIClient
from fedn.network.api.server import app
from fedn.network.clients.client_v2 import Client
from fedn.network.combiner.combiner import Combiner
from fedn.network.combiner.connect import ConnectorCombiner, Status
from fedn.network.controller.control import Control
from fedn.network.grpc import fedn_pb2, fedn_pb2_grpc
from fedn.network.storage.dbconnection import DatabaseConnection
from fedn.network.storage.s3.repository import Repository
from fedn.network.storage.statestore.stores.client_store import ClientModel
from fedn.network.storage.statestore.stores.dto.combiner import CombinerDTO

NETWORK = "interop"
DEADLINE = 20


def start_combiner(database, repository):
    """The combiner as FEDn makes it, its server bound to 127.0.0.1 instead of to [::]."""
    # Bound without listening, the socket keeps the port for the server, which binds it again (SO_REUSEPORT).
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    reserved.bind(("127.0.0.1", 0))
    port = reserved.getsockname()[1]
    # FEDn 0.33 writes this entry with a date as text, which SQLite refuses; one that it finds it leaves alone.
    database.combiner_store.add(
        CombinerDTO(name="combiner", parent="localhost", address="127.0.0.1", fqdn=None, ip="", port=port, updated_at=datetime.datetime.now())
    )
    make = grpc.server

    def on_loopback(*arguments, **options):
        server = make(*arguments, **options)
        add_port = server.add_insecure_port
        server.add_insecure_port = lambda address: add_port(address.replace("[::]", "127.0.0.1"))
        return server

    grpc.server = on_loopback
    try:
        config = {"name": "combiner", "host": "127.0.0.1", "fqdn": None, "port": port, "secure": False, "max_clients": 8, "verbosity": "ERROR"}
        return Combiner(config, repository, database), port
    finally:
        grpc.server = make
        reserved.close()


def start_controller(database, repository):
    Control.create_instance(NETWORK, repository, database)
    server = werkzeug.serving.make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, server.server_port


class Doors:
    """The places where FEDn looks at a token, each named as in the cases."""

    def __init__(self, rest_port, grpc_port):
        self.rest_port = rest_port
        self.rest_url = f"http://127.0.0.1:{rest_port}"
        self.channel = grpc.insecure_channel(f"127.0.0.1:{grpc_port}")

    def _rest(self, case, method, path, body=None):
        headers = {"Authorization": f"Bearer {case['token']}"}
        answer = requests.request(method, self.rest_url + path, headers=headers, json=body, timeout=DEADLINE)
        said = f"{answer.status_code} {answer.json().get('message', '')}".strip()
        if answer.status_code == 401:
            return cases.refused(case, said)
        if answer.status_code >= 500:
            return cases.broken(case, RuntimeError(said))
        return cases.accepted(case, cases.claims_of(case["token"]), said)

    def admin_rest(self, case):
        return self._rest(case, "GET", "/api/v1/clients/")

    def client_rest(self, case):
        body = {"client_id": "probe", "name": "probe", "package": "local", "preferred_combiner": ""}
        return self._rest(case, "POST", "/api/v1/clients/add", body)

    def combiner_rest(self, case):
        # 410: past the door, behind which FEDn 0.33 has nothing left.
        return self._rest(case, "POST", "/add_combiner", {})

    def client_grpc(self, case):
        heartbeat = fedn_pb2.Heartbeat(sender=fedn_pb2.Client(name="probe", role=fedn_pb2.CLIENT, client_id="probe"))
        stub = fedn_pb2_grpc.ConnectorStub(self.channel)
        try:
            stub.SendHeartbeat(heartbeat, metadata=(("authorization", f"Bearer {case['token']}"),), timeout=DEADLINE)
        except grpc.RpcError as error:
            said = f"{error.code().name} {error.details()}"
            if error.code() in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
                return cases.refused(case, said)
            return cases.broken(case, RuntimeError(said))
        return cases.accepted(case, cases.claims_of(case["token"]), "OK")

    def client_yaml(self, case):
        """`fedn client start --init FILE` up to the combiner it is given: past that, FEDn sends its token over TLS on port 443 only."""
        seen = {}

        def discover(client):
            seen["token"] = client.token
            seen["options"] = client.client_obj.to_json()
            seen["url"] = client.fedn_api_url
            seen["assigned"], _ = client._connect_to_api()

        start, Client.start = Client.start, discover
        try:
            arguments = ["client", "start", "--init", case["file"], "--local-package", "--api-port", str(self.rest_port)]
            run = CliRunner().invoke(fedn_command, arguments)
        finally:
            Client.start = start
        if run.exit_code != 0 or "assigned" not in seen:
            return cases.broken(case, RuntimeError(f"{run.output} {run.exception}"))
        said = f"{seen['url']} {seen['options']['name']} {seen['options']['client_id']}"
        return cases.accepted(case, cases.claims_of(seen["token"]), said) if seen["assigned"] else cases.refused(case, said)

    def api_client(self, case):
        os.environ.update(cases.environment_of(case["file"]))
        try:
            answer = APIClient("127.0.0.1", self.rest_port).get_clients()
            token = os.environ["FEDN_AUTH_TOKEN"]
        finally:
            os.environ.pop("FEDN_AUTH_TOKEN", None)
        if "count" in answer:
            return cases.accepted(case, cases.claims_of(token), f"count {answer['count']}")
        return cases.refused(case, str(answer.get("message")))

    def combiner_announce(self, case):
        os.environ.update(cases.environment_of(case["file"]))
        try:
            status, _ = ConnectorCombiner("127.0.0.1", self.rest_port, "127.0.0.1", None, 1, None, "second").announce()
            token = os.environ["FEDN_AUTH_TOKEN"]
        finally:
            os.environ.pop("FEDN_AUTH_TOKEN", None)
        if status == Status.UnAuthorized:
            return cases.refused(case, status.name)
        return cases.accepted(case, cases.claims_of(token), status.name)


def main():
    # FEDn 0.33's client asks without it, which MongoDB allows and FEDn's own SQL table does not.
    ClientModel.__table__.c.combiner_preferred.nullable = True
    with tempfile.TemporaryDirectory() as folder:
        database = DatabaseConnection({"type": "SQLite", "sqlite_config": {"dbname": os.path.join(folder, "fedn.db")}}, NETWORK)
        storage = {"storage_endpoint": "http://127.0.0.1:9", "storage_access_key": "unused", "storage_secret_key": "unused"}
        repository = Repository(storage, init_buckets=False, storage_type="BOTO3")
        combiner, grpc_port = start_combiner(database, repository)
        controller, rest_port = start_controller(database, repository)
        doors, results = Doors(rest_port, grpc_port), []
        for case in cases.read()["cases"]:
            try:
                results.append(getattr(doors, case["door"])(case))
            except Exception as error:
                results.append(cases.broken(case, error))
        cases.write(results)
        doors.channel.close()
        combiner.server.stop()
        controller.shutdown()
        sys.stdout.flush()
        os._exit(0)  # FEDn's threads never end by themselves


if __name__ == "__main__":
    main()
