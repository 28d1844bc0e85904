/**
 * Forward passes of the package's networks: GRU4Rec, SASRec and AttentiveGRU, with weights under PyTorch's own names.
 *
 * All read items, what was done with them, and how long it was until the next event, as
 * `recbook/models/sequence.py` does. No dropout: nothing trains here.
 */

import { dot, linear, normalised, row, softmax } from "./numbers.js";

/** @typedef {import("./shop.js").Event} Event */
/** @typedef {(name: string) => import("./data.js").Table} Weights */

const PAUSES = 24;

/** The weights of one network: `of(tables, "gru")("item.weight")`. @returns {Weights} */
export function of(/** @type {Record<string, any>} */ tables, /** @type {string} */ prefix) {
  return (name) => tables[`${prefix}.${name}`];
}

/**
 * What goes into a network: (L, D), a row for each of the last `length` events.
 * @param {Weights} weights
 * @param {Event[]} events
 * @param {number} now
 * @param {number} length
 */
export function inputs(weights, events, now, length) {
  const read = events.slice(-length);
  return read.map((event, t) => {
    const vector = Float64Array.from(row(weights("item.weight"), event.item));
    const seconds = (t + 1 < read.length ? read[t + 1].time : now) - event.time;
    add(vector, row(weights("behaviour.weight"), event.behaviour));
    return add(vector, row(weights("pause.weight"), pauseOf(seconds)));
  });
}

/** log2 of the seconds, rounded down; exact at the powers of two. @param {number} seconds */
export function pauseOf(seconds) {
  let power = 0;
  while (power < PAUSES - 1 && seconds >= 2 ** (power + 1)) power++;
  return power;
}

/** @param {Float64Array} vector @param {ArrayLike<number>} other */
function add(vector, other) {
  for (let k = 0; k < vector.length; k++) vector[k] += other[k];
  return vector;
}

const sigmoid = (/** @type {number} */ x) => 1 / (1 + Math.exp(-x));

/**
 * The states of a GRU after each input, as `torch.nn.GRU` has them: gates in the order reset, update, new.
 * @param {Weights} weights
 * @param {Float64Array[]} given
 */
export function gru(weights, given) {
  const size = weights("recurrence.weight_hh_l0").shape[1];
  let state = new Float64Array(size);
  return given.map((vector) => {
    const fromInput = linear(weights("recurrence.weight_ih_l0"), vector, weights("recurrence.bias_ih_l0"));
    const fromState = linear(weights("recurrence.weight_hh_l0"), state, weights("recurrence.bias_hh_l0"));
    state = state.map((old, k) => {
      const reset = sigmoid(fromInput[k] + fromState[k]), update = sigmoid(fromInput[size + k] + fromState[size + k]);
      const fresh = Math.tanh(fromInput[2 * size + k] + reset * fromState[2 * size + k]);
      return (1 - update) * fresh + update * old;
    });
    return state;
  });
}

/** state . v_i + b_i for every item. @param {Weights} weights @param {ArrayLike<number>} state */
export function products(weights, state) {
  const items = weights("item.weight"), bias = weights("item_bias").values;
  return linear(items, /** @type {any} */ (state)).map((score, i) => score + bias[i]);
}

/** Scores of all items by GRU4Rec. @param {Weights} weights @param {Event[]} events @param {number} now @param {number} length */
export function gru4rec(weights, events, now, length) {
  const states = gru(weights, inputs(weights, events, now, length)), dim = weights("item.weight").shape[1];
  const last = states.length ? linear(weights("output.weight"), states[states.length - 1], weights("output.bias")) : new Float64Array(dim);
  return products(weights, last);
}

/**
 * SASRec of one block and one head: the state after the last event, and the weights with which that event looks back.
 * @param {Weights} weights
 * @param {Event[]} events
 * @param {number} now
 * @param {number} length
 */
export function sasrec(weights, events, now, length) {
  const dim = weights("item.weight").shape[1], root = Math.sqrt(dim);
  const rows = inputs(weights, events, now, length).map((vector, t) => {
    const place = row(weights("position.weight"), t);
    return vector.map((one, k) => one * root + place[k]);
  });
  if (!rows.length) return { state: new Float64Array(dim), looks: new Float64Array(0) };
  const block = (/** @type {string} */ name) => weights(`stack.0.${name}`);
  const parts = rows.map((vector) => linear(block("projections.weight"),
    normalised(vector, block("attention_norm.weight"), block("attention_norm.bias")), block("projections.bias")));
  const asks = parts[parts.length - 1].subarray(0, dim);                // only the last event's answer is needed
  const looks = softmax(parts.map((part) => dot(asks, part.subarray(dim, 2 * dim)) / root));
  const seen = new Float64Array(dim);
  parts.forEach((part, t) => { for (let k = 0; k < dim; k++) seen[k] += looks[t] * part[2 * dim + k]; });
  const hidden = add(linear(block("attention_output.weight"), seen, block("attention_output.bias")), rows[rows.length - 1]);
  const inner = linear(block("inner.weight"), normalised(hidden, block("network_norm.weight"), block("network_norm.bias")), block("inner.bias"));
  add(hidden, linear(block("outer.weight"), inner.map((one) => Math.max(0, one)), block("outer.bias")));
  return { state: normalised(hidden, weights("norm.weight"), weights("norm.bias")), looks };
}

/**
 * AttentiveGRU: the states, the relevance of every event to every item (rows are events), and the scores.
 * @param {Weights} weights
 * @param {Event[]} events
 * @param {number} now
 * @param {number} length
 */
export function attentive(weights, events, now, length) {
  const states = gru(weights, inputs(weights, events, now, length)), items = weights("item.weight");
  const relevance = states.map((state) => linear(items, state));
  const bias = weights("item_bias").values;
  const scores = Float64Array.from({ length: items.shape[0] }, (_, i) => {
    if (!states.length) return bias[i];
    const column = relevance.map((all) => all[i]);
    return dot(softmax(column), column) + bias[i];
  });
  return { states, relevance, scores };
}
