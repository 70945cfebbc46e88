// Made for the auth service: `auth-service tenant apply` keeps it as it stands here.
const { createRemoteJWKSet, jwtVerify } = require("jose");

const CAN_IMPERSONATE = "http://lfx.dev/claims/can_impersonate";
const CONNECTION = "Username-Password-Authentication";

exports.onExecuteCustomTokenExchange = async (event, api) => {
  const { DOMAIN, API_AUDIENCE, SERVICE_CLIENT_ID } = event.secrets;
  if (event.client.client_id !== SERVICE_CLIENT_ID) {
    return api.access.deny("access_denied", "This application may not act for users.");
  }

  const audiences = [API_AUDIENCE, ...(event.secrets.MORE_AUDIENCES ?? "").split(",").map((name) => name.trim())];
  if (!audiences.includes(event.resource_server?.identifier)) {
    return api.access.deny("invalid_request", "Tokens for this API are not given out by impersonation.");
  }

  let claims;
  try {
    const keys = createRemoteJWKSet(new URL(`https://${DOMAIN}/.well-known/jwks.json`));
    ({ payload: claims } = await jwtVerify(event.transaction.subject_token, keys, {
      algorithms: ["RS256"],
      issuer: `https://${DOMAIN}/`,
      audience: API_AUDIENCE,
      requiredClaims: ["sub", "exp"],
    }));
  } catch {
    // Counts against whoever guesses: the tenant's attack protection learns of it.
    return api.access.rejectInvalidSubjectToken("The subject token is not valid.");
  }
  if (claims[CAN_IMPERSONATE] !== true) {
    return api.access.deny("access_denied", "You may not act as another user.");
  }

  const target = await find(event.request.body.target_user, event.secrets);
  if (target === undefined) {
    return api.access.deny("invalid_request", "The target user is unknown.");
  }
  if (target.blocked === true) {
    return api.access.deny("access_denied", "The target user is blocked.");
  }
  api.authentication.setUserById(target.user_id);
};

// The account with that e-mail address or username, undefined when there is none.
async function find(name, secrets) {
  if (typeof name !== "string" || name === "" || name.length > 254) return undefined;
  const origin = `https://${secrets.TENANT_DOMAIN}`;
  const token = await answer(`${origin}/oauth/token`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      grant_type: "client_credentials",
      audience: `${origin}/api/v2/`,
      client_id: secrets.LOOKUP_CLIENT_ID,
      client_secret: secrets.LOOKUP_CLIENT_SECRET,
    }),
  });
  const headers = { authorization: `Bearer ${token.access_token}` };
  const mail = name.toLowerCase();
  const ask = (path) => answer(`${origin}/api/v2/${path}`, { headers });
  // Quoted, so that no name widens the search.
  const search = (field, value) =>
    ask(`users?search_engine=v3&q=${encodeURIComponent(`${field}:"${value.replace(/[\\"]/g, "\\$&")}"`)}`);
  // Compared again: the search is not exact, and other connections have users with the same address.
  const account = (users) =>
    users.find(
      (user) =>
        (user.email?.toLowerCase() === mail || user.username === name) &&
        user.identities.some((identity) => identity.connection === CONNECTION),
    );
  if (!name.includes("@")) return account(await search("username", name));
  // By e-mail the tenant compares case, which other identity providers' addresses have. The search compares none and
  // lags behind: whom it has under the very address that was asked for has moved.
  return (
    account(await ask(`users-by-email?email=${encodeURIComponent(mail)}`)) ??
    account((await search("email", mail)).filter((user) => user.email !== mail))
  );
}

async function answer(url, options) {
  const response = await fetch(url, { ...options, signal: AbortSignal.timeout(5000) });
  if (!response.ok) throw new Error(`${new URL(url).pathname}: status ${response.status}`);
  return response.json();
}
