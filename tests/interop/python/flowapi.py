"""FlowAPI's token checks: quart-jwt-extended configured as FlowAPI configures it, claims unpacked by FlowKit's own code.

Started with the variables of a published `flowapi.env` in the environment. What FlowAPI's own
configuration fixes in code (RS256, identity in `sub`, audience from FLOWAPI_IDENTIFIER) is fixed here.
"""

import asyncio
import os

import cases
import quart
from flowkit_jwt_generator.jwt import decompress_claims, load_public_key
from quart_jwt_extended import JWTManager, get_jwt_claims, get_jwt_identity, jwt_required


def application():
    app = quart.Quart("flowapi")
    app.config.update(
        JWT_PUBLIC_KEY=load_public_key(os.environ["PUBLIC_JWT_SIGNING_KEY"]),
        JWT_ALGORITHM="RS256",
        JWT_DECODE_AUDIENCE=os.environ["FLOWAPI_IDENTIFIER"],
        JWT_IDENTITY_CLAIM="sub",
    )
    manager = JWTManager(app)

    @manager.user_loader_callback_loader
    def user(identity):
        return {"identity": identity, "roles": decompress_claims(get_jwt_claims())}

    @app.route("/whoami")
    @jwt_required
    async def whoami():
        return {"sub": get_jwt_identity(), "roles": decompress_claims(get_jwt_claims())}

    return app


async def ask(app, case):
    headers = {"Authorization": f"Bearer {case['token']}"}
    answer = await app.test_client().get("/whoami", headers=headers)
    body = await answer.get_json(silent=True) or {}
    said = f"{answer.status_code} {body.get('msg', '')}".strip()
    if answer.status_code == 200:
        return cases.accepted(case, body, said)
    if answer.status_code in (401, 403, 422):
        return cases.refused(case, said)
    return cases.broken(case, RuntimeError(said))


async def main():
    app = application()
    cases.write([await ask(app, case) for case in cases.read()["cases"]])


asyncio.run(main())
