/** Numbers as `tools/live.py` writes them: base64 of little-endian arrays, unpacked when they are first asked for. */

/** @typedef {{shape: number[], values: Float32Array | Uint8Array | Uint16Array | Int16Array | Int32Array}} Table */

const kinds = {
  f4: (/** @type {ArrayBuffer} */ buffer) => new Float32Array(buffer),
  f2: (/** @type {ArrayBuffer} */ buffer) => halves(new Uint16Array(buffer)),
  u1: (/** @type {ArrayBuffer} */ buffer) => new Uint8Array(buffer),
  u2: (/** @type {ArrayBuffer} */ buffer) => new Uint16Array(buffer),
  i2: (/** @type {ArrayBuffer} */ buffer) => new Int16Array(buffer),
  i4: (/** @type {ArrayBuffer} */ buffer) => new Int32Array(buffer),
};

/**
 * One number of 16 bits, as IEEE 754 has it.
 * @param {number} bits
 */
export function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
}

/** @param {Uint16Array} bits */
function halves(bits) {
  return Float32Array.from(bits, half);
}

/**
 * One array: {"kind": "f2", "shape": [360, 32], "base64": "..."} as {shape, values}, row after row.
 * @param {{kind: string, shape: number[], base64: string}} stored
 * @returns {Table}
 */
export function unpack(stored) {
  const text = atob(stored.base64), bytes = new Uint8Array(text.length);
  for (let place = 0; place < text.length; place++) bytes[place] = text.charCodeAt(place);
  return { shape: stored.shape, values: kinds[stored.kind](bytes.buffer) };
}

/**
 * A data script's content: `arrays` unpacked (under `tables`), `values` as they are.
 * @param {{version: string, arrays?: Record<string, any>, values?: Record<string, any>}} stored
 * @returns {{tables: Record<string, Table>, values: Record<string, any>}}
 */
export function open(stored) {
  const tables = Object.fromEntries(Object.entries(stored.arrays ?? {}).map(([name, one]) => [name, unpack(one)]));
  return { tables, values: stored.values ?? {} };
}
