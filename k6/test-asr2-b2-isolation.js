// B2's isolation: 28 orders/s for shard a all through, its share of B2's 84; after 90 s, and for 60 s, 56/s for shard b
// besides, where there were none.

import { experiment, optionsOf } from './lib/config.js';
import { placeOrder, prepare } from './lib/load.js';

const plan = experiment('isolation');

export const options = optionsOf(plan);
export const setup = () => prepare(plan);
export default (run) => placeOrder(plan, run);
