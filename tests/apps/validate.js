// Judges signed requests with Twilio's own validator: node validate.js FILE
const fs = require('fs');
const { validateRequest } = require('twilio');

const requests = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
let bad = 0;
for (const { token, signature, url, method, params } of requests) {
  const right = validateRequest(token, signature, url, params);
  // The judge must be able to say no.
  const wrong = validateRequest(token, signature, url + 'x', params);
  if (!right || wrong) {
    bad += 1;
    console.log('refused:', method, url);
  }
}
console.log(`node: ${requests.length - bad} of ${requests.length} accepted`);
process.exit(bad || requests.length === 0 ? 1 : 0);
