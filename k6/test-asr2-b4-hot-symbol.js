// B4, hot symbol: 84 orders/s for 5 min, 4 of 5 for TEST-ASSET-A and the rest over the
// 8 symbols of the other shards, so that shard a gets 80 % of all.

import { experiment, optionsOf } from './lib/config.js';
import { placeOrder, prepare } from './lib/load.js';

const plan = experiment('B4');

export const options = optionsOf(plan);
export const setup = () => prepare(plan);
export default (run) => placeOrder(plan, run);
