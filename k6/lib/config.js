// What each experiment offers, to whom, for how long, and what k6 itself says about it.
//
// The numbers are in profiles.json, where whoever judges a run reads them too. A rate is there once, and only
// lengths depend on the profile: a quick run is shorter, and never easier. A profile has the length of the one that it
// is like wherever nothing is said of it.
//
// Variables, all optional (-e NAME=value, or from the environment):
//   ME_SHARD_A_URL  where shard a answers          http://localhost:8080   (A1-A4, B1)
//   GATEWAY_URL     where the gateway answers      http://localhost:8080   (B2-B4, smoke)
//   PROFILE         full | quick | burst           full; burst is like it, but for 30 minutes of B2
//   RUN_ID          beginning of every order id    a new one each run
//   REPLENISH       1 | 0                          1: see orderGenerator.js
//   SEED            1 | 0                          1: setup seeds the books; 0: seed-orderbooks.js already has
//   SEED_PAUSE      seconds                        0: for how long setup waits once the books are seeded, so
//                                                  that a scrape can show them before the first order
//   TARGET          gateway | shard                of smoke.js only: orders for every symbol through the gateway, or
//                                                  straight to shard a, for its own
//   A3_DEPTH, A3_LEVELS                            1000, 100: orders a symbol and price levels of this run of A3
//   SEED_MODE, SEED_DEPTH, SEED_LEVELS             of seed-orderbooks.js only

const PROFILES = JSON.parse(open(import.meta.resolve('./profiles.json')));

export const SHARDS = PROFILES.shards;

// By other names, for scripts of one's own.
export const SHARD_A_SYMBOLS = SHARDS.a;
export const SHARD_B_SYMBOLS = SHARDS.b;
export const SHARD_C_SYMBOLS = SHARDS.c;
export const ALL_SYMBOLS = Object.values(SHARDS).flat();
export const ME_SHARD_A_URL = __ENV.ME_SHARD_A_URL || 'http://localhost:8080';
export const GATEWAY_URL = __ENV.GATEWAY_URL || 'http://localhost:8080';

// For the gateway longer than its own 5 s, so that its answer to a shard that hangs is seen and counted.
const REQUEST_SECONDS = { shard: 5, gateway: 10 };

// Seconds' worth of virtual users: an order takes up to two requests. k6 drops an iteration for each virtual user
// that is not ready when it is needed, so that a shard has as many ready as two requests can take that are never
// answered: one that hangs gets what was offered, and fails, rather than being spared. Behind the gateway there
// would have to be a thousand; two seconds' worth are enough for a system that takes 1 s a request.
const READY_SECONDS = { shard: 11, gateway: 2 };
const MOST_SECONDS = { shard: 11, gateway: 12 };

// A system that is asked for more than it can do is not to be waited for: half a second's worth of orders under way
// is more than a rate that is sustained has.
const SPARE_SECONDS = 0.5;

export function choice(name, allowed) {
  const value = __ENV[name] || allowed[0];
  if (!allowed.includes(value)) {
    throw new Error(`${name}: expected one of ${allowed.join(', ')}; found '${value}'`);
  }
  return value;
}

export function positive(name, fallback) {
  const text = __ENV[name] || String(fallback);
  if (!/^[1-9][0-9]*$/.test(text)) {
    throw new Error(`${name}: expected a positive whole number; found '${text}'`);
  }
  return Number(text);
}

function seconds(name) {
  const text = __ENV[name] || '0';
  if (!/^[0-9]+([.][0-9]+)?$/.test(text)) {
    throw new Error(`${name}: expected seconds, such as 6; found '${text}'`);
  }
  return Number(text);
}

function baseUrl(target) {
  const name = target === 'shard' ? 'ME_SHARD_A_URL' : 'GATEWAY_URL';
  return checkedUrl(name, __ENV[name] || 'http://localhost:8080');
}

function checkedUrl(name, url) {
  if (!/^https?:\/\/[^/]/.test(url)) {
    throw new Error(`${name}: expected http://host:port; found '${url}'`);
  }
  return url.replace(/\/+$/, '');
}

// Where requests for the named shards go: straight to shard a, or through the gateway.
export function destination(target, shards, url = baseUrl(target)) {
  return {
    orders: `${url}/orders`,
    health: `${url}/health`,
    timeout: `${REQUEST_SECONDS[target]}s`,
    shards,
    symbols: shards.flatMap((shard) => SHARDS[shard]),
    seed: (shard) => (target === 'shard' ? `${url}/seed` : `${url}/seed/${shard}`),
  };
}

// Everything about one experiment: its numbers, the profile's lengths, and where its requests go. Straight to a shard
// they go to shard a alone.
export function experiment(id, target = PROFILES.experiments[id].target) {
  const given = PROFILES.experiments[id];
  const profile = choice('PROFILE', ['full', 'quick', ...Object.keys(PROFILES.like)]);
  const straight = target === 'shard' ? { a: given.seeds.a } : given.seeds;
  const seeds = given.depths ? { a: depthOfThisRun(given) } : straight;
  return {
    id,
    profile,
    target,
    seeds,
    seeding: choice('SEED', ['1', '0']) === '1',
    pause: seconds('SEED_PAUSE'),
    replenishing: choice('REPLENISH', ['1', '0']) === '1',
    hot: given.hot,
    arrivals: given.arrivals,
    stages: given.stages.map(({ to, length_s }) => ({ to, seconds: length_s[profile] || length_s[PROFILES.like[profile]] })),
    to: destination(target, Object.keys(seeds)),
  };
}

