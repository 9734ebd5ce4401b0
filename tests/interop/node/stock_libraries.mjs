// npm jose and fast-jwt on published keys, each used as its own documentation shows, strictly.
// Started as `node SCRIPT CASES.json RESULTS.json`; see ../python/cases.py for the shape of both.

import { createPublicKey } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createVerifier, TokenError } from "fast-jwt";
import { createLocalJWKSet, errors, jwtVerify } from "jose";

async function jose({ token, keys, algorithm, audience, issuer }) {
  const options = { algorithms: [algorithm], audience, issuer, typ: "at+jwt", requiredClaims: ["exp", "iat", "nbf", "sub", "jti"] };
  return (await jwtVerify(token, createLocalJWKSet(keys), options)).payload;
}

// fast-jwt takes one key; the header's kid picks it, as its documentation does with a key fetcher.
async function fastJwt({ token, keys, algorithm, audience, issuer }) {
  const fetchKey = async ({ header }) => {
    const jwk = keys.keys.find(({ kid }) => kid === header.kid);
    if (!jwk) throw new TokenError(TokenError.codes.keyFetchingError, `no key ${header.kid}`);
    return createPublicKey({ key: jwk, format: "jwk" }).export({ type: "spki", format: "pem" });
  };
  const options = { key: fetchKey, algorithms: [algorithm], allowedAud: audience, allowedIss: issuer, requiredClaims: ["exp", "iat", "nbf", "sub", "jti"] };
  return await createVerifier(options)(token);
}

const libraries = { jose, "fast-jwt": fastJwt };

async function check(test) {
  const { name, verifier } = test;
  try {
    const keys = JSON.parse(readFileSync(test.keys, "utf8"));
    return { name, outcome: "accept", said: "", claims: await libraries[verifier]({ ...test, keys }) };
  } catch (error) {
    const refusal = error instanceof errors.JOSEError || error instanceof TokenError;
    return { name, outcome: refusal ? "reject" : "broken", said: `${error.code ?? error.name}: ${error.message}`, claims: null };
  }
}

const { cases } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const results = [];
for (const test of cases) results.push(await check(test));
writeFileSync(process.argv[3], JSON.stringify(results));
