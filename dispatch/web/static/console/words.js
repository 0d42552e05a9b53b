// @ts-check
// Control messages: JSON to objects and back, held against the protocol's own schemas (schemas.js). Pure.

import { CARRIES, PAYLOAD_BYTES_MAX, ROSTER_BYTES_MAX, SCHEMAS, TOPICS } from "./schemas.js";

/** A payload that is no message of this protocol, or is on the wrong topic: drop and count. */
export class Malformed extends Error {}

/** What sorts before what; see protocol.messages.Priority. */
export const RANK = Object.freeze({ normal: 0, high: 1, emergency: 2 });

const ID = /^[a-z0-9][a-z0-9-]{0,31}$/;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const patterns = new Map();

/** @param {string} text */
export function isId(text) {
  return ID.test(text);
}

/**
 * Build a topic or, with "+" as an id, a subscription.
 * @param {{region: string, office: string}} office
 * @param {string} kind a key of TOPICS
 * @param {...string} ids
 */
export function topic(office, kind, ...ids) {
  for (const id of [office.region, office.office, ...ids]) {
    if (id !== "+" && !isId(id)) throw new RangeError(`id ${JSON.stringify(id)}: 1 to 32 of a-z, 0-9 and '-'`);
  }
  const left = [...ids];
  const tail = TOPICS[kind].replace(/\{\}/g, () => left.shift() ?? "?");
  if (left.length > 0 || tail.includes("?")) throw new RangeError(`${kind} takes other ids than ${ids}`);
  return `ptt/v1/${office.region}/${office.office}/${tail}`;
}

/**
 * Read a concrete topic of an office; null where it is none the console knows.
 * @param {{region: string, office: string}} office
 * @param {string} text
 * @returns {{kind: string, ids: string[]}|null}
 */
export function parseTopic(office, text) {
  const root = `ptt/v1/${office.region}/${office.office}/`;
  if (!text.startsWith(root)) return null;
  const parts = text.slice(root.length).split("/");
  for (const [kind, tail] of Object.entries(TOPICS)) {
    const pattern = tail.split("/");
    if (pattern.length !== parts.length) continue;
    if (!pattern.every((one, at) => one === "{}" ? isId(parts[at]) : one === parts[at])) continue;
    return { kind, ids: parts.filter((_, at) => pattern[at] === "{}") };
  }
  return null;
}

/**
 * Give the JSON of a message; throws Malformed for one that the protocol does not have: that is a bug of the caller.
 * @param {object} message
 * @returns {string}
 */
export function encode(message) {
  taken(message, "type" in message ? String(message.type) : "");
  return JSON.stringify(message);
}

/**
 * Read one control message from a topic of `kind`, defaults filled in; throws Malformed saying what is wrong.
 * @param {Uint8Array} payload
 * @param {string} kind a key of CARRIES
 * @returns {any}
 */
export function decode(payload, kind) {
  const most = kind === "ROSTER" ? ROSTER_BYTES_MAX : PAYLOAD_BYTES_MAX;
  if (payload.length > most) throw new Malformed(`${payload.length} bytes on ${kind}: the limit is ${most}`);
  let said;
  try {
    said = JSON.parse(utf8.decode(payload));
  } catch {
    throw new Malformed(`on ${kind}: not JSON`);
  }
  const type = said !== null && typeof said === "object" ? String(said.type) : "";
  if (!(CARRIES[kind] ?? []).includes(type)) throw new Malformed(`on ${kind}: a ${type.slice(0, 40)} does not belong there`);
  return taken(said, type);
}

/**
 * @param {any} said
 * @param {string} type
 */
function taken(said, type) {
  if (!Object.hasOwn(SCHEMAS, type)) throw new Malformed(`no message is called ${type.slice(0, 40)}`);
  const schema = SCHEMAS[type];
  return read(said, schema, schema, type);
}

/**
 * Hold a value against a part of a schema; gives it with defaults, without fields nobody knows.
 * @param {any} value
 * @param {any} schema
 * @param {any} whole what `$ref` refers to
 * @param {string} where
 * @returns {any}
 */
function read(value, schema, whole, where) {
  if (schema.$ref !== undefined) return read(value, whole.$defs[schema.$ref.split("/").pop()], whole, where);
  if (schema.anyOf !== undefined) return readAny(value, schema, whole, where);
  if (schema.enum !== undefined) return check(schema.enum.includes(value), value, where);
  switch (schema.type) {
    case "integer":
      return check(Number.isSafeInteger(value) && inRange(value, schema), value, where);
    case "number":
      return check(Number.isFinite(value) && inRange(value, schema), value, where);
    case "string":
      return check(typeof value === "string" && fits(value, schema), value, where);
    case "boolean":
      return check(typeof value === "boolean", value, where);
    case "null":
      return check(value === null, value, where);
    case "array":
      return readArray(value, schema, whole, where);
    case "object":
      return readObject(value, schema, whole, where);
    default:
      return value;
  }
}

function readAny(value, schema, whole, where) {
  for (const one of schema.anyOf) {
    try {
      return read(value, one, whole, where);
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
    }
  }
  throw new Malformed(`${where} is not as it must be`);
}

function readArray(value, schema, whole, where) {
  check(Array.isArray(value), value, where);
  check(value.length >= (schema.minItems ?? 0) && value.length <= (schema.maxItems ?? Infinity), value, where);
  return value.map((one, at) => read(one, schema.prefixItems?.[at] ?? schema.items ?? {}, whole, `${where}[${at}]`));
}

function readObject(value, schema, whole, where) {
  check(value !== null && typeof value === "object" && !Array.isArray(value), value, where);
  if (schema.properties === undefined) {
    const each = typeof schema.additionalProperties === "object" ? schema.additionalProperties : {};
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, read(one, each, whole, `${where}.${key.slice(0, 40)}`)]));
  }
  const made = {};
  for (const [name, part] of Object.entries(schema.properties)) {
    if (Object.hasOwn(value, name)) made[name] = read(value[name], part, whole, `${where}.${name}`);
    else if ((schema.required ?? []).includes(name)) throw new Malformed(`${where}.${name} is missing`);
    else if (part.default !== undefined) made[name] = structuredClone(part.default);
  }
  return made;
}

function inRange(value, { minimum = -Infinity, maximum = Infinity }) {
  return value >= minimum && value <= maximum;
}

/** Lengths count characters as Python does: code points. */
function fits(value, { minLength = 0, maxLength = Infinity, pattern }) {
  const length = value.length <= minLength || value.length > maxLength ? [...value].length : value.length;
  if (length < minLength || length > maxLength) return false;
  if (pattern === undefined) return true;
  if (!patterns.has(pattern)) patterns.set(pattern, new RegExp(pattern, "u"));
  return patterns.get(pattern).test(value);
}

function check(holds, value, where) {
  if (!holds) throw new Malformed(`${where} is not as it must be`);
  return value;
}