// A load of one constant rate, to one shard or to several; and beside it, now and then, one for a neighbor. Orders may be
// dealt in turn to several systems, of which OTHERS says where all but the first answer.
export function constantRate() {
  const target = choice('TARGET', ['shard', 'gateway']);
  const loaded = list('LOADED', 'a', Object.keys(SHARDS));
  const rate = positive('RATE', 17);
  const common = {
    profile: 'full',
    target,
    seeding: choice('SEED', ['1', '0']) === '1',
    pause: seconds('SEED_PAUSE'),
    replenishing: choice('REPLENISH', ['1', '0']) === '1',
    ready: SPARE_SECONDS,
    most: SPARE_SECONDS,
  };
  const of = (id, shards, orders, stages) => ({
    ...common,
    id,
    seeds: Object.fromEntries(shards.map((shard) => [shard, { depth: 500, levels: 50 }])),
    arrivals: { rate: orders, per_s: 1 },
    stages,
    to: destination(target, shards),
  });
  const plan = of('constant', loaded, rate, [{ seconds: positive('SECONDS', 30) }]);
  plan.others = (__ENV.OTHERS ? __ENV.OTHERS.split(',') : []).map((url) =>
    destination(target, loaded, checkedUrl('OTHERS', url)),
  );
  if (!__ENV.NEIGHBOR) {
    return plan;
  }
  const orders = positive('NEIGHBOR', 1);
  plan.neighbor = { ...of('neighbor', ['b'], orders, onAndOff(orders)), exec: 'neighbor', idle: true };
  plan.seeds = { ...plan.seeds, ...plan.neighbor.seeds };
  return plan;
}

function list(name, fallback, allowed) {
  const words = (__ENV[name] || fallback).split(',');
  if (!words.every((word) => allowed.includes(word))) {
    throw new Error(`${name}: expected some of ${allowed.join(',')}; found '${words.join(',')}'`);
  }
  return words;
}

// Stages that offer `rate` while it is on, and nothing while it is not.
function onAndOff(rate) {
  const spans = (__ENV.NEIGHBOR_ON || '').split(',').map((span) => span.split('-').map(Number));
  let now = 0;
  return spans.flatMap(([from, to]) => {
    if (!(from >= now && to > from)) {
      throw new Error(`NEIGHBOR_ON: expected from-to,… ascending, in seconds; found '${__ENV.NEIGHBOR_ON}'`);
    }
    const off = { to: 0, seconds: from - now };
    now = to;
    return [off, { to: rate, seconds: 0 }, { to: rate, seconds: to - from }, { to: 0, seconds: 0 }];
  });
}

// A3 is three runs, each on a fresh book; one run of the script is one depth.
function depthOfThisRun({ seeds, depths }) {
  const depth = positive('A3_DEPTH', seeds.a.depth);
  const known = depths.find((one) => one.depth === depth);
  if (!known && !__ENV.A3_LEVELS) {
    const table = depths.map((one) => one.depth).join(', ');
    throw new Error(`A3_LEVELS: needed with A3_DEPTH=${depth}, which is none of ${table}`);
  }
  return { depth, levels: positive('A3_LEVELS', known && known.levels) };
}

function scenario({ target, arrivals, stages, exec, idle, ready, most }) {
  const peak = Math.max(arrivals.rate, ...stages.map(({ to }) => to || 0)) / arrivals.per_s;
  const common = {
    timeUnit: `${arrivals.per_s}s`,
    preAllocatedVUs: Math.ceil(peak * (ready || READY_SECONDS[target])),
    maxVUs: Math.ceil(peak * (most || MOST_SECONDS[target])),
    ...(exec && { exec }),
  };
  if (stages.length === 1) {
    const duration = `${stages[0].seconds}s`;
    return { executor: 'constant-arrival-rate', rate: arrivals.rate, duration, ...common };
  }
  return {
    executor: 'ramping-arrival-rate',
    startRate: idle ? 0 : arrivals.rate,
    stages: stages.map(({ to, seconds }) => ({ target: to, duration: `${seconds}s` })),
    ...common,
  };
}

export function optionsOf(plan) {
  return {
    scenarios: {
      [plan.id]: scenario(plan),
      ...(plan.neighbor && { [plan.neighbor.id]: scenario(plan.neighbor) }),
    },
    setupTimeout: '2m',
    summaryTrendStats: ['avg', 'min', 'med', 'p(90)', 'p(95)', 'p(99)', 'max', 'count'],
    thresholds: {
      match_latency_ms: ['p(99)<200', 'min>0'],
      order_response_ms: ['p(99)<200'], // the same from when each order was due
      http_req_duration: ['p(99)<200'],
      'http_req_duration{name:order}': ['p(99)<200'], // without seeds, which are fast and would flatter it
      http_req_failed: ['rate<0.01'],
      // A percentile of nothing is 0 and passes, and so does one of refused connections, which take 0 s.
      // Counters and `min` of nothing are 0 too, and these do not pass:
      http_reqs: ['count>0'],
      orders_accepted: ['count>0'], // match_count is the same
      // An answer of 200 that is no acceptance is a failure, though not to http_req_failed.
      orders_failed: ['rate<0.01'],
      // What was not sent has no latency: a load that was not offered in full shows nothing.
      dropped_iterations: ['count==0'],
      // Without replenishment orders find less to match than they claim.
      replenish_failed: ['rate<0.01'],
    },
  };
}
