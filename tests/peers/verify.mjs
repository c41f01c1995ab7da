// Verifies hookbox's requests with Node's crypto and `standardwebhooks`, then signs some itself.
//
// Usage: node verify.mjs NODE_MODULES PEERS_JSON [SIGNED_BY_NODE_JSON]

import crypto from "node:crypto";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const [modules, from, to] = process.argv.slice(2);
const { Webhook } = createRequire(path.join(path.resolve(modules), "x.js"))("standardwebhooks");

const PREFIX = "rsassa-pss-sha256=";
const PSS = { padding: crypto.constants.RSA_PKCS1_PSS_PADDING };
// Ed25519 public keys in DER start with these bytes (RFC 8410 §4).
const ED25519_DER = Buffer.from("302a300506032b6570032100", "hex");

class Refused extends Error {}

const signedContent = (headers, body) =>
  Buffer.concat([Buffer.from(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.`), body]);

const checks = {
  "rsa-pss"(request, headers, body) {
    const jwk = request.jwks.find((key) => key.kid === headers["x-webhook-signature-key-id"]);
    const key = crypto.createPublicKey({ key: jwk, format: "jwk" });
    const contents = {
      "x-webhook-signature": body,
      "x-webhook-signature-v2": signedContent(headers, body),
    };
    for (const [name, content] of Object.entries(contents)) {
      if (!headers[name].startsWith(PREFIX)) throw new Refused(`${name} has another prefix`);
      // Node's decoder takes either alphabet.
      const signature = Buffer.from(headers[name].slice(PREFIX.length), "base64");
      for (const saltLength of [32, crypto.constants.RSA_PSS_SALTLEN_AUTO]) {
        if (!crypto.verify("sha256", content, { key, ...PSS, saltLength }, signature)) {
          throw new Refused(`${name} does not match`);
        }
      }
    }
  },
  fingerprint(request, headers, body) {
    const entries = headers["fpjs-event-signature"].split(",");
    for (const secret of request.secrets) {
      const expected = crypto.createHmac("sha256", secret).update(body).digest("hex");
      if (!entries.includes(`v1=${expected}`)) throw new Refused("no fingerprint signature matches");
    }
  },
  standard(request, headers, body) {
    for (const secret of request.secrets) {
      if (secret.startsWith("whsec_")) {
        try {
          new Webhook(secret).verify(body, headers);
        } catch (error) {
          throw new Refused(`standardwebhooks: ${error.message}`);
        }
        continue;
      }
      const raw = Buffer.from(secret.replace("whpk_", ""), "base64");
      const der = Buffer.concat([ED25519_DER, raw]);
      const key = crypto.createPublicKey({ key: der, format: "der", type: "spki" });
      const found = headers["webhook-signature"].split(" ").some((entry) => {
        const [version, value] = entry.split(",");
        const signature = Buffer.from(value, "base64");
        return version === "v1a" && crypto.verify(null, signedContent(headers, body), key, signature);
      });
      if (!found) throw new Refused("no Ed25519 signature matches");
    }
  },
};

function fail(sentence) {
  console.error(`verify.mjs: ${sentence}`);
  process.exit(1);
}

const requests = JSON.parse(fs.readFileSync(from, "utf8"));
if (requests.length === 0) fail("there is nothing to verify");
requests.forEach((request, index) => {
  const headers = Object.fromEntries(request.headers.map(([name, v]) => [name.toLowerCase(), v]));
  const body = Buffer.from(request.body_base64, "base64");
  const judge = (bytes) => {
    try {
      checks[request.scheme](request, headers, bytes);
    } catch (error) {
      if (error instanceof Refused) return error.message;
      throw error;
    }
    return null;
  };
  const reason = judge(body);
  if (reason) fail(`request ${index} (${request.scheme}) is refused: ${reason}`);
  const flipped = Buffer.from(body);
  flipped[0] ^= 1;
  if (!judge(flipped)) fail(`request ${index} (${request.scheme}) passes with a flipped bit`);
});
console.log(`node: ${requests.length} requests verified, and refused with a flipped bit`);

if (to) {
  const body = Buffer.from('{"app_id":"54e9ujn","events":[{"id":"évt"}]}');
  const { publicKey, privateKey } = crypto.generateKeyPairSync("rsa", { modulusLength: 2048 });
  const jwk = { ...publicKey.export({ format: "jwk" }), kid: "node" };
  const pss = crypto.sign("sha256", body, { key: privateKey, ...PSS, saltLength: 32 });
  const secret = `whsec_${crypto.randomBytes(32).toString("base64")}`;
  const now = new Date();
  const seconds = String(Math.floor(now.getTime() / 1000));
  const ed = crypto.generateKeyPairSync("ed25519");
  const standard = { "webhook-id": "msg_node", "webhook-timestamp": seconds };
  const edSignature = crypto.sign(null, signedContent(standard, body), ed.privateKey);
  const edPublic = ed.publicKey.export({ format: "der", type: "spki" }).subarray(-32);
  const hmac = crypto.createHmac("sha256", "node").update(body).digest("hex");
  const body_base64 = body.toString("base64");
  const withSignature = (value) => Object.entries({ ...standard, "webhook-signature": value });
  const signed = [
    {
      scheme: "rsa-pss",
      jwks: [jwk],
      headers: [
        ["X-Webhook-Signature-Key-Id", "node"],
        ["X-Webhook-Signature", PREFIX + pss.toString("base64url")],
      ],
    },
    { scheme: "fingerprint", secrets: ["node"], headers: [["fpjs-event-signature", `v1=${hmac}`]] },
    {
      scheme: "standard",
      secrets: [secret],
      headers: withSignature(new Webhook(secret).sign("msg_node", now, body.toString())),
    },
    {
      scheme: "standard",
      secrets: [`whpk_${edPublic.toString("base64")}`],
      headers: withSignature(`v1a,${edSignature.toString("base64")}`),
    },
  ];
  fs.writeFileSync(to, JSON.stringify(signed.map((request) => ({ ...request, body_base64 }))));
}
