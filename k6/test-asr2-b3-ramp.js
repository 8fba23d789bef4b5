// B3, ramp: 17 orders/s for 2 min, 42/s by 4 min, 84/s by 6 min, held to 10 min; all 12 symbols.

import { experiment, optionsOf } from './lib/config.js';
import { placeOrder, prepare } from './lib/load.js';

const plan = experiment('B3');

export const options = optionsOf(plan);
export const setup = () => prepare(plan);
export default (run) => placeOrder(plan, run);
