// A2, normal load: 17 orders/s (just over 1,000 matches/min) on shard a for 5 min.

import { experiment, optionsOf } from './lib/config.js';
import { placeOrder, prepare } from './lib/load.js';

const plan = experiment('A2');

export const options = optionsOf(plan);
export const setup = () => prepare(plan);
export default (run) => placeOrder(plan, run);
