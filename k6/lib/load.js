// What every experiment does: check, seed, and then one order each iteration.

import { check, sleep } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';
import { Counter, Rate, Trend } from 'k6/metrics';
import { SHARDS } from './config.js';
import { orderPair, symbolOf } from './orderGenerator.js';
import { dueSeconds } from './schedule.js';
import { replenish, requireHealth, runIdentity, seedBooks } from './seedHelper.js';

// Milliseconds, of accepted orders alone. Not declared as a time: k6 would hand Prometheus seconds under a
// name that ends in _ms.
const matchLatency = new Trend('match_latency_ms');
// Milliseconds from when an accepted order was due to its answer: waiting for a connection, and for k6, included.
const orderResponse = new Trend('order_response_ms');
const accepted = new Counter('orders_accepted');
// The same by another name: an order is accepted before it is matched, and no client sees its matches.
const matchCount = new Counter('match_count');
const rejected = new Counter('orders_rejected'); // answered, and not with an acceptance
const unanswered = new Counter('orders_unanswered'); // refused, reset, or no answer in time
const failed = new Rate('orders_failed'); // either
const replenishFailed = new Rate('replenish_failed');

const SHARD_OF = Object.fromEntries(
  Object.entries(SHARDS).flatMap(([shard, symbols]) => symbols.map((symbol) => [symbol, shard])),
);

function isAcceptance(answer) {
  try {
    return answer.status === 200 && answer.json('status') === 'ACCEPTED';
  } catch (_) {
    return false; // not JSON
  }
}

// Where the orders of a load go, which most often is one place.
function systems(plan) {
  return [plan.to, ...(plan.others || [])];
}

// Run once, before the load. Its requests carry k6's group ::setup, and names of their own.
export function prepare(plan) {
  const runId = runIdentity();
  let seeded = 0;
  for (const to of systems(plan)) {
    requireHealth(to);
    seeded += plan.seeding ? seedBooks(to, plan.seeds, runId) : 0;
  }
  console.log(`${plan.id} (${plan.profile}): run ${runId}, ${seeded} orders seeded`);
  sleep(plan.pause);
  return { runId };
}

// One iteration: one order, and after an aggressive one what takes the place of what it took.
export function placeOrder(plan, { runId }, name = 'order') {
  const n = exec.scenario.iterationInTest;
  const { startTime } = exec.scenario;
  const symbol = symbolOf(n, plan);
  const { order, replenishment } = orderPair(runId, n, symbol);
  const all = systems(plan);
  const to = all[n % all.length];
  // In k6's raw samples, and in them alone: as a tag each order would be a time series of its own. Whoever judges a
  // run knows by the number and by when the scenario began when each order was due.
  const { metadata } = exec.vu.metrics;
  metadata.id = order.orderId;
  metadata.n = `${n}`;
  metadata.start = `${startTime}`;
  const answer = http.post(to.orders, JSON.stringify(order), {
    headers: { 'Content-Type': 'application/json' },
    tags: { name },
    timeout: to.timeout,
  });
  const answered = Date.now();
  const ok = isAcceptance(answer);
  check(answer, {
    'order: status is 200': ({ status }) => status === 200,
    'order: body says ACCEPTED': () => ok,
  });
  failed.add(!ok);
  if (ok) {
    accepted.add(1);
    matchCount.add(1);
    matchLatency.add(answer.timings.duration);
    orderResponse.add(answered - startTime - 1000 * dueSeconds(n, plan));
  } else if (answer.status === 0) {
    unanswered.add(1);
  } else {
    rejected.add(1);
  }
  // Nothing stands between an order and its due moment, so that this comes after it. It comes whatever became of the
  // order: one that was not answered may have been matched all the same.
  if (replenishment && plan.replenishing) {
    replenishFailed.add(!replenish(to, SHARD_OF[symbol], replenishment));
  }
}
