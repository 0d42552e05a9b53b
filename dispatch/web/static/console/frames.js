// @ts-check
// The binary voice frame on `voice/<user>`: 18 bytes of header, then one Opus packet (protocol/voice_frame.py). Pure.

export const VERSION = 1;
export const HEADER_BYTES = 18;
export const OPUS_BYTES_MAX = 1275;
export const LAST = 1;
export const HANDOVER = 2;
export const ASK = 4;

/** Bytes that are no voice frame: drop and count. */
export class BadFrame extends Error {}

/**
 * @typedef {object} VoiceFrame
 * @property {number} burst
 * @property {number} seq
 * @property {number} captureMs
 * @property {number} flags LAST, HANDOVER, ASK
 * @property {Uint8Array} opus
 */

/**
 * Give the wire form; throws RangeError where a number is out of its range.
 * @param {VoiceFrame} frame
 * @returns {Uint8Array}
 */
export function pack(frame) {
  within(frame.burst, Number.MAX_SAFE_INTEGER, "burst");
  within(frame.seq, 0xffffffff, "seq");
  within(frame.captureMs, 0xffffffff, "captureMs");
  within(frame.opus.length, OPUS_BYTES_MAX, "opus bytes");
  const bytes = new Uint8Array(HEADER_BYTES + frame.opus.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, VERSION);
  view.setUint8(1, frame.flags & 7);
  view.setBigUint64(2, BigInt(frame.burst));
  view.setUint32(10, frame.seq);
  view.setUint32(14, frame.captureMs);
  bytes.set(frame.opus, HEADER_BYTES);
  return bytes;
}

/**
 * Read the wire form; throws BadFrame.
 * @param {Uint8Array} data
 * @returns {VoiceFrame}
 */
export function unpack(data) {
  if (data.length < HEADER_BYTES) throw new BadFrame(`${data.length} bytes: a header alone takes ${HEADER_BYTES}`);
  if (data.length > HEADER_BYTES + OPUS_BYTES_MAX) throw new BadFrame(`${data.length} bytes: too many for one packet`);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const version = view.getUint8(0);
  if (version !== VERSION) throw new BadFrame(`version ${version}: this side reads ${VERSION}`);
  const burst = Number(view.getBigUint64(2));
  if (!Number.isSafeInteger(burst)) throw new BadFrame("a burst beyond 2^53-1: no office gives one");
  return {
    burst,
    seq: view.getUint32(10),
    captureMs: view.getUint32(14),
    flags: view.getUint8(1) & 7,
    opus: data.slice(HEADER_BYTES),
  };
}

/** @param {number} value @param {number} most @param {string} what */
function within(value, most, what) {
  if (!Number.isInteger(value) || value < 0 || value > most) throw new RangeError(`${what} ${value}: 0 to ${most}`);
}
