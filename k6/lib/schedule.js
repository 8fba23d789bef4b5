// When each order of a load is due: the schedule that k6's arrival-rate executors keep.

// Seconds from the beginning of the scenario until its n-th iteration, from 0, is due. A constant rate begins with
// one at once; one that ramps has its first when the area under the rate has reached one. k6 counts no iteration
// that it drops, so that after a drop this is too early, and the time since then too long rather than too short; so it is
// in a ramp, by what k6 takes to have its virtual users ready.
export function dueSeconds(n, { arrivals, stages }) {
  let rate = arrivals.rate / arrivals.per_s;
  if (stages.length === 1) {
    return n / rate;
  }
  let orders = n + 1;
  let before = 0;
  for (const { to, seconds } of stages) {
    const reached = to / arrivals.per_s;
    const offered = ((rate + reached) / 2) * seconds;
    if (orders <= offered) {
      const steepness = (reached - rate) / seconds;
      return before + (2 * orders) / (rate + Math.sqrt(rate * rate + 2 * steepness * orders));
    }
    orders -= offered;
    before += seconds;
    rate = reached;
  }
  return before + orders / rate;
}
