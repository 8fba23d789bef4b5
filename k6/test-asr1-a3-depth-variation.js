// A3, depth of the book: 17 orders/s on shard a for 3 min, at one depth a run. Run it three times, each on
// fresh books, with A3_DEPTH=100, 1000 and 10000 (10, 100 and 500 levels).

import { experiment, optionsOf } from './lib/config.js';
import { placeOrder, prepare } from './lib/load.js';

const plan = experiment('A3');

export const options = optionsOf(plan);
export const setup = () => prepare(plan);
export default (run) => placeOrder(plan, run);
