// Making speech shorter without clipping a word, and inventing the little that is missing: pauses go whole, voiced sound
// loses single periods. As voice/stretch.py does it, on samples from -1 to 1. Pure.

export const PERIOD_S_MIN = 0.0025;
/** Pitch periods looked for: 400 Hz down to 80 Hz. */
export const PERIOD_S_MAX = 0.0125;
/** How much less alike sound may be for leaving out more of it at a time: two periods instead of one. */
const LONGER = 0.2;
const JOIN_S = 0.0025;
const THIN_HZ = 4000;
/** Sound that never exceeds this (-40 dBFS) is a pause. */
const QUIET_PEAK = 0.01;

/** The largest sample, without its sign. @param {Float32Array} pcm */
export function peak(pcm) {
  let most = 0;
  for (const sample of pcm) most = Math.max(most, Math.abs(sample));
  return most;
}

/** Whether nobody speaks here. @param {Float32Array} pcm */
export const isQuiet = (pcm) => peak(pcm) < QUIET_PEAK;

/**
 * Leave out up to `mostS` seconds: the period that is missed least, by fading over its length. At most half of `pcm`
 * goes; its first and last samples stay, so that it joins its neighbours as before.
 * @param {Float32Array} pcm @param {number} rate @param {number} mostS @returns {Float32Array}
 */
export function shorten(pcm, rate, mostS) {
  const most = Math.min(Math.floor(Math.min(mostS, PERIOD_S_MAX) * rate), pcm.length >> 1);
  const lag = most > PERIOD_S_MIN * rate ? bestLag(pcm, rate, most) : most;
  if (lag < 2) return pcm;
  const begin = (pcm.length - 2 * lag) >> 1;
  const out = new Float32Array(pcm.length - lag);
  out.set(pcm.subarray(0, begin));
  for (let i = 0; i < lag; i += 1) {
    const part = i / (lag - 1);
    out[begin + i] = pcm[begin + i] * (1 - part) + pcm[begin + lag + i] * part;
  }
  out.set(pcm.subarray(begin + 2 * lag), begin + lag);
  return out;
}

/**
 * Make `pcm` begin where other sound ended, at the sample `last`, so that nothing clicks. Changes `pcm`.
 * @param {number} last @param {Float32Array} pcm @param {number} rate
 */
export function join(last, pcm, rate) {
  const count = Math.min(pcm.length, Math.round(JOIN_S * rate));
  const step = pcm.length ? last - pcm[0] : 0;
  for (let i = 0; i < count; i += 1) pcm[i] += (step * (count - i)) / count;
}

/**
 * Say the last period of `before` again and again, `from` (0 to 1) as loud at first and `to` at last.
 * @param {Float32Array} before what sounded just now @param {number} count samples wanted @param {number} rate
 * @param {number} from @param {number} to @returns {Float32Array}
 */
export function invent(before, count, rate, from, to) {
  const out = new Float32Array(count);
  const most = Math.min(Math.floor(PERIOD_S_MAX * rate), before.length >> 1);
  if (most < PERIOD_S_MIN * rate) return out;
  const near = before.subarray(before.length - Math.min(before.length, 3 * most));
  const lag = isQuiet(near) ? most : bestLag(near, rate, most);
  const period = before.subarray(before.length - lag);
  for (let i = 0; i < count; i += 1) out[i] = period[i % lag] * (from + ((to - from) * i) / count);
  return out;
}

/** The lag in samples at which the sound resembles itself most: coarse on a thinned signal, then fine. */
function bestLag(pcm, rate, most) {
  const thin = Math.max(1, Math.floor(rate / THIN_HZ));
  const coarse = new Float32Array(Math.ceil(pcm.length / thin));
  for (let i = 0; i < coarse.length; i += 1) coarse[i] = pcm[i * thin];
  const low = Math.floor((PERIOD_S_MIN * rate) / thin);
  const high = Math.max(low, Math.floor(most / thin));
  const span = Math.max(1, Math.min(high, coarse.length - high));
  let best = low;
  let alike = -Infinity;
  for (let lag = low; lag <= high; lag += 1) {
    const found = likeness(coarse, lag, span, 1) * (1 + (LONGER * lag) / high);
    if (found > alike) [best, alike] = [lag, found];
  }
  best *= thin;
  const fine = Math.min(thin * span, pcm.length - best - thin);
  if (fine < thin) return Math.min(best, most);
  let chosen = Math.min(best, most);
  alike = -Infinity;
  for (let lag = Math.max(1, best - thin + 1); lag <= Math.min(best + thin, most); lag += Math.max(1, Math.floor(thin / 6))) {
    const found = likeness(pcm, lag, fine, 3);
    if (found > alike) [chosen, alike] = [lag, found];
  }
  return chosen;
}

function likeness(sound, lag, span, step) {
  let product = 0;
  let energy = 0;
  for (let i = 0; i < span; i += step) {
    const other = sound[i + lag] ?? 0;
    product += sound[i] * other;
    energy += other * other;
  }
  return product / (Math.sqrt(energy) + 1e-4);
}
