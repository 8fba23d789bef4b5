// A4, broker degraded: 17 orders/s on shard a for 3 min. Whoever runs this pauses the broker 60 s after the
// load began, for 120 s, and resumes it; k6 has no hand in it.

import { experiment, optionsOf } from './lib/config.js';
import { placeOrder, prepare } from './lib/load.js';

const plan = experiment('A4');

export const options = optionsOf(plan);
export const setup = () => prepare(plan);
export default (run) => placeOrder(plan, run);
