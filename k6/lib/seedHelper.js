// Rests orders in the books, past matching: before a load, and to replenish during it.

import http from 'k6/http';
import { SHARDS } from './config.js';
import { seedOrder } from './orderGenerator.js';

const BATCH = 500; // orders a request: each takes an engine a few milliseconds, so none is an outlier by itself

function post(to, shard, orders, name) {
  const body = JSON.stringify({ orders });
  const headers = { 'Content-Type': 'application/json' };
  return http.post(to.seed(shard), body, { headers, tags: { name }, timeout: to.timeout });
}

// How many orders an answer says were seeded; null if it says nothing of the kind.
function seeded(answer) {
  if (answer.status !== 200) {
    return null;
  }
  try {
    return answer.json('seeded');
  } catch (_) {
    return null;
  }
}

export function runIdentity() {
  return __ENV.RUN_ID || `k6-${Date.now().toString(36)}${Math.random().toString(36).slice(2, 6)}`;
}

export function requireHealth(to) {
  const answer = http.get(to.health, { tags: { name: 'health' }, timeout: to.timeout });
  if (answer.status !== 200) {
    const found = answer.status === 0 ? answer.error : `status ${answer.status}`;
    throw new Error(`nothing healthy at ${to.health}: expected status 200, found ${found}`);
  }
}

// Seed the books of every shard in `seeds`, as {a: {depth, levels}}, depth being orders a symbol. Throws at the
// first refusal: a load on books that are not what they should be shows nothing. Returns how many were seeded.
export function seedBooks(to, seeds, runId) {
  let total = 0;
  for (const [shard, { depth, levels, symbols = SHARDS[shard] }] of Object.entries(seeds)) {
    for (const symbol of symbols) {
      for (let from = 0; from < depth; from += BATCH) {
        const orders = [];
        for (let i = from; i < Math.min(from + BATCH, depth); i += 1) {
          orders.push(seedOrder(runId, i, symbol, levels));
        }
        const answer = post(to, shard, orders, 'seed');
        if (seeded(answer) !== orders.length) {
          const found = answer.status === 0 ? answer.error : `status ${answer.status}, ${answer.body}`;
          throw new Error(
            `seeds for ${symbol} refused by ${to.seed(shard)}: ` +
              `expected {"seeded":${orders.length}}, found ${found}`,
          );
        }
        total += orders.length;
      }
    }
  }
  return total;
}

// Seed one shard's books through the gateway at `url`, so many orders a symbol; for scripts of one's own.
export function seedShard(url, shard, symbols, depth = 500, levels = 50) {
  const to = { seed: (name) => `${url}/seed/${name}`, timeout: '10s' };
  return seedBooks(to, { [shard]: { depth, levels, symbols } }, runIdentity());
}

// The same at the shard itself.
export function seedShardDirect(url, symbols, depth = 500, levels = 50) {
  return seedBooks({ seed: () => `${url}/seed`, timeout: '5s' }, { a: { depth, levels, symbols } }, runIdentity());
}

// Rest one order; say whether it rests.
export function replenish(to, shard, order) {
  return seeded(post(to, shard, [order], 'replenish')) === 1;
}
