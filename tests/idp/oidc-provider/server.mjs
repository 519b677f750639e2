// A real OpenID Connect provider for the tests. Usage: node server.mjs SETTINGS.json
//
// Says where it listens in one line of JSON on standard output.
// Beside the provider's own endpoints there is one for tests: POST /test/rotate-keys.

import { X509Certificate, createPrivateKey, generateKeyPairSync, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { Provider } from 'oidc-provider';

import { Storage } from './storage.mjs';

const settings = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const KEY_TYPES = [
  ['rsa', { modulusLength: 2048 }, 'RS256'],
  ['ec', { namedCurve: 'P-256' }, 'ES256'],
  ['ed25519', {}, 'EdDSA'],
];

// By way of PEM: Node 20 can lock itself up for ever when it exports the very object that it generated as a JWK.
const PEM = {
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
};

const newKeys = () => KEY_TYPES.map(([type, options, alg]) => ({
  ...createPrivateKey(generateKeyPairSync(type, { ...options, ...PEM }).privateKey).export({ format: 'jwk' }),
  use: 'sig',
  alg,
  kid: `${alg}-${randomUUID()}`,
}));

const certificateOf = (ctx) => {
  const peer = ctx.socket.getPeerX509Certificate?.();
  return peer && new X509Certificate(peer.raw);
};

// What a test asks of a token beyond OAuth comes as form fields that the provider itself ignores.
const wished = (ctx, name) => ctx.oidc.body?.[`test_${name}`];

const resourceServer = (ctx, resource) => ({
  scope: 'read write',
  audience: resource,
  accessTokenFormat: wished(ctx, 'format') ?? 'opaque',
  jwt: { sign: { alg: wished(ctx, 'algorithm') ?? 'RS256' } },
});

const lifetime = (ctx) => Number(wished(ctx, 'lifetime') ?? 600);

const configuration = (keys) => ({
  adapter: Storage,
  jwks: { keys },
  clients: settings.clients,
  cookies: { keys: ['for-tests'] },
  scopes: ['openid', 'offline_access', 'read', 'write'],
  clientAuthMethods: [
    'client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt', 'tls_client_auth',
    'self_signed_tls_client_auth', 'none',
  ],
  enabledJWA: { introspectionSigningAlgValues: ['RS256', 'ES256'] },
  features: {
    backchannelLogout: { enabled: true },
    clientCredentials: { enabled: true },
    dPoP: { enabled: true },
    devInteractions: { enabled: true },
    introspection: {
      enabled: true,
      // A client that registers itself gets an id of chance, and says by its name that it is a gateway.
      allowedPolicy: (ctx, client) => (client.clientName ?? client.clientId).startsWith('gateway'),
    },
    jwtIntrospection: { enabled: true },
    mTLS: {
      enabled: true,
      certificateBoundAccessTokens: true,
      tlsClientAuth: true,
      selfSignedTlsClientAuth: true,
      getCertificate: (ctx) => certificateOf(ctx)?.toString(),
      certificateAuthorized: (ctx) => ctx.socket.authorized === true,
      certificateSubjectMatches: (ctx, property, expected) => (
        property === 'tls_client_auth_subject_dn' && certificateOf(ctx)?.subject === expected
      ),
    },
    registration: { enabled: true, initialAccessToken: settings.initialAccessToken ?? false },
    registrationManagement: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      getResourceServerInfo: resourceServer,
      useGrantedResource: () => true,
    },
    revocation: { enabled: true },
  },
  // The provider refuses to call private addresses; here every server is on loopback.
  fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
  ttl: {
    AccessToken: lifetime,
    AuthorizationCode: 60,
    ClientCredentials: lifetime,
    DeviceCode: 600,
    Grant: 86400,
    IdToken: 600,
    Interaction: 600,
    RefreshToken: 86400,
    Session: 3600,
  },
});

const build = (keys) => {
  const provider = new Provider(origin, configuration(keys));
  provider.on('server_error', (ctx, error) => console.error(error));
  return provider.callback();
};

// The keys of a provider are fixed when it is built. What it remembers is not in it, so another one can take its place.
let keys = newKeys();
let answer = (request, response) => response.writeHead(503).end();

const handle = (request, response) => {
  if (request.method === 'POST' && request.url.startsWith('/test/rotate-keys')) {
    const keepsOld = request.url.endsWith('?keep=old');
    keys = keepsOld ? [...newKeys(), ...keys] : newKeys();
    answer = build(keys);
    response.writeHead(204).end();
  } else {
    answer(request, response);
  }
};

const listen = (server) => new Promise((resolve) => {
  server.listen(0, '127.0.0.1', () => resolve(`127.0.0.1:${server.address().port}`));
});

const tls = {
  ca: readFileSync(settings.tls.ca),
  cert: readFileSync(settings.tls.certificate),
  key: readFileSync(settings.tls.key),
  requestCert: true,
  rejectUnauthorized: false,
};
const origin = `http://${await listen(http.createServer(handle))}`;
const tlsOrigin = `https://${await listen(https.createServer(tls, handle))}`;
answer = build(keys);

console.log(JSON.stringify({ origin, tlsOrigin }));
