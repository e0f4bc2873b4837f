// Judges signed requests with Twilio's validator and the Standard Webhooks library: node validate.js FILE
const fs = require('fs');
const { validateRequest } = require('twilio');
const { Webhook, WebhookVerificationError } = require('standardwebhooks');

function twilio({ token, signature, url, params }, suffix = '') {
  return validateRequest(token, signature, url + suffix, params);
}

function standard({ body, headers }, secret, suffix = '') {
  try {
    new Webhook(secret).verify(body + suffix, headers, { jsonParse: false });
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false;
    throw error;
  }
  return true;
}

const requests = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
let bad = 0;
for (const request of requests) {
  const right = twilio(request) && request.secrets.every((secret) => standard(request, secret));
  // The judges must be able to say no.
  const wrong = twilio(request, 'x') || request.secrets.some((secret) => standard(request, secret, 'x'));
  if (!right || wrong) {
    bad += 1;
    console.log('refused:', request.method, request.url);
  }
}
console.log(`node: ${requests.length - bad} of ${requests.length} accepted`);
process.exit(bad || requests.length === 0 ? 1 : 0);
