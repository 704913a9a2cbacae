import { isDeepStrictEqual } from 'node:util';
import type { ChatModel, Created, ModelRequest, ModelResponse } from './chat-model.ts';

/**
 * A request and the server's response. Without a response the server stopped first, so the request may or may not have
 * run.
 */
export interface Outcome {
  request: ModelRequest;
  response?: ModelResponse;
  created?: Created;
}

/**
 * Runs concurrent requests on each state in all orders. Returns the resulting states of the orders whose responses
 * equal the server's.
 * @throws Error if there is no such order. The message shows the responses of the server and of the model.
 */
export function explain(states: readonly ChatModel[], outcomes: readonly Outcome[]): ChatModel[] {
  const explained = new Map<string, ChatModel>();
  const mismatches = new Set<string>();
  for (const [n, state] of states.entries()) {
    const rooms = outcomes.flatMap(({ request }) => state.roomOf(request) ?? []);
    for (const order of ordersOf(outcomes)) {
      for (const groups of groupsOf(order)) {
        const fork = state.fork(rooms);
        const responses = groups.flatMap((group) => runGroup(fork, group));
        if (order.every((outcome, index) => isExplained(outcome, responses[index])))
          explained.set(`${n} ${fork.key(rooms)}`, fork);
        else
          mismatches.add(order.map(({ request }, index) => describe(request, responses[index])).join(', '));
      }
    }
  }
  if (explained.size > 0) return distinct([...explained.values()]);
  const server = outcomes.map(({ request, response }) => describe(request, response, request.payload));
  throw new Error(
    `no order explains the responses\nserver: ${server.join(', ')}\nmodel:  ${[...mismatches].join('\n    or  ')}`,
  );
}

/** Removes states that equal an earlier state. */
export function distinct(states: readonly ChatModel[]): ChatModel[] {
  if (states.length === 1) return [...states];
  return [...new Map(states.map((state) => [state.key(), state])).values()];
}

const describe = ({ user, event }: ModelRequest, response?: ModelResponse, payload?: object): string =>
  `${user} ${event} ${payload === undefined ? '' : JSON.stringify(payload)} => ${JSON.stringify(response ?? 'none')}`;

function runGroup(state: ChatModel, group: readonly Outcome[]): ModelResponse[] {
  if (group[0]?.request.event === 'message:react') return state.react(group.map(({ request }) => request));
  return group.map(({ request, created }) => state.run(request, created));
}

const isExplained = ({ response }: Outcome, expected: ModelResponse | undefined): boolean =>
  response === undefined || isDeepStrictEqual(response, expected);

/**
 * Yields all orders of the outcomes. Each outcome without a response is also omitted, because the request may not have
 * run.
 */
function* ordersOf(outcomes: readonly Outcome[]): Generator<Outcome[]> {
  if (outcomes.every(({ response }) => response === undefined)) yield [];
  for (const first of outcomes) {
    for (const rest of ordersOf(outcomes.filter((outcome) => outcome !== first))) yield [first, ...rest];
  }
}

/** Yields the ways to group an order, because the server may store successive reactions to a message as one change. */
function* groupsOf([first, ...rest]: readonly Outcome[]): Generator<Outcome[][]> {
  if (first === undefined) {
    yield [];
    return;
  }
  for (const groups of groupsOf(rest)) {
    yield [[first], ...groups];
    const [next = [], ...later] = groups;
    const [second] = next;
    if (second !== undefined && isSameReaction(first.request, second.request))
      yield [[first, ...next], ...later];
  }
}

const isSameReaction = (a: ModelRequest, b: ModelRequest): boolean =>
  a.event === 'message:react' &&
  b.event === 'message:react' &&
  a.payload.room === b.payload.room &&
  a.payload.seq === b.payload.seq;
