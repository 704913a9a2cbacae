import { isDeepStrictEqual } from 'node:util';
import type { ChatModel, Created, ModelRequest, ModelResponse } from './chat-model.ts';

/** A request and the server's response. Without a response the server ended first, so the request may have run or not. */
export interface Outcome {
  request: ModelRequest;
  response?: ModelResponse;
  created?: Created;
}

/**
 * Returns the states that result from some order of concurrent requests whose responses equal the server's.
 * @throws Error if no order explains the responses, with both sides
 */
export function explain(states: readonly ChatModel[], outcomes: readonly Outcome[]): ChatModel[] {
  const explained = new Map<string, ChatModel>();
  const others = new Set<string>();
  for (const [n, state] of states.entries()) {
    const rooms = outcomes.flatMap(({ request }) => state.roomOf(request) ?? []);
    for (const order of ordersOf(outcomes)) {
      for (const groups of groupsOf(order)) {
        const fork = state.fork(rooms);
        const responses = groups.flatMap((group) => runGroup(fork, group));
        if (order.every((outcome, at) => isExplained(outcome, responses[at])))
          explained.set(`${n} ${fork.key(rooms)}`, fork);
        else others.add(order.map(({ request }, at) => sideOf(request, responses[at])).join(', '));
      }
    }
  }
  if (explained.size > 0) return distinct([...explained.values()]);
  const server = outcomes.map(({ request, response }) => sideOf(request, response, request.payload));
  throw new Error(
    `no order explains the responses\nserver: ${server.join(', ')}\nmodel:  ${[...others].join('\n    or  ')}`,
  );
}

/** The states without those that equal an earlier one. */
export function distinct(states: readonly ChatModel[]): ChatModel[] {
  if (states.length === 1) return [...states];
  return [...new Map(states.map((state) => [state.key(), state])).values()];
}

const sideOf = ({ user, event }: ModelRequest, response?: ModelResponse, payload?: object): string =>
  `${user} ${event} ${payload === undefined ? '' : JSON.stringify(payload)} => ${JSON.stringify(response ?? 'none')}`;

function runGroup(state: ChatModel, group: readonly Outcome[]): ModelResponse[] {
  if (group[0]?.request.event === 'message:react') return state.react(group.map(({ request }) => request));
  return group.map(({ request, created }) => state.run(request, created));
}

const isExplained = ({ response }: Outcome, expected: ModelResponse | undefined): boolean =>
  response === undefined || isDeepStrictEqual(response, expected);

/** All orders of the outcomes, with and without each of those that have no response. */
function* ordersOf(outcomes: readonly Outcome[]): Generator<Outcome[]> {
  if (outcomes.every(({ response }) => response === undefined)) yield [];
  for (const first of outcomes) {
    for (const rest of ordersOf(outcomes.filter((other) => other !== first))) yield [first, ...rest];
  }
}

/** An order, with successive reactions to the same message as one change or as several. */
function* groupsOf([first, ...rest]: readonly Outcome[]): Generator<Outcome[][]> {
  if (first === undefined) {
    yield [];
    return;
  }
  for (const groups of groupsOf(rest)) {
    yield [[first], ...groups];
    const [next = [], ...others] = groups;
    const [second] = next;
    if (second !== undefined && isSameReaction(first.request, second.request))
      yield [[first, ...next], ...others];
  }
}

const isSameReaction = (a: ModelRequest, b: ModelRequest): boolean =>
  a.event === 'message:react' &&
  b.event === 'message:react' &&
  a.payload.room === b.payload.room &&
  a.payload.seq === b.payload.seq;
