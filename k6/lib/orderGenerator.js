// The orders of every load: 60 % aggressive BUYs that match at once, 40 % passive ones that rest.
//
// Matches. An aggressive order of q lots takes q lots off the front of the queue at the best ask. Lay the
// makers end to end on a line of lots: a taker covers a stretch of it, and has one match for each maker that it
// touches, which is one more than the ends of makers inside the stretch. Makers and takers have the same mean
// size, so on average there is one such end, less the rare case that both end on the same lot (about 1 in 105):
// 1.99 matches a taker. With 60 % takers that is 1.19 matches an order, so that 84 orders/s are about
// 6,000 matches/min (4,750 are asked for) and 17 orders/s about 1,215 (1,000 are asked for).
//
// Replenishing. Takers use up the seeds, best price first, and more and more limits then lie below what is left:
// they rest instead of matching. Measured at 84/s on 12 books of 500 orders, matches fell from 5,900/min to below
// 4,750 after a minute, to 2,000 after two and a half, and soon there was nothing left to match; what goes on
// being measured is nothing. So after each aggressive order of q lots the same virtual user rests a SELL of q lots at
// the best price; after it, because nothing may stand between an order and the moment when it is due. The lots at the
// best price can therefore be fewer than were seeded there by those of the orders under way alone, of which there
// are about ten lots' worth of makers a symbol: a system that answers within seconds finds every aggressive order
// filled whole, nearly all at 15000, and none ever rests. The book's depth, too, stays what the experiment says it
// is. REPLENISH=0 switches this off.

import { SHARDS } from './config.js';

export const BASE_PRICE = 15000; // cents
export const SPREAD = 200;
const PRICES = 100; // ticks of 1 that a limit may lie above or below its base
const SMALLEST = 10; // lots
const LARGEST = 200;
const AGGRESSIVE = 0.6;

function below(count) {
  return Math.floor(Math.random() * count);
}

export function quantity() {
  return SMALLEST + below(LARGEST - SMALLEST + 1);
}

// The symbol of the n-th order: dealt in turn, so that shares are exact over any stretch of a run.
export function symbolOf(n, { to, hot }) {
  return hot ? besides(n, hot) : dealt(n, to.symbols);
}

// So many of so many for the hot symbol, and the rest for those of the other shards: the hot symbol's own shard then
// gets exactly the hot share.
function besides(n, hot) {
  if (n % hot.of < hot.orders) {
    return hot.symbol;
  }
  const others = Object.values(SHARDS).filter((symbols) => !symbols.includes(hot.symbol));
  return dealt(Math.floor(n / hot.of), others.flat());
}

function dealt(n, symbols) {
  return symbols[n % symbols.length];
}

function limitOrder(orderId, symbol, side, price, lots) {
  return { orderId, symbol, side, type: 'LIMIT', price, quantity: lots, timestamp: Date.now() };
}

// The n-th order of a run, and the SELL that takes the place of what it takes (null if it takes nothing).
export function orderPair(runId, n, symbol) {
  const lots = quantity();
  if (Math.random() < AGGRESSIVE) {
    return {
      order: limitOrder(`${runId}-${n}`, symbol, 'BUY', BASE_PRICE + below(PRICES), lots),
      replenishment: limitOrder(`${runId}-r${n}`, symbol, 'SELL', BASE_PRICE, lots),
    };
  }
  const price = BASE_PRICE - SPREAD - below(PRICES);
  return { order: limitOrder(`${runId}-${n}`, symbol, 'BUY', price, lots), replenishment: null };
}

// The i-th seed of a symbol: SELLs dealt over the levels in turn, so that each level gets its even share.
export function seedOrder(runId, i, symbol, levels) {
  return limitOrder(`${runId}-s-${symbol}-${i}`, symbol, 'SELL', BASE_PRICE + (i % levels), quantity());
}

// A SELL that is to rest at BASE_PRICE + level, for scripts of one's own.
export function generateSeedSellOrder(symbol, level, orderId = `seed-${symbol}-${level}-${Date.now()}-${below(1e9)}`) {
  return limitOrder(orderId, symbol, 'SELL', BASE_PRICE + level, quantity());
}
