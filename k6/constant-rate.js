// One constant rate for as long as it is asked for: what searches and comparisons are made of.
//
// Variables besides those of lib/config.js:
//   RATE            orders/s                       17
//   SECONDS         whole seconds                  30
//   TARGET          shard | gateway                shard: straight to shard a
//   LOADED          shards, such as a,b,c          a: whose symbols the orders are for
//   NEIGHBOR        orders/s for shard b besides   none
//   NEIGHBOR_ON     from-to,… in seconds           when: 10-30,50-70
//   OTHERS          URL,…                          none: systems beside the one that GATEWAY_URL or ME_SHARD_A_URL
//                                                  names; each gets its share of the orders, in turn

import { constantRate, optionsOf } from './lib/config.js';
import { placeOrder, prepare } from './lib/load.js';

const plan = constantRate();

export const options = optionsOf(plan);
export const setup = () => prepare(plan);
export default (run) => placeOrder(plan, run);
export const neighbor = (run) => placeOrder(plan.neighbor, { runId: `${run.runId}-n` }, 'neighbor');
