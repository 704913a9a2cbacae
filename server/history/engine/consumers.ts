import { bitsOf, type Consume, consumerColumns, type LoadedConsumer, loadConsumer } from './change-log.ts';
import { sql } from './dialect.ts';
import { type Loader, missing, type Need, needOf, type Work } from './work.ts';

// Consumers of the log of changes. Their operations have a transaction of their own.

/** Milliseconds after which a consumer that no server follows is forgotten. */
const forgottenAfter = 24 * 60 * 60 * 1000;

const consuming = (): { last?: { name: string; loaded: LoadedConsumer } } => ({});

/** Locks the consumer. */
const loader: Loader<Consume> = {
  name: 'consumer',
  *find({ dialect, transaction }, work, needs) {
    for (const input of needs) {
      yield* transaction.flush();
      work.part(consuming).last = { name: input.name, loaded: yield* loadConsumer(dialect, input) };
    }
    return [];
  },
};
export const consumerNeed = (input: Consume): Need => needOf(loader, input);

/** A consumer, which begins when it is asked for the first time, and its next entries. */
export function getConsumer(work: Work, input: Consume): LoadedConsumer {
  const { last } = work.part(consuming);
  return last?.name === input.name ? last.loaded : missing(loader, input);
}

export function setConsumer(
  work: Work,
  {
    name,
    types,
    position,
    holder,
    heldUntil,
  }: Pick<Consume, 'name' | 'types'> & Pick<LoadedConsumer, 'position' | 'holder' | 'heldUntil'>,
): void {
  const row = [name, bitsOf(types), position, holder, heldUntil];
  work.later((dialect) => dialect.upsert('chat_consumers', ['id'], consumerColumns, [row]));
}

export function deleteOtherConsumers(work: Work, names: readonly string[]): void {
  work.later((dialect) => {
    const kept = dialect.among(
      ['id'],
      names.map((name) => [name]),
    );
    return sql`DELETE FROM chat_consumers WHERE held_until < ${dialect.now} - ${forgottenAfter} AND NOT (${kept})`;
  });
}
