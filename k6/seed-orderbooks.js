// Seeds order books and nothing else; each run adds to what is there.
//
//   SEED_MODE    single | multi   single: shard a at ME_SHARD_A_URL; multi: all three through GATEWAY_URL
//   SEED_DEPTH   500              orders a symbol
//   SEED_LEVELS  50               price levels they are spread over

import { SHARDS, choice, destination, positive } from './lib/config.js';
import { requireHealth, runIdentity, seedBooks } from './lib/seedHelper.js';

const single = choice('SEED_MODE', ['single', 'multi']) === 'single';
const seed = { depth: positive('SEED_DEPTH', 500), levels: positive('SEED_LEVELS', 50) };
const shards = single ? ['a'] : Object.keys(SHARDS);
const to = destination(single ? 'shard' : 'gateway', shards);

export const options = {
  vus: 1,
  iterations: 1,
  setupTimeout: '5m',
  thresholds: { http_req_failed: ['rate==0'], http_reqs: ['count>0'] },
};

// In setup and not in an iteration, because k6 only fails for what setup throws.
export function setup() {
  requireHealth(to);
  return seedBooks(to, Object.fromEntries(shards.map((shard) => [shard, seed])), runIdentity());
}

export default function (count) {
  console.log(`${count} orders seeded on ${shards.length} shard(s)`);
}
