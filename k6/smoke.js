// Smoke: a few orders for every symbol, through the gateway, or with TARGET=shard straight to shard a, for its own;
// enough to see that every joint holds.

import { choice, experiment, optionsOf } from './lib/config.js';
import { placeOrder, prepare } from './lib/load.js';

const plan = experiment('smoke', choice('TARGET', ['gateway', 'shard']));

export const options = optionsOf(plan);
export const setup = () => prepare(plan);
export default (run) => placeOrder(plan, run);
